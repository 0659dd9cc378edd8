"""Object stores: named objects that appear whole or not at all.

>>> store = penstock.MemoryStore()
>>> store.put("greeting", b"hello").bytes
5
>>> store.get("greeting").bytes()
b'hello'
>>> [meta.key for meta in store.list()]
['greeting']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from penstock import _core, display
from penstock.objects import Range
from penstock.progress import reporter
from penstock.streams import Sink, Source, call, is_buffer, native_source
from penstock.units import size, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from os import PathLike

    from typing_extensions import Self

    from penstock.aws import Credentials
    from penstock.client import Client
    from penstock.objects import ObjectMeta, Progress, Receipt, RemoveReport
    from penstock.units import Size, Span

    ProgressLike = bool | Callable[[Progress], object] | None

WRITE_OPTIONS = frozenset(
    {
        "cache_control",
        "checksum",
        "content_disposition",
        "content_encoding",
        "content_type",
        "expected",
        "if_match",
        "kms_key_id",
        "length",
        "length_hint",
        "max_parts_in_flight",
        "metadata",
        "mode",
        "part_bytes",
        "sse",
        "storage_class",
        "tags",
        "token",
    }
)
LIST_PAGE = 256
"""Entries fetched at a time by an iteration; the far end is asked in its own pages, of 1,000 on S3."""


@runtime_checkable
class StoreProtocol(Protocol):
    """What a class of yours must have to be used wherever a store is taken.

    ``penstock.testing.StoreContract`` is the suite that tells whether it behaves. ``get`` returns anything
    source-like; ``range`` is ``(first, last, suffix)``, absent for the whole object. ``open_writer`` returns
    an
    object with ``write(buffer)`` (borrowed until return), ``finish()`` and ``abort(why)``; options are those
    of
    ``put``, absent ones are not passed. Length and expected digests are compared for you before ``finish()``.
    """

    def find(self, key: str) -> ObjectMeta | None: ...
    def get(self, key: str, *, range: Any = ..., if_match: str = ...) -> Any: ...
    def open_writer(self, key: str, **options: Any) -> Any: ...
    def list(self, prefix: str = "", *, start_after: str = "") -> Iterable[ObjectMeta]: ...
    def remove(self, key: str) -> None: ...


class GetResult(Source):
    """An object being read, with its ``.meta``. Leaving the block early drops the connection."""

    meta: ObjectMeta
    range: Range | None

    @classmethod
    def _opened(cls, native: _core.Source, meta: ObjectMeta, asked: Range | None) -> Self:
        made = cls._of(native)
        made.meta = meta
        made.range = asked
        return made

    def __repr__(self) -> str:
        return display.line("GetResult", key=self.meta.key, bytes=self.meta.bytes, range=self.range)


class ObjectStore:
    """The verbs every store has. Shared freely between threads; see MemoryStore, FolderStore, S3Store.

    Every verb takes ``deadline=`` (``"30s"``, timedelta or seconds): past it the call is DeadlinePassed.
    """

    _native: _core.Store
    _arguments: dict[str, Any]

    def __init__(self, native: _core.Store, **arguments: Any) -> None:
        self._native = native
        self._arguments = arguments

    @classmethod
    def of(cls, user: StoreProtocol) -> ObjectStore:
        """A store over a class of yours (StoreProtocol), with all the verbs."""
        return PythonStore(user)

    def head(self, key: str, *, deadline: Span | None = None) -> ObjectMeta:
        """What is known of ``key``; NotFound if it is absent."""
        return self._native.head(key, call(deadline))

    def find(self, key: str, *, deadline: Span | None = None) -> ObjectMeta | None:
        """What is known of ``key``, or None."""
        return self._native.find(key, call(deadline))

    def exists(self, key: str, *, deadline: Span | None = None) -> bool:
        """Whether it is there. No right to look is Denied, not False."""
        return self._native.exists(key, call(deadline))

    def get(
        self,
        key: str,
        *,
        range: Any = None,
        if_match: str = "",
        version: str = "",
        deadline: Span | None = None,
    ) -> GetResult:
        """Open an object.

        Args:
            key: Its name.
            range: ``slice(0, 10)``, ``(first, last)`` both included, ``-n`` for the last n bytes, or a Range.
            if_match: Conflict unless the object has this ETag.
            version: A version id, where the store keeps versions.
            deadline: Of this call and of every read of the result.
        Raises:
            NotFound: It is not there.
        Memory:
            The connection's ring, 256 KiB.

        >>> store = penstock.MemoryStore(); _ = store.put("k", b"0123456789")
        >>> store.get("k", range=slice(2, 5)).bytes()
        b'234'
        """
        asked = None if range is None else Range.of(range)
        native, meta = self._native.get(key, as_tuple(asked), if_match, version, call(deadline))
        return GetResult._opened(native, meta, asked)

    def put(
        self,
        key: str,
        data: Any,
        *,
        progress: ProgressLike = None,
        deadline: Span | None = None,
        **options: Any,
    ) -> Receipt:
        """Write an object; it appears whole or not at all.

        Args:
            key: 1 to 1,024 bytes of UTF-8.
            data: A C-contiguous buffer (borrowed until return), a Path, a binary file (seekable means it can
                be
                sent again), an iterator of buffers, a source, a get() result. ``str`` is a TypeError.
            progress: True for a bar, or a callable that receives a Progress.
            deadline: Of the whole call.
            options: ``mode`` (overwrite, create), ``if_match``, ``length``, ``length_hint``, ``expected``
                ({algorithm: digest}, compared before anything is visible), ``content_type``,
                ``content_encoding``, ``content_disposition``, ``cache_control``, ``metadata``, ``tags``,
                ``storage_class``, ``sse``, ``kms_key_id``, ``part_bytes``, ``max_parts_in_flight``,
                ``token``.
        Returns:
            Receipt: ``bytes``, ``etag``, ``location``, ...
        Raises:
            Conflict: ``mode="create"`` and something is there, or another ETag than ``if_match``.
            Corrupt: Length or digest differ; nothing is visible.
            InDoubt: The publishing answer was lost and could not be settled.
        Memory:
            Parts in flight x part size (4 x 8 MiB) on S3, taken from the Budget; a borrowed buffer is not
            copied.

        >>> penstock.MemoryStore().put("k", [b"a", b"b"], content_type="text/plain").bytes
        2
        """
        chosen = write_options(options)
        if is_buffer(data) and progress is None:
            return self._native.put_bytes(key, data, chosen, call(deadline))
        source = native_source(data)
        with reporter(progress, key) as report:
            return self._native.put_source(key, source, chosen, call(deadline, report))

    def open_writer(self, key: str, *, deadline: Span | None = None, **options: Any) -> Sink:
        """A Sink; nothing is visible under ``key`` until its finish(). Options as for put()."""
        return Sink(self._native.open_writer(key, write_options(options), call(deadline)))

    def list(
        self, prefix: str = "", *, start_after: str = "", deadline: Span | None = None
    ) -> Iterator[ObjectMeta]:
        """Objects in ascending order of their keys' bytes, lazily."""
        listing = self._native.list(prefix, start_after, call(deadline))
        while page := listing.page(LIST_PAGE):
            yield from page

    def remove(self, key: str, *, if_match: str = "", deadline: Span | None = None) -> None:
        """Remove it; absence is success."""
        self._native.remove(key, if_match, call(deadline))

    def remove_many(self, keys: Iterable[str], *, deadline: Span | None = None) -> RemoveReport:
        """Remove many; the report has what went wrong by key."""
        return self._native.remove_many([*keys], call(deadline))

    def copy(self, from_key: str, to_key: str, *, deadline: Span | None = None, **options: Any) -> Receipt:
        """Copy within the store, with its attributes."""
        return self._native.copy(from_key, to_key, write_options(options), call(deadline))

    def move(self, from_key: str, to_key: str, *, deadline: Span | None = None, **options: Any) -> Receipt:
        """Copy, check, remove. If the remove fails both stay, and the error says so."""
        return self._native.move(from_key, to_key, write_options(options), call(deadline))

    def with_bucket(self, bucket: str) -> ObjectStore:
        """The same client and credentials on another bucket; a subfolder for a folder."""
        return ObjectStore(self._native.with_bucket(bucket))

    def location(self, key: str) -> str:
        """Where ``key`` is, for people: ``s3://bucket/key``, ``file:///path``, ``memory:key``."""
        return self._native.location(key)

    def __reduce__(self) -> tuple[Any, ...]:
        if not self._arguments:
            raise TypeError(f"{type(self).__name__} lives in this process only and does not pickle")
        return _remade, (type(self), self._arguments)

    def __repr__(self) -> str:
        return display.line(type(self).__name__, **masked(self._arguments))


class MemoryStore(ObjectStore):
    """Objects in this process's memory: for tests and small things."""

    def __init__(self) -> None:
        super().__init__(_core.memory_store())


class FolderStore(ObjectStore):
    """Files under a folder; written beside their place, synced, then renamed into it. No key leads out of it.

    Args:
        path: The folder; made if it is absent.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        from os import fspath

        name = fspath(path)
        super().__init__(_core.folder_store(name), path=name)

    def with_bucket(self, bucket: str) -> FolderStore:
        """The subfolder of that name."""
        made = FolderStore.__new__(FolderStore)
        ObjectStore.__init__(
            made, self._native.with_bucket(bucket), path=f"{self._arguments['path']}/{bucket}"
        )
        return made


class PythonStore(ObjectStore):
    """A store over a class of yours; ``user`` is it."""

    def __init__(self, user: StoreProtocol) -> None:
        super().__init__(_core.python_store(user), user=user)
        self.user = user


class S3Store(ObjectStore):
    """A bucket of S3, or of whatever speaks it.

    Makes no request until it is used. Whatever is not given comes from the environment, then the profile,
    then
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
        sign_payload: auto, always, never.
        checksum: auto, none, or an algorithm.
        part_bytes: Of a multipart upload; doubles every 1,000 parts where the length is unknown.
        max_parts_in_flight: Part size x this is what an upload holds.
        token: Write the token that settles a lost answer.
        reap: Abort uploads that a lost answer to Create may have left.
        client: A penstock.Client; else the process's.
    Source:
        Amazon S3 API Reference; the provider table of docs/.
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
        sign_payload: str = "auto",
        checksum: str = "auto",
        part_bytes: Size = "8MiB",
        max_parts_in_flight: int = 4,
        token: bool = True,
        reap: bool = False,
        client: Client | None = None,
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


def native_store(store: ObjectStore | StoreProtocol) -> _core.Store:
    """What the core writes to for a store of ours, sync or async, or a class of a user."""
    native = getattr(store, "_native", None)
    if isinstance(native, _core.Store):
        return native
    if isinstance(store, StoreProtocol):
        return _core.python_store(store)
    raise TypeError(
        f"not a store: {type(store).__name__}; see penstock.stores.StoreProtocol for what one has"
    )


def write_options(options: dict[str, Any]) -> dict[str, Any]:
    """Checked and with plain numbers, as the core takes them."""
    if unknown := options.keys() - WRITE_OPTIONS:
        raise TypeError(
            f"no such option: {', '.join(sorted(unknown))}; there are {', '.join(sorted(WRITE_OPTIONS))}"
        )
    if options.get("mode", "overwrite") not in {"overwrite", "create"}:
        raise ValueError(f"mode is 'overwrite' or 'create' (or give if_match=), not {options['mode']!r}")
    sizes = {
        name: size(options[name]) for name in ("length", "length_hint", "part_bytes") if options.get(name)
    }
    return {**options, **sizes}


def as_tuple(asked: Range | None) -> tuple[int | None, int | None, int | None] | None:
    """A range as the core takes it."""
    return None if asked is None else (asked.first, asked.last, asked.suffix)


def pairs(fields: Mapping[str, str] | Iterable[tuple[str, str]] | None) -> list[tuple[str, str]]:
    """Fields of a dict, or pairs where a name repeats."""
    if fields is None:
        return []
    items = fields.items() if hasattr(fields, "items") else fields
    return [(str(name), str(value)) for name, value in items]


def masked(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments fit for a repr."""
    secret = {"secret_access_key", "session_token", "access_key_id"}
    shown = {
        name: _core.mask(value) if name in secret and value else value for name, value in arguments.items()
    }
    if "credentials" in shown:
        shown["credentials"] = "given"
    return shown


def _s3_options(arguments: dict[str, Any]) -> dict[str, Any]:
    options = dict(arguments)
    if "part_bytes" in options:
        options["part_bytes"] = size(options["part_bytes"])
    if options.get("client") is not None:
        options["client"] = options["client"]._native
    return options


def _remade(cls: type[ObjectStore], arguments: dict[str, Any]) -> ObjectStore:
    return cls(**arguments)
