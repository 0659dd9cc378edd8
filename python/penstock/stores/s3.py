"""A bucket of S3, or of whatever speaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock import _core
from penstock.client import native_client
from penstock.fields import pairs
from penstock.stores.object_store import ObjectStore
from penstock.stores.options import spool_dir
from penstock.streams import call
from penstock.units import size, span

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from penstock.aws import Credentials
    from penstock.client import ClientLike
    from penstock.units import Size, Span


class S3Store(ObjectStore):
    """A bucket of S3, or of whatever speaks it.

    Makes no request until it is used. Whatever is not given comes from the environment, then the profile, then
    the provider's own habits.

    Args:
        bucket: Its name.
        prefix: Joined before every key as it is.
        region: Else AWS_REGION, AWS_DEFAULT_REGION, the profile, us-east-1.
        endpoint: Else AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile, AWS.
        provider: aws, minio, versitygw, r2, other; else recognised.
        addressing: auto, path or virtual.
        conditional: ``trust`` uses create and if_match where the provider is not known to honour them.
        access_key_id: With secret_access_key and, for temporary keys, session_token.
        secret_access_key: Never shown and pickled only because it was given here.
        session_token: Of temporary keys.
        credentials: A Credentials, or a callable that returns one.
        anonymous: Send requests unsigned.
        profile: Of ~/.aws.
        mfa: For a role that asks for a device: called with its serial at each load of keys, on another thread,
            and returns the six digits.
        sign_payload: auto, always, never.
        checksum: auto, none, or an algorithm.
        part_bytes: Of a multipart upload; doubles every 1,000 parts where the length is unknown.
        max_parts_in_flight: Part size x this is what an upload holds.
        spool_dir: Where the rest of a part over 8 MiB goes that the Budget has no room for, as a file without a
            name; ``""`` is $TMPDIR, None keeps parts as small as the Budget.
        token: Write the token that settles a lost answer.
        reap: Abort uploads that a lost answer to Create may have left.
        client: A penstock.Client; else the process's.
    Source:
        Amazon S3 API Reference; what other providers do differently: cpp/penstock/s3/provider.cc.
    """

    _native: _core.S3Store

    def __init__(
        self,
        bucket: str,
        *,
        prefix: str = "",
        region: str | None = None,
        endpoint: str | None = None,
        provider: str | None = None,
        addressing: str = "auto",
        conditional: str = "row",
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        session_token: str | None = None,
        credentials: Credentials | Callable[[], Credentials] | None = None,
        anonymous: bool = False,
        profile: str | None = None,
        mfa: Callable[[str], str] | None = None,
        sign_payload: str = "auto",
        checksum: str = "auto",
        part_bytes: Size = "8MiB",
        max_parts_in_flight: int = 4,
        spool_dir: str | os.PathLike[str] | None = "",
        token: bool = True,
        reap: bool = False,
        client: ClientLike | None = None,
    ) -> None:
        given = {name: value for name, value in locals().items() if name not in {"self", "__class__"}}
        arguments = {name: value for name, value in given.items() if value != _S3_DEFAULTS.get(name)}
        super().__init__(_core.S3Store(_s3_options(arguments)), **arguments)

    def presign(
        self,
        method: str,
        key: str,
        *,
        expires: Span = 3600,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        deadline: Span | None = None,
    ) -> str:
        """A URL that does one thing for a while without credentials.

        Args:
            method: GET, PUT, HEAD or DELETE.
            key: The object.
            expires: 1 second to 7 days, and not beyond the life of temporary keys.
            headers: Whoever uses the URL must send exactly these.
            query: More of the query, such as ``response-content-type``.
            deadline: Of finding credentials.
        """
        return self._native.presign(
            method, key, int(span(expires)), pairs(headers), pairs(query), call(deadline)
        )

    def capabilities(self, *, deadline: Span | None = None) -> dict[str, Any]:
        """What the provider behind the endpoint can do."""
        return self._native.capabilities(call(deadline))

    def list_uploads(self, key: str, *, deadline: Span | None = None) -> list[tuple[str, str]]:
        """Unfinished uploads of exactly this key: (key, upload id)."""
        return self._native.list_uploads(key, call(deadline))

    def abort_upload(self, key: str, upload_id: str, *, deadline: Span | None = None) -> None:
        """End an unfinished upload; nothing of it stays."""
        self._native.abort_upload(key, upload_id, call(deadline))

    def statistics(self) -> dict[str, Any]:
        """Of the client underneath: connections, retries, bytes, memory."""
        client = self._arguments.get("client")
        return (client._native if client is not None else _core.default_client()).statistics()

    def with_bucket(self, bucket: str) -> S3Store:
        """The same client and credentials on another bucket, without the prefix."""
        return S3Store(**{**self._arguments, "bucket": bucket, "prefix": ""})


_S3_DEFAULTS: dict[str, Any] = dict((S3Store.__init__.__kwdefaults__ or {}).items())


def _s3_options(arguments: dict[str, Any]) -> dict[str, Any]:
    options = dict(arguments)
    if "part_bytes" in options:
        options["part_bytes"] = size(options["part_bytes"])
    if "client" in options:
        options["client"] = native_client(options["client"])
    return {**options, **spool_dir(options)}
