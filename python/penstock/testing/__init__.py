"""What your own tests can stand on: the contract every store keeps, and small doubles.

>>> class TestMine(penstock.testing.StoreContract):
...     def make_store(self):
...         return penstock.MemoryStore()
>>> TestMine().run()  # or let pytest collect the class
"""

from penstock.testing.contract import StoreContract
from penstock.testing.doubles import BrokenSource, DictStore, SlowSource, fill
from penstock.testing.kv_contract import KeyValueContract
from penstock.testing.kv_doubles import DictKeyValueStore, ManualClock

__all__ = [
    "BrokenSource",
    "DictKeyValueStore",
    "DictStore",
    "KeyValueContract",
    "ManualClock",
    "SlowSource",
    "StoreContract",
    "fill",
]
