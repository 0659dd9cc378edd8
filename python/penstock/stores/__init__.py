"""Object stores: named objects that appear whole or not at all.

>>> store = penstock.MemoryStore()
>>> store.put("greeting", b"hello").bytes
5
>>> store.get("greeting").bytes()
b'hello'
>>> [meta.key for meta in store.list()]
['greeting']
"""

from penstock.stores.local import FolderStore, MemoryStore
from penstock.stores.object_store import GetResult, ObjectStore, PythonStore, StoreProtocol, native_store
from penstock.stores.s3 import S3Store

__all__ = [
    "FolderStore",
    "GetResult",
    "MemoryStore",
    "ObjectStore",
    "PythonStore",
    "S3Store",
    "StoreProtocol",
    "native_store",
]
