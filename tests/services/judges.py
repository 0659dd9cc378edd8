"""Which real servers judge what, and where those that run are."""

from __future__ import annotations

import os
from collections.abc import Mapping

from elasticmq import ElasticMq
from go_servers import Minio, Toxiproxy, Versitygw
from moto_server import Moto
from redis_server import Redis
from servers import Kind

VERSITYGW, MINIO, ELASTICMQ, MOTO, REDIS = Versitygw(), Minio(), ElasticMq(), Moto(), Redis()
TOXIPROXY = Toxiproxy()
KINDS = {kind.name: kind for kind in (VERSITYGW, MINIO, ELASTICMQ, MOTO, REDIS, TOXIPROXY)}
ROLES: Mapping[str, tuple[Kind, ...]] = {
    "s3": (VERSITYGW, MINIO),
    "sqs": (ELASTICMQ, MOTO),
    "redis": (REDIS,),
    "wire": (TOXIPROXY,),
}
STAND_INS: Mapping[str, list[Kind]] = {"s3": [MOTO], "sqs": [MOTO]}


def of(role: str) -> list[Kind]:
    """Those of the role that this machine has or can install; where it has none, the lenient one, if there is."""
    return [kind for kind in ROLES[role] if kind.available] or STAND_INS.get(role, [])


def missing() -> list[Kind]:
    """Those that this machine must do without."""
    return [kind for kind in KINDS.values() if not kind.available]


def everyone() -> list[Kind]:
    """Those of all roles, each once."""
    return list(dict.fromkeys(kind for role in ROLES for kind in of(role)))


def variable(role: str) -> str:
    """The environment variable that says where the judges of a role are: "name=url name=url"."""
    return f"PENSTOCK_TEST_{role.upper()}"


def running(role: str) -> dict[str, str]:
    """What the variable says, by name."""
    return {
        name: url for name, _, url in (e.partition("=") for e in os.environ.get(variable(role), "").split())
    }
