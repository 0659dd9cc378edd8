"""A web server with one file on it, whose answers follow a script.

`FileOrigin(content, script=[...])` answers the n-th request with the n-th fault, and honestly after that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace

from faults.wire import Answer, Request, Wire

Fault = Callable[[Answer], Answer]


def strong_etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def whole_or_range(request: Request, content: bytes, headers: list[tuple[str, str]], etag: str) -> Answer:
    """A correct server's answer: 206 to a range whose validator holds, 412 or 416 where due, else 200."""
    validator = request.header("if-match") or request.header("if-range")
    if request.header("if-match") not in ("", etag, "*"):
        return Answer(412, headers)
    asked = request.range
    if asked is None or (validator and validator != etag):
        return Answer(200, headers, content)
    first, last = asked
    last = min(len(content) - 1, last if last is not None else len(content) - 1)
    if first >= len(content):
        return Answer(416, [*headers, ("Content-Range", f"bytes */{len(content)}")])
    span = ("Content-Range", f"bytes {first}-{last}/{len(content)}")
    return Answer(206, [*headers, span], content[first : last + 1])


class FileOrigin(Wire):
    """Serves `content` at any path. `content` and `etag` may be changed between requests."""

    def __init__(
        self, content: bytes, *, script: Iterable[Fault] = (), etag: str | None = None, ranges: bool = True
    ) -> None:
        super().__init__()
        self.content = content
        self.etag = strong_etag(content) if etag is None else etag
        self.ranges = ranges
        self.headers: list[tuple[str, str]] = [("Content-Type", "application/x-test")]
        self._script = iter(script)

    def answer(self, request: Request) -> Answer:
        headers = [*self.headers, *([("ETag", self.etag)] if self.etag else [])]
        if self.ranges:
            honest = whole_or_range(request, self.content, headers, self.etag)
        else:
            honest = Answer(200, headers, self.content)
        with self._lock:
            fault = next(self._script, None)
        return fault(honest) if fault else honest

    @property
    def file_url(self) -> str:
        return f"{self.url}/data/file.bin"


def cut(at: int, then: str = "close") -> Fault:
    """The body breaks after `at` bytes of this answer; an answer that is shorter goes through."""
    return lambda answer: replace(answer, cut=at, then=then) if at < len(answer.body) else answer


def honest(answer: Answer) -> Answer:
    return answer


def status(code: int, *headers: tuple[str, str], body: bytes = b"") -> Fault:
    return lambda _: Answer(code, list(headers), body)


def chunked(answer: Answer) -> Answer:
    return replace(answer, framing="chunked")


def unframed(answer: Answer) -> Answer:
    return replace(answer, framing="none")


def with_headers(*headers: tuple[str, str]) -> Fault:
    """Adds headers, replacing those of the same name."""
    names = {name.lower() for name, _ in headers}
    return lambda a: replace(a, headers=[h for h in a.headers if h[0].lower() not in names] + list(headers))


def both(*faults: Fault) -> Fault:
    def apply(answer: Answer) -> Answer:
        for fault in faults:
            answer = fault(answer)
        return answer

    return apply
