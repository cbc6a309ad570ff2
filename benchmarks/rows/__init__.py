"""The rows of the table: what is measured, against what, and what is good enough."""

from collections.abc import Callable, Sequence

from benchmarks.lab import Lab
from benchmarks.report import Row
from benchmarks.rows import checks, growth, homes, hosts, process, resolving, signing_in

ROWS: dict[str, Callable[[Lab], Row | Sequence[Row]]] = {
    **homes.rows(),
    "bearer": checks.get_session_by_bearer,
    "growth": checks.growth,
    "reads": checks.reads,
    "fastapi": checks.fastapi_route,
    "listing": checks.listing,
    "resolve": resolving.resolve,
    "resolve-postgresql": resolving.resolve_postgresql,
    "resolve-redis": resolving.resolve_redis,
    "sign-in": signing_in.sign_in,
    "second-factor": signing_in.second_factor,
    "during-sign-in": signing_in.check_during_sign_in,
    "memory": process.memory,
    "start-fresh": process.start_up_fresh,
    "start-existing": process.start_up_existing,
    "growth-postgresql": growth.growth,
    "purge": growth.purge,
    "hosts": hosts.hosts,
    "writes": hosts.writes,
}
"""Every row, or group of rows, by the name ``--only`` takes."""
