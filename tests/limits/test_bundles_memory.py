"""What a bundle needs of memory and disk, however many resources it has and however long they are.

Processes that do nothing else, read from the kernel; the far end is the byte sink. PENSTOCK_TEST_FULL=1 has the
full sizes, else a tenth of them with the same ceilings, less what grows with the number.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from byte_sink import byte_sink
from faults.amounts import FULL

ROOT = Path(__file__).resolve().parents[2]
STORE = """
import asyncio, pathlib, resource, sys
import penstock


def store(url):
    return penstock.S3Store(
        "limits", endpoint=url, region="us-east-1", provider="versitygw", access_key_id="k", secret_access_key="s"
    )


def kib(field):
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition(field + ":")[2].split()[0])
"""
MANY = """
from penstock.bundles import BundleRef, FolderBundles, ObjectBundles

place, count = sys.argv[1], int(sys.argv[2])
storage = ObjectBundles(store(place)) if place.startswith("http:") else FolderBundles(place)
with storage.start(BundleRef("https://example.org/", count)) as bundle:
    for number in range(count):
        bundle.add(f"https://example.org/{number}", b"x" * 1024)
        if number + 1 == 1000:
            begin = kib("VmRSS")
        if number + 1 == count // 2:
            half = kib("VmRSS")
    full = kib("VmRSS")
receipt = bundle.receipt
assert (receipt.resources_stored, receipt.bytes) == (count, 1024 * count)
print(kib("VmHWM") - begin, full - half)
"""
MANY_ASYNC = """
from penstock.bundles import BundleRef, FetcherRecipe
from penstock.bundles.storage import FileStorage, PipelineStorage


class Nobody:
    async def publish_bundle_completion(self, *_):
        pass


async def body():
    yield b"x" * 1024


async def bundle(place, count):
    if place.startswith("http:"):
        storage = PipelineStorage("limits", Nobody(), prefix="many", endpoint_url=place)
        storage.s3_client = store(place)
    else:
        storage = FileStorage(place)
    ref = BundleRef("https://example.org/", count)
    context = await storage.start_bundle(ref, FetcherRecipe())
    left = iter(range(count))
    seen = {}

    async def lane():
        for number in left:
            await context.add_resource(f"https://example.org/{number}", None, 200, body())
            if number + 1 in (1000, count // 2):
                seen[number + 1] = kib("VmRSS")

    await asyncio.gather(*(lane() for _ in range(8)))
    full = kib("VmRSS")
    await context.complete({})
    assert (ref.receipt.resources_stored, ref.receipt.bytes) == (count, 1024 * count)
    uploads = context._completed_uploads
    assert (len(uploads), len(list(uploads))) == (count, 1000)
    print(kib("VmHWM") - seen[1000], full - seen[count // 2])


asyncio.run(bundle(sys.argv[1], int(sys.argv[2])))
"""
GZIP = """
sys.path.insert(0, sys.argv[3])
import gzipped
from penstock import aio
from penstock.bundles import BundleRef, FetcherRecipe
from penstock.bundles.storage import PipelineStorage, UnzipResourceDecorator

url, mebibytes, by = sys.argv[1], int(sys.argv[2]), sys.argv[4]
packed = 0


class Nobody:
    async def publish_bundle_completion(self, *_):
        pass


async def pieces():
    global packed
    for piece in gzipped.pieces(mebibytes):
        packed += len(piece)
        yield piece


async def bundle():
    storage = PipelineStorage("limits", Nobody(), prefix="gzip", endpoint_url=url)
    storage.s3_client = store(url)
    ref = BundleRef("https://example.org/", 1)
    if by == "decorator":
        storage = UnzipResourceDecorator(storage)
    context = await storage.start_bundle(ref, FetcherRecipe())
    begin = kib("VmRSS")
    if by == "decorator":
        await context.add_resource("https://example.org/table.csv.gz", "application/gzip", 200, pieces())
    else:
        await context.add_resource("https://example.org/table.csv", "text/csv", 200, aio.Gunzip(pieces()))
    await context.complete({})
    assert ref.receipt.bytes == mebibytes * 2**20
    print(ref.storage_key, kib("VmHWM") - begin, packed)


# From here no file of this process can grow by a byte, in $TMPDIR or anywhere.
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
asyncio.run(bundle())
"""
ZIPPED = """
from penstock.bundles import BundleRef, FetcherRecipe
from penstock.bundles.storage import BundleResourcesDecorator, FileStorage
from penstock.testing import fill

folder, small, mebibytes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
mebibyte = fill(2**20)  # nothing repeats within deflate's 32 KiB


async def long():
    for _ in range(mebibytes):
        yield mebibyte


async def bundle():
    begin = kib("VmRSS")
    storage = BundleResourcesDecorator(FileStorage(folder), spool_dir=folder)
    context = await storage.start_bundle(BundleRef("https://example.org/", 1), FetcherRecipe())
    if mebibytes:
        await context.add_resource("https://example.org/long", None, 200, long())
    for number in range(small):
        await context.add_resource(f"https://example.org/{number}", None, 200, b"%d" % number)
    await context.complete({})
    print(kib("VmHWM") - begin)


asyncio.run(bundle())
"""


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with byte_sink(tmp_path_factory.mktemp("sink")) as url:
        yield url


def printed(program: str, *arguments: object) -> list[str]:
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
    command = [sys.executable, "-c", STORE + program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.split()


@pytest.mark.parametrize("place", ["folder", "bucket"])
@pytest.mark.parametrize("program", [MANY, MANY_ASYNC], ids=["core", "storage"])
def test_memory_is_flat_over_the_resources_of_a_bundle(program: str, place: str, sink: str, tmp_path: Path):
    count = 100_000 if FULL else 10_000
    growth, of_half = printed(program, sink if place == "bucket" else tmp_path / "bundles", count)
    print(f"{growth} KiB from the 1,000th on, {of_half} KiB over the last half")
    # 8 MiB for 100,000; of a tenth: that of its 9,000 names and one part of the manifest, 5 MiB.
    assert int(growth) <= (8 if FULL else 6) * 1024
    # 16 bytes a name, and a table of them that doubles; 150 bytes kept of each would be 0.75 MiB of a tenth.
    assert int(of_half) <= (4096 if FULL else 768)


@pytest.mark.parametrize("by", ["gunzip", "decorator"])
def test_a_gzip_goes_through_into_a_bucket_without_memory_or_disk(by: str, sink: str):
    mebibytes = 2048 if FULL else 256
    storage_key, growth, packed = printed(GZIP, sink, mebibytes, ROOT / "bench/servers", by)
    assert 2.8 <= mebibytes * 2**20 / int(packed) <= 3.2
    with urllib.request.urlopen(f"{sink}/_taken") as answer:
        taken = json.load(answer)
    assert taken[f"limits/{storage_key}/table.csv"] == mebibytes * 2**20
    assert int(growth) <= 64 * 1024


@pytest.mark.parametrize(("small", "mebibytes"), [(70_000, 0), (1, 5 * 1024)], ids=["many", "long"])
def test_a_zip_of_many_members_or_of_a_long_one_is_read_by_others(small: int, mebibytes: int, tmp_path: Path):
    if not FULL:
        mebibytes //= 20
    (growth,) = printed(ZIPPED, tmp_path, small, mebibytes)
    assert int(growth) <= 64 * 1024
    (made,) = tmp_path.glob("bundle_*/bundle.zip")
    members = small + (1 if mebibytes else 0)
    with zipfile.ZipFile(made) as archive:
        assert len(archive.namelist()) == members
        assert (
            sum(info.file_size for info in archive.infolist() if info.filename == "long") == mebibytes * 2**20
        )
        assert archive.testzip() is None
    subprocess.run(["unzip", "-tq", str(made)], check=True, stdout=subprocess.DEVNULL)
    listed = subprocess.run(["bsdtar", "-tf", str(made)], check=True, capture_output=True, text=True).stdout
    assert listed.count("\n") == members
    # libarchive compares no CRC of a member it skips: all of them are read.
    read = subprocess.run(["bsdtar", "-xOf", str(made)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert (read.returncode, read.stderr) == (0, b"")
