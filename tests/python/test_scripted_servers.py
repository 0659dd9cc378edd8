"""The scripted servers are honest until told otherwise: an independent client gets on with them."""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
import urllib.request
from contextlib import closing

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from faults.origin import FileOrigin, chunked, cut
from faults.s3 import ScriptedS3, error, instead, lost
from faults.wire import Answer

CONTENT = os.urandom(300_000)


def get(origin: FileOrigin, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    wanted = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(http.client.HTTPConnection("127.0.0.1", origin.port, timeout=30)) as connection:
        connection.request("GET", "/f", headers=wanted)
        with closing(connection.getresponse()) as response:
            return response, response.read()


def judge(s3: ScriptedS3):
    return boto3.client(
        "s3",
        endpoint_url=s3.url,
        region_name="us-east-1",
        aws_access_key_id="k",
        aws_secret_access_key="s",
        config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}),
    )


def test_an_origin_serves_the_whole_and_any_range():
    with FileOrigin(CONTENT) as origin:
        assert get(origin)[1] == CONTENT
        response, body = get(origin, Range="bytes=100-199", If_Range=origin.etag)
        assert (response.status, body) == (206, CONTENT[100:200])
        assert response.headers["Content-Range"] == "bytes 100-199/300000"
        assert get(origin, Range="bytes=100-199", If_Range='"other"')[0].status == 200
        assert get(origin, Range="bytes=100-", If_Match='"other"')[0].status == 412
        assert get(origin, Range="bytes=300000-")[0].status == 416


def test_a_cut_origin_breaks_where_told_and_then_is_honest():
    with FileOrigin(CONTENT, script=[cut(1000), chunked]) as origin:
        with pytest.raises(http.client.IncompleteRead) as broken:
            get(origin)
        assert broken.value.partial == CONTENT[:1000]
        assert get(origin)[0].headers["Transfer-Encoding"] == "chunked"
        assert get(origin)[1] == CONTENT
        assert origin.connections == 3


def test_a_reset_is_a_reset():
    broken = (ConnectionResetError, http.client.IncompleteRead)
    with FileOrigin(CONTENT, script=[cut(10, "reset")]) as origin, pytest.raises(broken):
        get(origin)


def test_a_scripted_bucket_keeps_what_boto3_uploads_in_parts():
    body = os.urandom(6 * 2**20)
    with ScriptedS3() as s3:
        client = judge(s3)
        upload = client.create_multipart_upload(Bucket="b", Key="k/ä")["UploadId"]
        pieces = {1: body[: 5 * 2**20], 2: body[5 * 2**20 :]}
        place = {"Bucket": "b", "Key": "k/ä", "UploadId": upload}
        parts = [
            {"PartNumber": number, "ETag": client.upload_part(**place, PartNumber=number, Body=piece)["ETag"]}
            for number, piece in pieces.items()
        ]
        client.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
        assert client.get_object(Bucket="b", Key="k/ä")["Body"].read() == body
        assert s3.asked("UploadPart")[1].body_sha256 != hashlib.sha256(b"").hexdigest()
        assert s3.operations == ["CreateUpload", "UploadPart", "UploadPart", "CompleteUpload", "GetObject"]
        assert not s3.uploads


def test_a_scripted_fault_happens_once():
    with ScriptedS3() as s3:
        s3.on("PutObject", instead(error(503, "SlowDown")))
        client = judge(s3)
        with pytest.raises(ClientError, match="SlowDown"):
            client.put_object(Bucket="b", Key="k", Body=b"x")
        client.put_object(Bucket="b", Key="k", Body=b"x")
        assert s3.objects["b", "k"].body == b"x"


def test_a_script_for_no_operation_is_a_mistake():
    with ScriptedS3() as s3, pytest.raises(ValueError, match="CompleteMultipartUpload is no operation"):
        s3.on("CompleteMultipartUpload", lost)


def test_a_lost_answer_leaves_the_deed_done():
    with ScriptedS3() as s3:
        s3.on("PutObject", lost)
        request = b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"
        with socket.create_connection(("127.0.0.1", s3.port), timeout=30) as connection:
            connection.sendall(request)
            with pytest.raises(ConnectionResetError):
                connection.recv(1)
        assert s3.objects["b", "k"].body == b"x"


def test_an_answer_to_the_head_leaves_the_body_unread():
    with ScriptedS3() as s3:
        s3.on_head("PutObject", Answer(503))
        with socket.create_connection(("127.0.0.1", s3.port), timeout=30) as connection:
            connection.sendall(b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 503")
        assert not s3.objects


def test_nginx_serves_a_range_of_a_file(web):
    (web.root / "f").write_bytes(CONTENT)
    request = urllib.request.Request(f"{web.url}/f", headers={"Range": "bytes=5-8"})
    with urllib.request.urlopen(request) as response:
        assert (response.status, response.read()) == (206, CONTENT[5:9])


def test_each_real_server_stores_and_lists(bucket):
    bucket.server.judge.put_object(Bucket=bucket.name, Key="a/b", Body=b"here")
    assert bucket.keys() == ["a/b"]
    assert bucket.body("a/b") == b"here"
    assert bucket.open_uploads("a/b") == []
