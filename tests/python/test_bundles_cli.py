"""penstock bundle as a person runs it: on a folder, and on a bucket of each real server."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import penstock
import pytest
from bundle_places import KEYS, S3, Folder, Hooks, Publisher, chunks, recipe, ref
from conftest import Bucket
from local_origin import wait_until
from penstock.bundles import BID, BundleRef, FolderBundles, ObjectBundles
from queues import TestQueue
from test_cli import command, run

MADE = "17571960-2065-e0cd-cf71-8196d8577b7e"


class Typed:
    """A place of bundles, what is typed to reach it, and its parts behind the command's back."""

    def __init__(self, place: Any) -> None:
        self.place = place
        self.storage: Any
        if place.kind == "file":
            self.storage = FolderBundles(place.path)
            self.store: Any = penstock.FolderStore(place.path)
            self.target, self.options = place.path.as_uri(), []
            self.root = f"bundle_{MADE}/"
            self.resources, self.manifest = self.root, self.root + "bundle.manifest.meta"
        else:
            self.store = penstock.S3Store(**place.bucket.options)
            self.storage = ObjectBundles(self.store, prefix="out")
            self.target = f"s3://{place.bucket.name}/out"
            self.options = ["--endpoint", place.bucket.server.url]
            self.root = f"out/bundles/{MADE}/"
            self.resources, self.manifest = self.root + "resources/", self.root + "manifest.jsonl"

    def make(self, bid: str = MADE) -> None:
        with self.storage.start(BundleRef("https://h/?token=SECRET", 2, BID(bid))) as bundle:
            bundle.add("https://h/a.txt?page=1", b"first", content_type="text/plain")
            bundle.add("https://h/a.txt?page=2", b"second", content_type="text/plain")

    def run(self, verb: str, *arguments: str) -> tuple[int, str, str]:
        return run("bundle", verb, self.target, *arguments, *self.options)


@pytest.fixture
def typed(place: Any) -> Typed:
    return Typed(place)


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_ls_lists_what_readers_may_trust(typed: Typed) -> None:
    typed.make()
    typed.make("custom-two")
    code, out, err = typed.run("ls")
    assert code == 0, err
    assert [line.split()[0] for line in out.splitlines()] == [MADE, "custom-two"]
    assert out.splitlines()[0].split()[2:] == ["2", "11", "bytes"]
    code, out, _ = typed.run("ls", "--json")
    assert [
        (entry["bid"], entry["state"], entry["resources_stored"], entry["bytes"]) for entry in objects(out)
    ] == [
        (MADE, "completed", 2, 11),
        ("custom-two", "completed", 2, 11),
    ]
    assert "SECRET" not in out


def test_ls_all_lists_what_is_under_way_too(typed: Typed) -> None:
    typed.make()
    bundle = typed.storage.start(BundleRef("u", 1, BID("custom-now")))
    bundle.add("https://h/a", b"x")
    assert "custom-now" not in typed.run("ls")[1]
    code, out, err = typed.run("ls", "--all", "--json")
    assert code == 0, err
    states = {(entry["bid"], entry["state"]) for entry in objects(out)}
    unfinished = {"claimed", "staged"} if typed.place.kind == "file" else {"unmarked"}
    assert states == {(MADE, "completed")} | {("custom-now", state) for state in unfinished}
    bundle.abort()


def test_show_has_the_document_and_every_line(typed: Typed) -> None:
    typed.make()
    code, out, err = typed.run("show", MADE)
    assert code == 0, err
    assert " a~f65da478.txt " in out
    assert "SECRET" not in out
    code, out, _ = typed.run("show", MADE, "--json")
    document, *lines = objects(out)
    assert document["bid"] == MADE
    assert [line["url"] for line in lines] == ["https://h/a.txt?page=1", "https://h/a.txt?page=2"]
    assert typed.run("show", "custom-none")[0] == 4


def test_verify_finds_nothing_in_what_was_published(typed: Typed) -> None:
    typed.make()
    typed.make("custom-two")
    code, out, err = typed.run("verify")
    assert (code, err) == (0, "")
    assert out.splitlines() == [f"{MADE}  whole", "custom-two  whole"]
    assert typed.run("verify", MADE, "--quiet")[:2] == (0, "")
    code, out, _ = typed.run("verify", "custom-two", "--json")
    assert objects(out) == [{"bid": "custom-two", "whole": True, "problems": 0}]


def test_verify_finds_each_kind_of_damage(typed: Typed) -> None:
    typed.make()
    typed.make("custom-two")
    manifest = bytes(typed.store.get(typed.manifest).bytes())
    for damage, words in [
        (lambda: typed.store.put(typed.resources + "a.txt", b"fIrst"), "SHA-256"),
        (lambda: typed.store.put(typed.resources + "a.txt", b"firs"), "has 4 bytes"),
        (lambda: typed.store.remove(typed.resources + "a.txt"), "is missing"),
        (lambda: typed.store.put(typed.root + "more", b""), "no part of the bundle"),
        (lambda: typed.store.put(typed.manifest, manifest[:-9]), "ends within a line"),
    ]:
        damage()
        code, out, err = typed.run("verify")
        assert code == 3, (words, out, err)
        assert words in err
        assert "custom-two  whole" in out
        typed.store.put(typed.resources + "a.txt", b"first")
        typed.store.remove(typed.root + "more")
        typed.store.put(typed.manifest, manifest)
    assert typed.run("verify")[0] == 0


def test_verify_refuses_a_name_that_leads_out(typed: Typed) -> None:
    typed.make()
    manifest = bytes(typed.store.get(typed.manifest).bytes())
    typed.store.put(typed.manifest, manifest.replace(b'"name":"a.txt"', b'"name":"../x"'))
    code, _, err = typed.run("verify", MADE)
    assert code == 2
    assert "no resource may have" in err
    assert typed.run("show", MADE)[0] == 2


def test_several_kinds_of_failure_are_1(typed: Typed) -> None:
    typed.make()
    typed.store.put(typed.resources + "a.txt", b"fIrst")
    assert typed.run("verify", MADE, "custom-none")[0] == 1
    assert typed.run("verify", "custom-none")[0] == 4


def test_ls_says_what_cannot_be_read_and_goes_on(tmp_path: Path) -> None:
    from bundle_places import Folder

    typed = Typed(Folder(tmp_path))
    typed.make()
    typed.make("custom-two")
    (tmp_path / f"bundle_{MADE}" / "bundle.meta").write_text("\x1b[2J")
    code, out, err = typed.run("ls")
    assert code == 3
    assert "custom-two" in out
    assert "\x1b" not in out + err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["ls", "absent"], 4),
        (["ls", "http://h/x"], 2),
        (["ls", "file://elsewhere/x"], 2),
        (["ls"], 2),
        (["ls", "s3://b/p", "--layout", "other"], 2),
        (["sweep", "absent"], 4),
        (["recover", "."], 2),
        (["nonsense", "."], 2),
    ],
)
def test_what_is_mistyped_has_its_exit_code(arguments: list[str], code: int) -> None:
    got, _, err = run("bundle", *arguments)
    assert got == code, err
    assert "Traceback" not in err


def test_a_server_that_is_not_there_is_5(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS["secret_access_key"])
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    code, _, err = run("bundle", "ls", "s3://bucket/p", "--endpoint", "http://127.0.0.1:9")
    assert code == 5, err


DIES = """
import os, sys
import penstock
from penstock.bundles import BID, BundleRef, FolderBundles
storage = FolderBundles(sys.argv[1])
bundle = storage.start(BundleRef("u", 1, BID("custom-dead")))
bundle.add("https://h/a", b"x")
os._exit(9)
"""


def test_sweep_moves_aside_what_a_dead_process_left(tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", DIES, str(tmp_path)]).returncode == 9
    assert (tmp_path / "bundle_custom-dead").is_dir()
    code, out, err = run("bundle", "sweep", str(tmp_path))
    assert (code, out) == (0, "swept 1\n"), err
    assert (tmp_path / "incomplete_custom-dead" / "a").read_bytes() == b"x"
    assert json.loads(run("bundle", "sweep", str(tmp_path), "--json")[1]) == {"swept": 0}
    (entry,) = objects(run("bundle", "ls", str(tmp_path), "--all", "--json")[1])
    assert entry["state"] == "quarantined"


def test_sweep_of_a_bucket_removes_nothing_that_is_not_a_day_old(s3_place: Any) -> None:
    typed = Typed(s3_place)
    typed.make("custom-done")
    bundle = typed.storage.start(BundleRef("u", 1, BID("custom-left")))
    bundle.add("https://h/a", b"x")
    bundle.abort("left")
    before = s3_place.bucket.keys()
    assert typed.run("sweep", "--delete")[:2] == (0, "swept 0\n")
    assert json.loads(typed.run("sweep", "--json")[1]) == {"swept": 0}
    assert s3_place.bucket.keys() == before


def not_told(place: Any) -> None:
    """A bundle that is published, and its record kept since telling failed."""

    async def publish() -> None:
        storage = place.storage(callback_errors="raise")
        storage.sqs_publisher = Publisher(failures=1)
        context = await storage.start_bundle(ref(), recipe(Hooks()))
        await context.add_resource("https://h/a", None, 200, chunks(b"x"))
        with pytest.raises(RuntimeError, match="the queue is down"):
            await context.complete({"m": 1})

    asyncio.run(publish())


def recovered(typed: Typed, *arguments: str) -> tuple[int, dict[str, int], str]:
    code, out, err = typed.run("recover", "--recipe", "fr", "--json", *arguments)
    return code, json.loads(out) if out else {}, err


def test_recover_tells_the_queue_and_leaves_hooks_to_their_program(
    typed: Typed, queue: TestQueue, monkeypatch: Any
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS["secret_access_key"])
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    not_told(typed.place)
    code, counts, err = recovered(typed)
    assert (code, counts["waiting"]) == (2, 1), err
    assert "give --queue-url" in err
    assert json.loads(typed.run("recover", "--recipe", "other", "--json")[1])["waiting"] == 0
    if typed.place.kind == "file":
        monkeypatch.setenv("OC_SQS_QUEUE_URL", queue.url)  # of programs with buckets
        assert recovered(typed)[1]["waiting"] == 1
        monkeypatch.delenv("OC_SQS_QUEUE_URL")
    assert recovered(typed, "--drop")[0] == 2
    for drop in ([], ["--drop"]):
        code, counts, err = recovered(typed, "--queue-url", queue.url, *drop)
        assert (code, counts["told"]) == (0, 1), err
        assert ("records stay" in err) == (drop == [])
        (message,) = queue.received()
        body = json.loads(message["Body"])
        assert (body["bundle_id"], body["recipe_id"], body["metadata"]) == ("custom-one", "fr", {"m": 1})
    code, counts, err = recovered(typed, "--queue-url", queue.url)
    assert (code, counts["told"], err) == (0, 0, "")


def test_a_queue_that_is_not_there_leaves_the_record(bucket: Bucket, monkeypatch: Any) -> None:
    typed = Typed(S3(bucket, monkeypatch))
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    not_told(typed.place)
    code, counts, err = recovered(typed, "--queue-url", "http://127.0.0.1:9/1/q", "--drop")
    assert (code, counts["failed"]) == (5, 1), err
    assert recovered(typed)[1]["waiting"] == 1


def test_a_record_that_names_no_marker_stops_no_other(tmp_path: Path) -> None:
    typed = Typed(Folder(tmp_path))
    not_told(typed.place)
    there = next((tmp_path / ".penstock/pending").rglob("*.json"))
    told = json.loads(there.read_text())
    told["bundle_ref"]["bid"] = "custom-a"
    del told["marker"]
    there.with_name("custom-a.json").write_text(json.dumps(told))
    there.with_name("custom-b.json").write_text("[]")
    code, counts, err = recovered(typed)
    assert (counts["malformed"], counts["waiting"]) == (2, 1), err
    assert code == 1


def test_what_an_error_quotes_is_not_obeyed_by_the_terminal(tmp_path: Path) -> None:
    code, _, err = run("bundle", "show", str(tmp_path), "custom-\x1b[2J")
    assert code != 0
    assert "\x1b" not in err


def test_ctrl_c_ends_a_verification_with_130(tmp_path: Path) -> None:
    with FolderBundles(tmp_path).start(BundleRef("u", 1, BID(MADE))) as bundle:
        bundle.add("https://h/a", b"x")
    data = tmp_path / f"bundle_{MADE}" / "a"
    with data.open("r+b") as file:
        file.truncate(2**40)  # a hole: hours of zeros
    child = command("bundle", "verify", str(tmp_path))
    assert wait_until(lambda: str(data) in opened(child.pid))
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (130, "interrupted\n")


def opened(pid: int) -> list[str]:
    files = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            files.append(str(fd.readlink()))
    return files
