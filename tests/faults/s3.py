"""A bucket that does as it is told: right enough to be uploaded to, wrong exactly where scripted.

`s3.on("CompleteUpload", lost)` makes the next CompleteUpload go wrong; later ones are honest again. It checks
no signatures (versitygw and MinIO do that). `s3.operations` lists what was asked, in order.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import uuid
import xml.etree.ElementTree as xml
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote
from xml.sax.saxutils import escape

from faults.origin import whole_or_range
from faults.wire import Answer, Request, Wire

Do = Callable[[], Answer]  # performs the operation as a correct server would
Fault = Callable[[Request, Do], Answer]
XML = [("Content-Type", "application/xml")]
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
STORED_HEADERS = ("content-type", "content-encoding", "cache-control", "content-disposition")


@dataclass
class Stored:
    body: bytes
    etag: str
    headers: list[tuple[str, str]]


@dataclass
class Upload:
    bucket: str
    key: str
    headers: list[tuple[str, str]]
    parts: dict[int, Stored] = field(default_factory=dict)


OF_BUCKET_BY_QUERY = {"uploads": "ListUploads", "delete": "DeleteObjects"}
OF_BUCKET = {"HEAD": "HeadBucket", "PUT": "CreateBucket", "GET": "ListObjects"}
OF_UPLOAD = {"PUT": "UploadPart", "POST": "CompleteUpload", "DELETE": "AbortUpload", "GET": "ListParts"}
OF_OBJECT = {
    "PUT": "PutObject",
    "GET": "GetObject",
    "HEAD": "HeadObject",
    "DELETE": "DeleteObject",
    "POST": "CreateUpload",
}
OPERATIONS = {
    *OF_BUCKET_BY_QUERY.values(),
    *OF_BUCKET.values(),
    *OF_UPLOAD.values(),
    *OF_OBJECT.values(),
    "CopyObject",
    "CopyPart",
    "GetTagging",
}


def operation_of(request: Request) -> str:
    """The S3 name of a request, from its method, its query and whether it names a key."""
    query, has_key = request.query, len(request.path.strip("/").split("/", 1)) > 1
    if not has_key:
        named = [OF_BUCKET_BY_QUERY[name] for name in query if name in OF_BUCKET_BY_QUERY]
        return named[0] if named else OF_BUCKET.get(request.method, "Unknown")
    if "tagging" in query:
        return "GetTagging"
    if request.method == "PUT" and request.header("x-amz-copy-source"):
        return "CopyPart" if "uploadId" in query else "CopyObject"
    return (OF_UPLOAD if "uploadId" in query else OF_OBJECT)[request.method]


def known(operation: str) -> str:
    if operation not in OPERATIONS:
        raise ValueError(
            f"{operation} is no operation of ScriptedS3; it knows {', '.join(sorted(OPERATIONS))}"
        )
    return operation


def error(status: int, code: str, *headers: tuple[str, str], extra: str = "", message: str = "") -> Answer:
    body = f"<Error><Code>{code}</Code><Message>{escape(message or code)}</Message>{extra}</Error>"
    return Answer(status, [*XML, ("x-amz-request-id", "REQUEST1"), *headers], body.encode())


class ScriptedS3(Wire):
    """One server with any number of buckets; every bucket exists."""

    keep_bytes = 64 * 1024 * 1024

    def __init__(self, server: str = "VERSITYGW") -> None:
        super().__init__()
        self.server = server
        self.objects: dict[tuple[str, str], Stored] = {}
        self.uploads: dict[str, Upload] = {}
        self.operations: list[str] = []
        self._state = threading.RLock()
        self._faults: dict[str, deque[Fault | None]] = defaultdict(deque)
        self._early: dict[str, deque[Answer]] = defaultdict(deque)

    def on(self, operation: str, *faults: Fault | None) -> None:
        """The next calls of `operation` meet these faults, in order; None is an honest answer."""
        self._faults[known(operation)].extend(faults)

    def on_head(self, operation: str, *answers: Answer) -> None:
        """The next calls are answered before their body is read."""
        self._early[known(operation)].extend(answers)

    def asked(self, operation: str) -> list[Request]:
        return [r for r in self.requests if operation_of(r) == known(operation)]

    def answer_to_head(self, request: Request) -> Answer | None:
        with self._state:
            waiting = self._early[operation_of(request)]
            return self._signed(waiting.popleft()) if waiting else None

    def answer(self, request: Request) -> Answer:
        operation = operation_of(request)
        body, request.body = request.body, b""
        with self._state:
            self.operations.append(operation)
            waiting = self._faults[operation]
            fault = waiting.popleft() if waiting else None

        def do() -> Answer:
            with self._state:
                return self._perform(operation, request, body)

        return self._signed(fault(request, do) if fault else do())

    def _signed(self, answer: Answer) -> Answer:
        answer.headers = [*answer.headers, ("Server", self.server)]
        return answer

    def _perform(self, operation: str, request: Request, body: bytes) -> Answer:
        bucket = request.path.split("/")[1]
        place = (bucket, request.path.removeprefix(f"/{bucket}/"))
        match operation:
            case "PutObject":
                return self._put(place, request, body)
            case "GetObject" | "HeadObject":
                return self._get(place, request)
            case "DeleteObject":
                self.objects.pop(place, None)
                return Answer(204)
            case "CreateUpload":
                return self._create(place, request)
            case "CopyObject":
                return self._copy(place, request)
            case "GetTagging":
                return _document("Tagging", "<TagSet><Tag><Key>color</Key><Value>red</Value></Tag></TagSet>")
            case "UploadPart" | "CopyPart" | "CompleteUpload" | "AbortUpload" | "ListParts":
                return self._on_upload(operation, place, request, body)
            case "ListUploads":
                return self._list_uploads(bucket)
            case "ListObjects":
                return self._list(bucket, request.query.get("prefix", ""))
            case "DeleteObjects":
                return self._delete_many(bucket, body)
            case _:
                return Answer(200)

    def _put(self, place: tuple[str, str], request: Request, body: bytes) -> Answer:
        if refusal := self._condition(place, request):
            return refusal
        stored = Stored(body, f'"{hashlib.md5(body).hexdigest()}"', _kept(request))
        self.objects[place] = stored
        return Answer(200, [("ETag", stored.etag), *_checksums(request)])

    def _condition(self, place: tuple[str, str], request: Request) -> Answer | None:
        there = self.objects.get(place)
        if request.header("if-none-match") == "*" and there:
            return error(412, "PreconditionFailed")
        wanted = request.header("if-match")
        if wanted and not there:
            return error(404, "NoSuchKey")
        return error(412, "PreconditionFailed") if wanted and there and there.etag != wanted else None

    def _get(self, place: tuple[str, str], request: Request) -> Answer:
        stored = self.objects.get(place)
        if stored is None:
            return error(404, "NoSuchKey")
        dated = ("Last-Modified", "Sat, 01 Nov 2025 00:00:00 GMT")
        return whole_or_range(
            request, stored.body, [*stored.headers, ("ETag", stored.etag), dated], stored.etag
        )

    def _source(self, request: Request) -> Stored | Answer:
        """What a copy reads, or why it may not."""
        name = unquote(request.header("x-amz-copy-source").partition("?")[0]).lstrip("/")
        bucket, _, key = name.partition("/")
        stored = self.objects.get((bucket, key))
        if stored is None:
            return error(404, "NoSuchKey")
        wanted = request.header("x-amz-copy-source-if-match")
        return error(412, "PreconditionFailed") if wanted and wanted != stored.etag else stored

    def _copy(self, place: tuple[str, str], request: Request) -> Answer:
        source = self._source(request)
        if isinstance(source, Answer):
            return source
        self.objects[place] = Stored(source.body, source.etag, _kept(request))
        return _document("CopyObjectResult", f"<ETag>{escape(source.etag)}</ETag>")

    def _copy_part(self, upload: Upload, request: Request) -> Answer:
        source = self._source(request)
        if isinstance(source, Answer):
            return source
        first, last = 0, len(source.body) - 1
        if span := request.header("x-amz-copy-source-range"):
            first, last = map(int, span.removeprefix("bytes=").split("-"))
        body = source.body[first : last + 1]
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        upload.parts[int(request.query["partNumber"])] = Stored(body, etag, [])
        return _document("CopyPartResult", f"<ETag>{escape(etag)}</ETag>")

    def _create(self, place: tuple[str, str], request: Request) -> Answer:
        upload_id = uuid.uuid4().hex
        self.uploads[upload_id] = Upload(*place, headers=_kept(request))
        inner = f"<Bucket>{place[0]}</Bucket><Key>{escape(place[1])}</Key><UploadId>{upload_id}</UploadId>"
        return _document("InitiateMultipartUploadResult", inner)

    def _on_upload(self, operation: str, place: tuple[str, str], request: Request, body: bytes) -> Answer:
        upload_id = request.query["uploadId"]
        upload = self.uploads.get(upload_id)
        if upload is None:
            return error(404, "NoSuchUpload")
        if operation == "UploadPart":
            etag = f'"{hashlib.md5(body).hexdigest()}"'
            upload.parts[int(request.query["partNumber"])] = Stored(body, etag, [])
            return Answer(200, [("ETag", etag), *_checksums(request)])
        if operation == "CopyPart":
            return self._copy_part(upload, request)
        if operation == "ListParts":
            return self._list_parts(upload)
        if operation == "AbortUpload":
            del self.uploads[upload_id]
            return Answer(204)
        return self._complete(upload_id, upload, place, request, body)

    def _complete(
        self, upload_id: str, upload: Upload, place: tuple[str, str], request: Request, body: bytes
    ) -> Answer:
        if refusal := self._condition(place, request):
            return refusal
        numbers = [int(e.text or "") for e in xml.fromstring(body).iter() if e.tag.endswith("PartNumber")]
        if not numbers or any(number not in upload.parts for number in numbers):
            return error(400, "InvalidPart")
        whole = b"".join(upload.parts[number].body for number in numbers)
        etag = f'"{hashlib.md5(whole).hexdigest()}-{len(numbers)}"'
        self.objects[place] = Stored(whole, etag, upload.headers)
        del self.uploads[upload_id]
        return _document("CompleteMultipartUploadResult", f"<ETag>{escape(etag)}</ETag>")

    def _list_parts(self, upload: Upload) -> Answer:
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(part.etag)}</ETag>"
            f"<Size>{len(part.body)}</Size></Part>"
            for number, part in sorted(upload.parts.items())
        )
        return _document("ListPartsResult", f"<IsTruncated>false</IsTruncated>{parts}")

    def _list_uploads(self, bucket: str) -> Answer:
        listed = "".join(
            f"<Upload><Key>{escape(u.key)}</Key><UploadId>{upload_id}</UploadId>"
            "<Initiated>2025-11-01T00:00:00.000Z</Initiated></Upload>"
            for upload_id, u in self.uploads.items()
            if u.bucket == bucket
        )
        return _document("ListMultipartUploadsResult", f"<IsTruncated>false</IsTruncated>{listed}")

    def _list(self, bucket: str, prefix: str) -> Answer:
        keys = sorted(key for b, key in self.objects if b == bucket and key.startswith(prefix))
        return listing(keys)

    def _delete_many(self, bucket: str, body: bytes) -> Answer:
        for element in xml.fromstring(body).iter():
            if element.tag.endswith("Key"):
                self.objects.pop((bucket, element.text or ""), None)
        return _document("DeleteResult", "")


def listing(keys: list[str], token: str = "", size: int = 1) -> Answer:
    """One page of ListObjectsV2; with a token, more pages follow. Keys are sent raw, whatever was asked."""
    contents = "".join(
        f"<Contents><Key>{escape(key)}</Key><LastModified>2025-11-01T00:00:00.000Z</LastModified>"
        f"<ETag>&quot;e&quot;</ETag><Size>{size}</Size></Contents>"
        for key in keys
    )
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
    return _document("ListBucketResult", (more if token else "<IsTruncated>false</IsTruncated>") + contents)


def _document(name: str, inner: str) -> Answer:
    return Answer(200, list(XML), f'<?xml version="1.0"?><{name} {NAMESPACE}>{inner}</{name}>'.encode())


def _kept(request: Request) -> list[tuple[str, str]]:
    return [(n, v) for n, v in request.headers if n in STORED_HEADERS or n.startswith("x-amz-meta-")]


def _checksums(request: Request) -> list[tuple[str, str]]:
    return [(n, v) for n, v in request.headers if n.startswith("x-amz-checksum-") and _is_base64(v)]


def _is_base64(value: str) -> bool:
    return base64.b64encode(base64.b64decode(value + "=" * (-len(value) % 4))).decode() == value


# --- Faults ---


def instead(answer: Answer) -> Fault:
    """Answers without doing anything."""
    return lambda _request, _do: Answer(**vars(answer))


def lost(_request: Request, do: Do) -> Answer:
    """Does it, and loses the answer."""
    do()
    return Answer(silent=True, then="reset")


def undone_lost(_request: Request, _do: Do) -> Answer:
    """Loses the request: nothing was done, nothing is said."""
    return Answer(silent=True, then="reset")


def late(seconds: float) -> Fault:
    def fault(_request: Request, do: Do) -> Answer:
        answer = do()
        answer.delay = seconds
        return answer

    return fault


def without(header: str) -> Fault:
    def fault(_request: Request, do: Do) -> Answer:
        answer = do()
        answer.headers = [h for h in answer.headers if h[0].lower() != header.lower()]
        return answer

    return fault
