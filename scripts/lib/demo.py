"""The main job, shown: fetch URLs into a folder or a bucket, verified, and say what it took.

usage: scripts/demo [URL ...] [--to s3://bucket/prefix/]

Without a URL, nginx serves a generated file of 256 MiB on 127.0.0.1. S3 is reached as AWS tools do it:
AWS_ENDPOINT_URL, AWS_REGION, and credentials from the environment or ~/.aws.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import penstock

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/services"))
import nginx  # noqa: E402
import servers  # noqa: E402

FOLDER = ROOT / "demo-data"
MIB = 2**20
GENERATED_MIB = 256


def generate(file: Path) -> str:
    """Writes random bytes and returns their SHA-256."""
    digest = hashlib.sha256()
    with file.open("wb") as out:
        for _ in range(GENERATED_MIB):
            block = os.urandom(MIB)
            digest.update(block)
            out.write(block)
    return digest.hexdigest()


@contextlib.contextmanager
def local_origin() -> Iterator[tuple[str, str]]:
    """A URL on 127.0.0.1 and the digest of what is there."""
    with tempfile.TemporaryDirectory(prefix="penstock-demo-") as folder:
        print(f"generates {GENERATED_MIB} MiB of random bytes and serves them with nginx")
        sha256 = generate(Path(folder, "demo.bin"))
        with nginx.Nginx(Path(folder)) as server:
            yield f"{server.url}/demo.bin", sha256


def peak_rss_mib() -> float:
    """The process's high-water mark, as the kernel counts it."""
    line = next(li for li in Path("/proc/self/status").read_text().splitlines() if li.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def sha256sum(chunks: Iterable[bytes]) -> str:
    """What coreutils says of these bytes: not our code, not our OpenSSL."""
    program = shutil.which("sha256sum") or sys.exit("scripts/demo: sha256sum (coreutils) is missing.")
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        for chunk in chunks:
            process.stdin.write(chunk)
        process.stdin.close()
        return process.stdout.read().split()[0].decode()


def name_of(url: str) -> str:
    return Path(urlsplit(url).path).name or "index"


def fetch(url: str, to: str, sha256: str | None) -> bool:
    """Fetches one URL, reads it back through sha256sum, and says whether both digests agree."""
    print(f"fetches {url} into {to}")
    receipt = penstock.fetch(url, to, sha256=sha256, progress=sys.stderr.isatty())
    peak = peak_rss_mib()  # before the comparison reads it all again
    print(f"  receipt   {receipt}")
    print(f"  sha256    {receipt.sha256}")
    took = f"{receipt.bytes / MIB:.1f} MiB in {receipt.seconds:.2f} s"
    print(f"  rate      {receipt.rate / MIB:.0f} MiB/s ({took})")
    print(f"  peak RSS  {peak:.0f} MiB, Python included")
    with penstock.get(to) as back:
        judged = sha256sum(back)
    same = judged == receipt.sha256
    print(f"  sha256sum {judged}: {'the same' if same else 'DIFFERENT'}")
    return same


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__.splitlines()[0])
    parser.add_argument("urls", nargs="*", metavar="URL")
    parser.add_argument("--to", metavar="s3://bucket/prefix/", help="else ./demo-data/")
    arguments = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    target = (arguments.to or FOLDER.as_uri()).rstrip("/")
    with contextlib.ExitStack() as stack:
        wanted = [(url, None) for url in arguments.urls] or [stack.enter_context(local_origin())]
        same = [fetch(url, f"{target}/{name_of(url)}", sha256) for url, sha256 in wanted]
    return 0 if all(same) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (penstock.Error, servers.ServiceError) as error:
        sys.exit(f"scripts/demo: {error}")
