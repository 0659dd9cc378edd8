"""S3 as a file system of fsspec, for pandas, pyarrow and whatever else opens URLs by it.

Needs the extra ``penstock[fsspec]``. The protocol is ``penstock``; register() gives it more.

>>> import fsspec
>>> with fsspec.open(f"penstock://{bucket}/dir/a.csv", "wt", **options) as file:
...     _ = file.write("id,name\\n1,one\\n")
>>> fs = fsspec.filesystem("penstock", **options)
>>> fs.find(bucket) == [f"{bucket}/dir/a.csv"], fs.cat(f"{bucket}/dir/a.csv")
(True, b'id,name\\n1,one\\n')
"""

from __future__ import annotations

try:
    import fsspec as _fsspec
except ModuleNotFoundError as error:
    if error.name != "fsspec":
        raise
    raise ModuleNotFoundError(
        "penstock.fsspec needs fsspec: pip install 'penstock[fsspec]'", name="fsspec"
    ) from error

from penstock.fsspec.files import ReadFile, WriteFile
from penstock.fsspec.system import FileSystem

__all__ = ["FileSystem", "ReadFile", "WriteFile", "register"]


def register(*protocols: str) -> None:
    """Have URLs of other protocols opened by penstock in this process, whatever opened them before.

    Args:
        protocols: ``penstock`` is always there; ``register("s3", "s3a")`` takes the place of s3fs.

    >>> penstock.fsspec.register("s3", "s3a")
    >>> fsspec.get_filesystem_class("s3") is penstock.fsspec.FileSystem
    True
    """
    for name in protocols:
        FileSystem.schemes |= {name}
        _fsspec.register_implementation(name, FileSystem, clobber=True)


register("penstock")
