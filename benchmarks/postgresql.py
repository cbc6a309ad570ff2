"""Rows on PostgreSQL: in a schema of their own, which is dropped afterwards.

``BENCHMARK_POSTGRESQL`` is the URL of a database in which a schema may be made. The
server's processes run wherever the machine puts them, mostly on the core of the load.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from uuid import uuid4

import asyncpg

from benchmarks.apps import make_auth
from benchmarks.checks import against_bare
from benchmarks.data import CLIENT, Filled
from benchmarks.lab import Lab
from benchmarks.report import Row, at_most

URL = os.environ.get("BENCHMARK_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/postgres")
SESSIONS = 2000


@contextmanager
def filled_schema() -> Iterator[Filled]:
    """Users with a session each."""
    schema = f"better_auth_benchmark_{uuid4().hex[:8]}"
    asyncio.run(_execute(f'CREATE SCHEMA "{schema}"'))
    try:
        yield asyncio.run(_fill(f"{URL}?search_path={schema}"))
    finally:
        asyncio.run(_execute(f'DROP SCHEMA "{schema}" CASCADE'))


async def _execute(statement: str) -> None:
    connection = await asyncpg.connect(URL, timeout=5)
    await connection.execute(statement)
    await connection.close()


async def _fill(url: str) -> Filled:
    auth = make_auth(url)
    filled = Filled(url, SESSIONS, [], [])
    async with auth.lifespan():
        for number in range(SESSIONS):
            user = await auth.users.create(name="Ada", email=f"user{number}@example.com")
            filled.tokens.append((await auth.sessions.create(user, CLIENT)).token)
    await _execute("ANALYZE")
    return filled


def get_session(lab: Lab) -> Row:
    """``GET /get-session``, each check a read of PostgreSQL's."""
    return _get_session(lab, "get-session, PostgreSQL", cache=False, target=0.2)


def get_session_cached(lab: Lab) -> Row:
    """The same with sessions in memory."""
    return _get_session(lab, "get-session, PostgreSQL, memory", cache=True, target=0.6)


def _get_session(lab: Lab, name: str, *, cache: bool, target: float) -> Row:
    with filled_schema() as filled:
        checks = filled.checks_by_bearer()
        return against_bare(lab, name, filled, checks, target, cache=cache)


def resolve(lab: Lab) -> Row:
    """In process: token to session and user, against asyncpg reading the same row."""
    times = 2_000 if lab.quick else 20_000
    with filled_schema() as filled:
        ours, raw = asyncio.run(_resolve(filled, times))
    return Row(
        "resolve, PostgreSQL",
        f"{ours:.1f} µs",
        f"{raw:.1f} µs (asyncpg)",
        ours / raw,
        at_most(1.5),
        ours / raw,
        [f"{times:,} of each, one after the other, in turns of 100"],
    )


async def _resolve(filled: Filled, times: int) -> tuple[float, float]:
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
