"""``GET /get-session`` on every database, under every server program.

Each against an application that answers the same bytes under the same server program.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from benchmarks.data import Filled
from benchmarks.in_redis import STORE, filled_in_redis
from benchmarks.lab import Lab
from benchmarks.report import Row
from benchmarks.rows.against import against_bare
from benchmarks.servers import SERVER_PROGRAMS, ServerProgram
from benchmarks.stock import stocked

IN_USE = 2000
"""Sessions that are checked in turn."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where sessions are kept."""

    title: str
    filled: Callable[[Lab], AbstractContextManager[Filled]]
    target: float
    """The share of the bare application's rate that is good enough."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What :func:`benchmarks.apps.make_auth` is given besides the database."""


def _on_sqlite(lab: Lab) -> AbstractContextManager[Filled]:
    return nullcontext(lab.database)


def _on_postgresql(lab: Lab) -> AbstractContextManager[Filled]:
    return stocked(10_000, sample=IN_USE)


HOMES = {
    "sqlite": Home("SQLite", _on_sqlite, 0.5),
    "postgresql": Home("PostgreSQL", _on_postgresql, 0.2),
    "postgresql-memory": Home("PostgreSQL, memory", _on_postgresql, 0.6, {"cache": True}),
    "redis": Home("Redis", filled_in_redis, 0.2, {"store": STORE}),
    "redis-memory": Home("Redis, memory", filled_in_redis, 0.6, {"store": STORE, "cache": True}),
}
"""Every home by the name of its row."""


def get_session(home: Home, under: ServerProgram, lab: Lab) -> Row:
    """Checks by cookie, one home under one server program."""
    name = f"get-session, {home.title}, {under}"
    with home.filled(lab) as filled:
        checks = filled.checks_by_cookie()
        return against_bare(lab, name, filled, checks, home.target, under, **home.options)


def rows() -> dict[str, Callable[[Lab], Row]]:
    """A row for each home under each server program, ``sqlite``, ``sqlite-granian`` and so on."""
    return {
        name if under == "uvicorn" else f"{name}-{under}": partial(get_session, home, under)
        for under in SERVER_PROGRAMS
        for name, home in HOMES.items()
    }
