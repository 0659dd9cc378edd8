"""A bucket of S3, or of whatever speaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock import _core
from penstock.client import native_client
from penstock.errors import Refused
from penstock.fields import pairs
from penstock.progress import reporter
from penstock.stores.object_store import ObjectStore
from penstock.stores.options import customer_key, spool_dir, write_options
from penstock.streams import Sink, call, native_source
from penstock.units import size, span

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from typing_extensions import Self, Unpack

    from penstock.aws import Credentials
    from penstock.client import ClientLike
    from penstock.objects import PostForm, Receipt, SweepReport, UploadState
    from penstock.progress import ProgressLike
    from penstock.stores.config import S3Config
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
        provider: aws, minio, versitygw, r2, gcs, b2, ceph, wasabi, spaces, scaleway, storj, oss, ibm,
            seaweedfs, huawei, tencent, other; else recognised.
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
        sse_customer_key: SSE-C, 32 bytes or their base64: the service encrypts with it and forgets it; of every
            object read and written here. Never shown.
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
        sse_customer_key: bytes | str | None = None,
        reap: bool = False,
        client: ClientLike | None = None,
    ) -> None:
        given = {name: value for name, value in locals().items() if name not in {"self", "__class__"}}
        arguments = {name: value for name, value in given.items() if value != _S3_DEFAULTS.get(name)}
        super().__init__(_core.S3Store(_s3_options(arguments)), **arguments)

    @classmethod
    def from_env(cls, *, bucket: str | None = None, **config: Unpack[S3Config]) -> Self:
        """The store that the environment names; what is given here wins over it.

        Args:
            bucket: Else PENSTOCK_BUCKET, S3_BUCKET_NAME.
            config: As for S3Store, whose region, endpoint and credentials come from the environment anyway;
                ``prefix`` else from PENSTOCK_PREFIX, S3_PREFIX.
        Raises:
            Refused: No bucket is named.

        >>> from unittest.mock import patch
        >>> with patch.dict("os.environ", PENSTOCK_BUCKET="bucket", PENSTOCK_PREFIX="raw/"):
        ...     penstock.S3Store.from_env().location("k")
        's3://bucket/raw/k'
        """
        named = _first_set("PENSTOCK_BUCKET", "S3_BUCKET_NAME") if bucket is None else bucket
        if not named:
            raise Refused("no bucket: set PENSTOCK_BUCKET or S3_BUCKET_NAME")
        config.setdefault("prefix", _first_set("PENSTOCK_PREFIX", "S3_PREFIX"))
        return cls(named, **config)

    @classmethod
    def from_url(cls, url: str, **config: Unpack[S3Config]) -> Self:
        """The store of ``s3://bucket/prefix``, which is joined before every key as it is.

        Args:
            url: The prefix is raw: ``%`` and ``?`` are characters, and a slash at its end is part of it.
            config: As for S3Store, but for ``prefix``.
        Raises:
            Refused: Another scheme.

        >>> penstock.S3Store.from_url("s3://bucket/raw/", region="eu-west-1").location("k")
        's3://bucket/raw/k'
        """
        bucket, prefix = bucket_and_key(url)
        if "prefix" in config:
            raise TypeError("prefix= goes with a bucket; a URL names its prefix itself")
        config["prefix"] = prefix
        return cls(bucket, **config)

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
            headers: Whoever uses the URL must send exactly these, and of a store with ``sse_customer_key`` the three
                of SSE-C for GET, PUT and HEAD: they are signed, and the key is not in the URL.
            query: More of the query, such as ``response-content-type``.
            deadline: Of finding credentials.
        """
        return self._native.presign(
            method, key, int(span(expires)), pairs(headers), pairs(query), call(deadline)
        )

    def presign_post(
        self,
        key_or_prefix: str,
        *,
        expires: Span = 3600,
        min_bytes: Size = 0,
        max_bytes: Size = "5GiB",
        content_type: str = "",
        fields: Mapping[str, str] | None = None,
        deadline: Span | None = None,
    ) -> PostForm:
        """A form with which somebody without credentials uploads one object, as browsers do.

        The service refuses what is larger or smaller, of another type or name than the form allows. A store with
        ``sse_customer_key`` is Refused: the form would show the key.

        Args:
            key_or_prefix: The object; one that ends in ``/`` is a prefix, completed by the uploaded file's name.
            expires: 1 second to 7 days, and not beyond the life of temporary keys.
            min_bytes: Of the file.
            max_bytes: Of the file.
            content_type: What the object must be; without it the form may name none.
            fields: More of the form, to be sent exactly so, such as ``success_action_status`` or ``x-amz-meta-who``.
            deadline: Of finding credentials.

        >>> keys = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "secret", "region": "eu-west-1"}
        >>> form = penstock.S3Store("bucket", **keys).presign_post("in/", max_bytes="10MiB")
        >>> form.url, form.fields["key"]
        ('https://bucket.s3.eu-west-1.amazonaws.com/', 'in/${filename}')
        """
        from penstock.objects import PostForm

        limits = size(min_bytes), size(max_bytes)
        url, signed = self._native.presign_post(
            key_or_prefix, int(span(expires)), *limits, content_type, pairs(fields), call(deadline)
        )
        return PostForm(url=url, fields=signed)

    def capabilities(self, *, deadline: Span | None = None) -> dict[str, Any]:
        """What the provider behind the endpoint can do; a row of the table by host, ``Server`` header or ``provider=``.

        ``conditional_put`` and ``conditional_complete`` (yes, no, unknown) decide whether ``mode="create"`` and
        ``if_match`` may be used; ``conditional="trust"`` or probe() decide what is unknown.

        >>> penstock.S3Store("bucket", provider="scaleway").capabilities()["max_parts"]
        1000
        """
        return self._native.capabilities(call(deadline))

    def probe(self, *, deadline: Span | None = None) -> dict[str, Any]:
        """Find out by trying whether conditions on writes are honoured; capabilities() from then on, of this store.

        Creates objects ``.penstock-probe-*`` under the prefix and removes them.
        """
        return self._native.probe(call(deadline))

    def list_uploads(self, key: str, *, deadline: Span | None = None) -> list[tuple[str, str]]:
        """Unfinished uploads of exactly this key: (key, upload id)."""
        return self._native.list_uploads(key, call(deadline))

    def abort_upload(self, key: str, upload_id: str, *, deadline: Span | None = None) -> None:
        """End an unfinished upload; nothing of it stays."""
        self._native.abort_upload(key, upload_id, call(deadline))

    def open_writer(self, key: str, *, deadline: Span | None = None, **options: Any) -> Upload:
        """As ObjectStore.open_writer; its ``state()`` is what resume_upload() needs, should this process die."""
        return Upload(self._native.open_writer(key, write_options(options), call(deadline)))

    def resume_upload(
        self,
        state: UploadState,
        source: Any,
        *,
        progress: ProgressLike = None,
        deadline: Span | None = None,
        **options: Any,
    ) -> Receipt:
        """Go on with an upload that a dead process or another program began.

        If it fails the upload stays open, to be resumed again or aborted.

        Args:
            state: Of ``open_writer(...).state()``, or an UploadState of bucket, key and upload_id.
            source: All of the object again, as for put(). Parts that are there with equal size and checksum are
                read and not sent; those without a checksum are sent again.
            progress: True for a bar, or a callable that receives a Progress.
            deadline: Of the whole call.
            options: ``expected`` and ``max_parts_in_flight``, as for put(); the rest was said when it began.
        Returns:
            Receipt: ``mode_reason`` says how many parts were there, or that it was complete already.
        Raises:
            NotFound: There is no such upload.
            Refused: It is of another bucket or prefix, or began with a checksum that cannot be gone on with.
        """
        chosen = write_options(options)
        with reporter(progress, state.key) as report:
            on = call(deadline, report)
            return self._native.resume_upload(as_dict(state), native_source(source), chosen, on)

    def sweep_uploads(
        self,
        prefix: str = "",
        *,
        older_than: Span = 86_400,
        dry_run: bool = True,
        deadline: Span | None = None,
    ) -> SweepReport:
        """Find unfinished uploads that nobody will finish, and abort them with ``dry_run=False``.

        Args:
            prefix: Of their keys. MinIO shows only uploads of exactly this key.
            older_than: What began less long ago stays. Uploads may be another program's and still alive: choose
                longer than any may take.
            dry_run: Only look.
            deadline: Of the whole call.
        """
        from penstock.objects import SweepReport

        return SweepReport._of(
            *self._native.sweep_uploads(prefix, float(span(older_than)), dry_run, call(deadline))
        )

    def statistics(self) -> dict[str, Any]:
        """Of the client underneath: connections, retries, bytes, memory."""
        client = self._arguments.get("client")
        return (client._native if client is not None else _core.default_client()).statistics()

    def with_bucket(self, bucket: str) -> S3Store:
        """The same client and credentials on another bucket, without the prefix."""
        return S3Store(**{**self._arguments, "bucket": bucket, "prefix": ""})


class Upload(Sink):
    """The Sink of an object in S3."""

    def state(self) -> UploadState | None:
        """What resume_upload() needs, once a part has gone out; None before that."""
        from penstock.objects import UploadState

        found = _core.S3Store.upload_state(self._native)
        return None if found is None else UploadState(**found)


def bucket_and_key(url: str) -> tuple[str, str]:
    """What ``s3://bucket/key`` names; the key is raw."""
    scheme, found, rest = url.partition("://")
    if scheme != "s3" or not found:
        raise Refused(f"not a URL like s3://bucket/prefix: {_core.redact_url(url)}")
    bucket, _, key = rest.partition("/")
    return bucket, key


def _first_set(*names: str) -> str:
    from os import environ

    return next((environ[name] for name in names if environ.get(name)), "")


def as_dict(state: UploadState) -> dict[str, Any]:
    """A state as the core takes it."""
    from dataclasses import asdict

    return asdict(state)


_S3_DEFAULTS: dict[str, Any] = dict((S3Store.__init__.__kwdefaults__ or {}).items())


def _s3_options(arguments: dict[str, Any]) -> dict[str, Any]:
    options = dict(arguments)
    if "part_bytes" in options:
        options["part_bytes"] = size(options["part_bytes"])
    if "sse_customer_key" in options:
        options["sse_customer_key"] = customer_key(options["sse_customer_key"])
    if "client" in options:
        options["client"] = native_client(options["client"])
    return {**options, **spool_dir(options)}
