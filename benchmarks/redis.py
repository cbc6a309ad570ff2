"""Rows with sessions in Redis, everything else in SQLite.

``BENCHMARK_REDIS`` is the URL of a database in which keys may be made and deleted. The server
runs wherever the machine puts it, mostly on the core of the load.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Any
from uuid import uuid4

from redis.asyncio import Redis

from benchmarks.apps import make_auth
from benchmarks.checks import against_bare
from benchmarks.data import CLIENT, Filled
from benchmarks.lab import Lab
from benchmarks.report import Row, at_most

URL = os.environ.get("BENCHMARK_REDIS", "redis://127.0.0.1:6379/0")
SESSIONS = 2000

Store = dict[str, Any]


@contextmanager
def filled_store(lab: Lab) -> Iterator[tuple[Filled, Store]]:
    """Users with a session each, and what the settings say of where sessions are."""
    name = uuid4().hex[:8]
    store = {"url": URL, "prefix": f"better-auth:benchmark:{name}:"}
    try:
        yield asyncio.run(_fill(f"sqlite:///{lab.scratch / name}.db", store)), store
    finally:
        asyncio.run(_clear(store["prefix"]))


async def _fill(database: str, store: Store) -> Filled:
    auth = make_auth(database, store=store)
    filled = Filled(database, SESSIONS, [], [])
    async with auth.lifespan():
        for number in range(SESSIONS):
            user = await auth.users.create(name="Ada", email=f"user{number}@example.com")
            filled.tokens.append((await auth.sessions.create(user, CLIENT)).token)
    return filled


async def _clear(prefix: str) -> None:
    async with Redis.from_url(URL) as client:
        async for key in client.scan_iter(match=prefix + "*", count=1000):
            await client.delete(key)


def get_session(lab: Lab) -> Row:
    """``GET /get-session``, each check a read of Redis's."""
    with filled_store(lab) as (filled, store):
        checks = filled.checks_by_bearer()
        return against_bare(lab, "get-session, Redis", filled, checks, 0.2, store=store)


def get_session_cached(lab: Lab) -> Row:
    """The same with sessions in memory."""
    with filled_store(lab) as (filled, store):
        checks, name = filled.checks_by_bearer(), "get-session, Redis, memory"
        return against_bare(lab, name, filled, checks, 0.6, store=store, cache=True)


def resolve(lab: Lab) -> Row:
    """In process: token to session and user, against redis-py getting a value of their size."""
    times = 2_000 if lab.quick else 20_000
    with filled_store(lab) as (filled, store):
        ours, raw = asyncio.run(_resolve(filled, store, times))
    return Row(
        "resolve, Redis",
        f"{ours:.1f} µs",
        f"{raw:.1f} µs (redis-py)",
        ours / raw,
        at_most(1.5),
        ours / raw,
        [f"{times:,} of each, one after the other, in turns of 100"],
    )


async def _resolve(filled: Filled, store: Store, times: int) -> tuple[float, float]:
    auth = make_auth(filled.path, store=store)
    client = Redis.from_url(URL, single_connection_client=True)
    key = store["prefix"] + "floor"
    async with auth.lifespan(), client:
        await client.set(key, "x" * 700, ex=3600)
        tokens = cycle(filled.tokens)
        for token in filled.tokens:
            await auth.sessions.resolve(token)
        ours = raw = 0.0
        for _ in range(times // 100):
            turn = [next(tokens) for _ in range(100)]
            began = time.perf_counter()
            for token in turn:
                await auth.sessions.resolve(token)
            between = time.perf_counter()
            for _ in turn:
                await client.get(key)
            ours += between - began
            raw += time.perf_counter() - between
    return ours / times * 1e6, raw / times * 1e6
