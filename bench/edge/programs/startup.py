"""Seconds that importing penstock and making a store take a process that did neither before; prints JSON."""

import json
import time

begun = time.perf_counter()
import penstock  # noqa: E402

imported = time.perf_counter()
penstock.S3Store("bucket")
made = time.perf_counter()
print(json.dumps({"import": imported - begun, "store": made - imported}))
