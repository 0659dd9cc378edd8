"""A bucket through an object with boto3's methods: what tests and programs put in place of the core's client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.errors import Denied, NotFound
from penstock.objects import ObjectMeta

if TYPE_CHECKING:
    from collections.abc import Iterator

_PART_BYTES = 8 << 20


class Boto3Store:
    """A StoreProtocol over ``put_object`` and the four of multipart uploads. Writing is unconditional.

    Memory: two parts of 8 MiB a writer, and what one write brings.
    """

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def find(self, key: str) -> ObjectMeta | None:
        """By ``head_object``."""
        try:
            head = self._client.head_object(Bucket=self._bucket, Key=key)
        except Exception as error:
            if _is_missing(error):
                return None
            if _code(error) in ("403", "AccessDenied"):
                raise Denied(f"may not look at the object {key!r}: {error}", subject=key) from error
            raise
        return ObjectMeta(
            key=key,
            bytes=int(head.get("ContentLength", 0)),
            etag=str(head.get("ETag", "")),
            content_type=str(head.get("ContentType", "")),
            metadata=dict(head.get("Metadata", {})),
        )

    def get(self, key: str, *, range: Any = (None, None, None), if_match: str = "") -> Any:
        """By ``get_object``; whole objects only."""
        try:
            return self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
        except Exception as error:
            if _is_missing(error):
                raise NotFound(f"no object {key!r}", subject=key) from error
            raise

    def open_writer(self, key: str, **options: Any) -> _Writer:
        """An object in parts of 8 MiB, or in one request if it is smaller."""
        return _Writer(self._client, {"Bucket": self._bucket, "Key": key}, options)

    def list(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectMeta]:
        """By ``list_objects_v2``."""
        token: dict[str, str] = {"StartAfter": start_after} if start_after else {}
        while True:
            page = self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix, **token)
            for found in page.get("Contents", ()):
                yield ObjectMeta(key=found["Key"], bytes=int(found["Size"]), etag=found.get("ETag", ""))
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def remove(self, key: str, *, if_match: str = "") -> None:
        """By ``delete_object``."""
        self._client.delete_object(Bucket=self._bucket, Key=key)

    def location(self, key: str) -> str:
        """For people."""
        return f"s3://{self._bucket}/{key}"


class _Writer:
    def __init__(self, client: Any, at: dict[str, str], options: dict[str, Any]) -> None:
        self._client, self._at = client, at
        self._attributes: dict[str, Any] = {}
        if options.get("content_type"):
            self._attributes["ContentType"] = options["content_type"]
        if options.get("metadata"):
            self._attributes["Metadata"] = dict(options["metadata"])
        self._part = bytearray()
        self._upload_id: str | None = None
        self._parts: list[dict[str, Any]] = []

    def write(self, data: memoryview) -> None:
        self._part += data
        while len(self._part) >= _PART_BYTES:
            self._send(self._first_part())
            del self._part[:_PART_BYTES]

    def _first_part(self) -> bytes:
        with memoryview(self._part) as part, part[:_PART_BYTES] as first:
            return bytes(first)

    def finish(self) -> dict[str, str]:
        if self._upload_id is None:
            answer = self._client.put_object(Body=bytes(self._part), **self._at, **self._attributes)
        else:
            if self._part:
                self._send(bytes(self._part))
            answer = self._client.complete_multipart_upload(
                UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}, **self._at
            )
            self._upload_id = None
        return {"etag": str(answer.get("ETag", "")) if isinstance(answer, dict) else ""}

    def abort(self, why: str) -> None:
        if self._upload_id is not None:
            upload_id, self._upload_id = self._upload_id, None
            self._client.abort_multipart_upload(UploadId=upload_id, **self._at)

    def _send(self, body: bytes) -> None:
        if self._upload_id is None:
            made = self._client.create_multipart_upload(**self._at, **self._attributes)
            self._upload_id = made["UploadId"]
        number = len(self._parts) + 1
        answer = self._client.upload_part(Body=body, PartNumber=number, UploadId=self._upload_id, **self._at)
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})


def _is_missing(error: Exception) -> bool:
    return _code(error) in ("404", "NoSuchKey", "NotFound")


def _code(error: Exception) -> str | None:
    """What botocore's ClientError says."""
    response = getattr(error, "response", None)
    return response.get("Error", {}).get("Code") if isinstance(response, dict) else None
