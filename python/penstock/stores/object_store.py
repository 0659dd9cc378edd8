"""The verbs every store has, and what a class of yours must have to be one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from penstock import _core, display
from penstock.progress import reporter
from penstock.stores.options import customer_key, write_options
from penstock.streams import Positioned, Sink, Source, call, is_buffer, native_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from os import PathLike

    from penstock.objects import ObjectMeta, Range, Receipt, RemoveReport
    from penstock.progress import ProgressLike
    from penstock.stores.reader import ObjectReader
    from penstock.units import Span

LIST_PAGE = 256
"""Entries fetched at a time by an iteration; the far end is asked in its own pages, of 1,000 on S3."""


@runtime_checkable
class StoreProtocol(Protocol):
    """What a class of yours must have to be used wherever a store is taken.

    ``penstock.testing.StoreContract`` is the suite that tells whether it behaves. ``get`` returns anything
    source-like; ``range`` is ``(first, last, suffix)``, absent for the whole object. ``open_writer`` returns an
    object with ``write(buffer)`` (borrowed until return), ``finish()`` and ``abort(why)``; options are those of
    ``put``, absent ones are not passed. Length and expected digests are compared for you before ``finish()``.
    """

    def find(self, key: str) -> ObjectMeta | None: ...
    def get(self, key: str, *, range: Any = ..., if_match: str = ...) -> Any: ...
    def open_writer(self, key: str, **options: Any) -> Any: ...
    def list(self, prefix: str = "", *, start_after: str = "") -> Iterable[ObjectMeta]: ...
    def remove(self, key: str) -> None: ...


class Got(Positioned):
    """What both kinds of GetResult have."""

    _native: _core.ObjectSource
    _meta: ObjectMeta | None = None
    range: Range | None

    @property
    def meta(self) -> ObjectMeta:
        """What is known of the whole object, in the version that is read."""
        if self._meta is None:
            self._meta = self._native.meta()
        return self._meta


class GetResult(Got, Source):
    """An object being read, with its ``.meta``. Leaving the block early drops the connection."""

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
        sse_customer_key: bytes | str | None = None,
        deadline: Span | None = None,
    ) -> GetResult:
        """Open an object.

        Args:
            key: Its name.
            range: ``slice(0, 10)``, ``(first, last)`` both included, ``-n`` for the last n bytes, or a Range.
            if_match: Conflict unless the object has this ETag.
            version: A version id, where the store keeps versions.
            sse_customer_key: On S3, the key it was written with, unless the store has it.
            deadline: Of this call and of every read of the result.
        Raises:
            NotFound: It is not there.
        Memory:
            The connection's ring, at most 1 MiB. On S3, a range of up to 256 KiB is fetched whole before this
            returns, and held.

        >>> store = penstock.MemoryStore(); _ = store.put("k", b"0123456789")
        >>> store.get("k", range=slice(2, 5)).bytes()
        b'234'
        """
        from penstock.objects import Range, as_tuple  # late: ``import penstock`` is spared `dataclasses`

        asked = None if range is None else Range.of(range)
        secret = customer_key(sse_customer_key)
        result = GetResult._of(
            self._native.get(key, as_tuple(asked), if_match, version, secret, call(deadline))
        )
        result.range = asked
        return result

    def get_file(
        self,
        key: str,
        path: str | PathLike[str],
        *,
        lanes: int = 4,
        mode: str = "overwrite",
        if_match: str = "",
        version: str = "",
        sse_customer_key: bytes | str | None = None,
        progress: ProgressLike = None,
        deadline: Span | None = None,
    ) -> Receipt:
        """The object as a file, which is hidden until it is whole, compared and on the disk.

        Args:
            key: The object.
            path: Of the file; its folder must exist.
            lanes: Ranges of 8 MiB under way at once, from S3; each is resumed alone.
            mode: overwrite, or create: Conflict if something is there.
            if_match: Conflict unless the object has this ETag.
            version: A version id, where the store keeps versions.
            sse_customer_key: On S3, the key it was written with, unless the store has it.
            progress: True for a bar, or a callable that receives a Progress.
            deadline: Of the whole call.
        Returns:
            Receipt: ``location`` is the file's, ``etag`` and ``digests`` the object's.
        Raises:
            Conflict: The object was replaced meanwhile, code ``changed``: never a mixture of two.
            Corrupt: The bytes are not those that were stored.
        Memory:
            A ring and 256 KiB a lane.

        >>> store = penstock.MemoryStore(); _ = store.put("k", b"0123456789")
        >>> store.get_file("k", folder / "k").bytes
        10
        """
        from os import fspath

        with reporter(progress, key) as report:
            on, secret = call(deadline, report), customer_key(sse_customer_key)
            return self._native.get_file(key, fspath(path), if_match, version, secret, mode, lanes, on)

    def open_reader(
        self,
        key: str,
        *,
        if_match: str = "",
        version: str = "",
        sse_customer_key: bytes | str | None = None,
        deadline: Span | None = None,
    ) -> ObjectReader:
        """A binary file to read and seek in, for whatever wants one: zipfile, pandas, pyarrow.

        A seek costs nothing; the next read opens the object there. All reads are of one version: a replaced object
        is Conflict, code ``changed``.

        >>> store = penstock.MemoryStore(); _ = store.put("k", b"0123456789")
        >>> with store.open_reader("k") as reader:
        ...     _ = reader.seek(-4, 2)
        ...     reader.read(2), reader.tell()
        (b'67', 8)
        """
        from penstock.stores.reader import ObjectReader

        secret = customer_key(sse_customer_key)
        return ObjectReader(self._native.open_reader(key, if_match, version, secret, call(deadline)))

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
            data: A C-contiguous buffer (borrowed until return), a Path, a binary file (seekable means it can be
                sent again), an iterator of buffers, a source, a get() result. ``str`` is a TypeError.
            progress: True for a bar, or a callable that receives a Progress.
            deadline: Of the whole call.
            options: ``mode`` (overwrite, create), ``if_match``, ``length``, ``length_hint``, ``expected``
                ({algorithm: digest}, compared before anything is visible), ``content_type``,
                ``content_encoding``, ``content_disposition``, ``cache_control``, ``metadata``, ``tags``,
                ``storage_class``, ``sse``, ``kms_key_id``, ``sse_customer_key`` (32 bytes, or their base64),
                ``part_bytes``, ``max_parts_in_flight``, ``token``, ``spool_dir`` (a folder, or None for no file),
                ``relay`` (S3: no part is held where ``data`` has a length and can be read again; the receipt's
                ``mode_reason`` says why not. Parts are 32 MiB or the store's ``part_bytes``, and carry a checksum
                on AWS only).
        Returns:
            Receipt: ``bytes``, ``etag``, ``location``, ...
        Raises:
            Conflict: ``mode="create"`` and something is there, or another ETag than ``if_match``.
            Corrupt: Length or digest differ; nothing is visible.
            InDoubt: The publishing answer was lost and could not be settled.
        Memory:
            Parts in flight x part size (4 x 8 MiB) on S3, taken from the Budget, or 176 KiB with ``relay``,
            beside what ``data`` holds itself (an HTTP body at most 1.3 MiB); a borrowed buffer is not copied.

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

    def list_with_delimiter(
        self,
        prefix: str = "",
        *,
        delimiter: str = "/",
        start_after: str = "",
        deadline: Span | None = None,
    ) -> Iterator[ObjectMeta]:
        """One level of the keys, lazily: what lies deeper is one entry, with ``is_prefix``.

        >>> store = penstock.MemoryStore()
        >>> for key in ("a", "b/1", "b/2", "c"):
        ...     _ = store.put(key, b"")
        >>> [(meta.key, meta.is_prefix) for meta in store.list_with_delimiter()]
        [('a', False), ('b/', True), ('c', False)]
        """
        listing = self._native.list_with_delimiter(prefix, delimiter, start_after, call(deadline))
        while page := listing.page(LIST_PAGE):
            yield from page

    def remove(self, key: str, *, if_match: str = "", deadline: Span | None = None) -> None:
        """Remove it; absence is success."""
        self._native.remove(key, if_match, call(deadline))

    def remove_many(self, keys: Iterable[str], *, deadline: Span | None = None) -> RemoveReport:
        """Remove many; the report has what went wrong by key."""
        return self._native.remove_many([*keys], call(deadline))

    def copy(
        self,
        from_key: str,
        to_key: str,
        *,
        source: ObjectStore | StoreProtocol | None = None,
        deadline: Span | None = None,
        **options: Any,
    ) -> Receipt:
        """Copy an object with its attributes.

        On S3 the server does it, also between buckets that one endpoint and one set of credentials reach; above
        1 GiB, and under a condition, in parts. Otherwise the bytes pass through here.

        Args:
            from_key: What is copied.
            to_key: Where it appears, whole or not at all.
            source: Another store that ``from_key`` is in.
            deadline: Of the whole call.
            options: As for put(): what is given replaces the source's. ``from_version`` and ``from_if_match``
                say which version is meant. ``part_bytes``: copy what is larger in parts of this size.
        Raises:
            Conflict: Another version than ``from_if_match``, or one that changed meanwhile (code ``changed``);
                or ``mode="create"`` and something is at ``to_key``.

        >>> store = penstock.MemoryStore(); _ = store.put("a", b"body", content_type="text/plain")
        >>> _ = store.copy("a", "b")
        >>> store.head("b").content_type
        'text/plain'
        """
        native = self._native if source is None else native_store(source)
        return self._native.copy(from_key, to_key, native, write_options(options), call(deadline))

    def move(self, from_key: str, to_key: str, *, deadline: Span | None = None, **options: Any) -> Receipt:
        """Copy, look at the copy, remove. If the remove fails both stay, and the error says so.

        A source that somebody changes meanwhile stays, and is Conflict.

        >>> store = penstock.MemoryStore(); _ = store.put("a", b"body")
        >>> _ = store.move("a", "b")
        >>> store.exists("a"), store.exists("b")
        (False, True)
        """
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


class PythonStore(ObjectStore):
    """A store over a class of yours; ``user`` is it."""

    def __init__(self, user: StoreProtocol) -> None:
        super().__init__(_core.python_store(user), user=user)
        self.user = user


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


def masked(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments fit for a repr."""
    secret = {"secret_access_key", "session_token", "access_key_id"}
    if arguments.get("sse_customer_key"):
        arguments = {**arguments, "sse_customer_key": "given"}
    shown = {
        name: _core.mask(value) if name in secret and value else value for name, value in arguments.items()
    }
    if "credentials" in shown:
        shown["credentials"] = "given"
    return display.redacted(shown)


def _remade(cls: type[ObjectStore], arguments: dict[str, Any]) -> ObjectStore:
    return cls(**arguments)
