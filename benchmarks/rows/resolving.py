"""In process: from a token to the session and its user, against the driver reading the same row."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from itertools import cycle

import asyncpg
from redis.asyncio import Redis

from benchmarks.apps import make_auth
from benchmarks.data import Filled
from benchmarks.in_redis import STORE, URL, filled_in_redis
from benchmarks.lab import Lab
from benchmarks.report import Row, at_most
from benchmarks.stock import stocked


def resolve(lab: Lab) -> Row:
    """In process: token to session and user, against sqlite3 reading the same row."""
    with lab.pinned():
        one, many, raw = asyncio.run(_resolve(lab.database, 20_000 if lab.quick else 100_000))
    return Row(
        "resolve, in process",
        f"{many:.1f} µs",
        f"{raw:.1f} µs (sqlite3)",
        many / raw,
        at_most(40, "µs"),
        many,
        [f"one token over and over: {one:.1f} µs; {len(lab.database.tokens):,} tokens: {many:.1f}"],
    )


async def _resolve(database: Filled, times: int) -> tuple[float, float, float]:
    auth = make_auth(database.path)
    async with auth.lifespan():
        sessions = auth.sessions
        one = await _mean(times, cycle(database.tokens[:1]).__next__, sessions.resolve)
        many = await _mean(times, cycle(database.tokens).__next__, sessions.resolve)
        keys = [sessions.tokens.key(token) for token in database.tokens]
    connection = sqlite3.connect(database.path, isolation_level=None)
    join = "SELECT * FROM session JOIN user ON user.id = session.user_id WHERE token_key = ?"

    async def read(key: str) -> object:
        return connection.execute(join, (key,)).fetchone()

    return one, many, await _mean(times, cycle(keys).__next__, read)


async def _mean(
    times: int, next_key: Callable[[], str], ask: Callable[[str], Awaitable[object]]
) -> float:
    """Microseconds a call, on average; each call must find something."""
    started = time.perf_counter()
    for _ in range(times):
        found = await ask(next_key())
        assert found is not None
    return (time.perf_counter() - started) / times * 1e6


def resolve_postgresql(lab: Lab) -> Row:
    """In process: token to session and user, against asyncpg reading the same row."""
    times = 2_000 if lab.quick else 20_000
    with stocked(2_000) as filled:
        ours, raw = asyncio.run(_resolve_postgresql(filled, times))
    return Row(
        "resolve, PostgreSQL",
        f"{ours:.1f} µs",
        f"{raw:.1f} µs (asyncpg)",
        ours / raw,
        at_most(1.5),
        ours / raw,
        [f"{times:,} of each, one after the other, in turns of 100"],
    )


async def _resolve_postgresql(filled: Filled, times: int) -> tuple[float, float]:
    auth = make_auth(filled.path)
    async with auth.lifespan():
        connection = await asyncpg.connect(filled.path)
        read = await connection.prepare(
            'SELECT * FROM session JOIN "user" ON "user".id = session.user_id WHERE token_key = $1'
        )
        tokens = cycle(filled.tokens)
        ours = raw = 0.0
        for _ in range(times // 100):
            turn = [next(tokens) for _ in range(100)]
            keys = [auth.sessions.tokens.key(token) for token in turn]
            began = time.perf_counter()
            for token in turn:
                await auth.sessions.resolve(token)
            between = time.perf_counter()
            for key in keys:
                await read.fetchrow(key)
            ours += between - began
            raw += time.perf_counter() - between
        await connection.close()
    return ours / times * 1e6, raw / times * 1e6


def resolve_redis(lab: Lab) -> Row:
    """In process: token to session and user, against redis-py getting one value of their size."""
    times = 2_000 if lab.quick else 20_000
    with filled_in_redis(lab) as filled:
        ours, raw = asyncio.run(_resolve_redis(filled, times))
    return Row(
        "resolve, Redis",
        f"{ours:.1f} µs",
        f"{raw:.1f} µs (redis-py)",
        ours / raw,
        at_most(1.5),
        ours / raw,
        [f"{times:,} of each, one after the other, in turns of 100"],
    )


async def _resolve_redis(filled: Filled, times: int) -> tuple[float, float]:
    auth = make_auth(filled.path, store=STORE)
    client = Redis.from_url(URL)
    key = STORE["prefix"] + "floor"
    async with auth.lifespan(), client:
        await client.set(key, "x" * 700, ex=3600)
        for token in filled.tokens:
            await auth.sessions.resolve(token)
        tokens = cycle(filled.tokens)
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
