"""Sessions in Redis, everything else in SQLite.

``BENCHMARK_REDIS`` is the URL of a database in which keys may be made and deleted. The server
runs wherever the machine puts it, mostly on the core of the load.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from redis.asyncio import Redis

from benchmarks.apps import make_auth
from benchmarks.data import CLIENT, Filled
from benchmarks.lab import Lab

URL = os.environ.get("BENCHMARK_REDIS", "redis://127.0.0.1:6379/0")
SESSIONS = 2000
STORE = {"url": URL, "prefix": f"better-auth:benchmark:{uuid4().hex[:8]}:"}
"""The settings that say where sessions are."""


@contextmanager
def filled_in_redis(lab: Lab) -> Iterator[Filled]:
    """Users with a session each, gone afterwards."""
    try:
        yield asyncio.run(_fill(f"sqlite:///{lab.scratch / uuid4().hex}.db"))
    finally:
        asyncio.run(_clear())


async def _fill(database: str) -> Filled:
    auth = make_auth(database, store=STORE)
    filled = Filled(database, SESSIONS, [], [])
    async with auth.lifespan():
        for number in range(SESSIONS):
            user = await auth.users.create(name="Ada", email=f"user{number}@example.com")
            filled.tokens.append((await auth.sessions.create(user, CLIENT)).token)
    return filled


async def _clear() -> None:
    async with Redis.from_url(URL) as client:
        async for key in client.scan_iter(match=STORE["prefix"] + "*", count=1000):
            await client.delete(key)
