"""What several hosts on one PostgreSQL share: its processor time, and its writes.

Two processes stand for two hosts. Rates of processes that share this machine's cores would say
little; the processor time that a request costs, in the process and in PostgreSQL, adds up.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median

import asyncpg

from benchmarks import load
from benchmarks.apps import make_auth
from benchmarks.data import CLIENT, Filled
from benchmarks.lab import Lab
from benchmarks.machine import cpu_seconds, postgresql_cpu_seconds
from benchmarks.report import Row, at_most, by_ratio
from benchmarks.servers import Server
from benchmarks.stock import fill, new_schema, stocked
from better_auth import BetterAuth, User

RATE = 1000.0
"""Checks a second that each process answers."""

AT_ONCE = 10
"""Writes under way at once: as many as a pool of the default size bears."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What checks cost while so many processes answered them, per check."""

    server: float
    postgresql: float
    p99: float


def hosts(lab: Lab) -> Row:
    """A check's processor time when two processes share a database, against when one has it."""
    with stocked(100_000) as filled:
        with (
            Server("library", lab.cores.server, database=filled.path) as first,
            Server("library", lab.cores.load, database=filled.path) as second,
        ):
            _paced(lab, filled, [first, second])
            one: list[Cost] = []
            two: list[Cost] = []
            for _ in range(lab.rounds):
                one.append(_paced(lab, filled, [first]))
                two.append(_paced(lab, filled, [first, second]))
    alone, shared = _median(one), _median(two)
    return by_ratio(
        f"check, 2 processes, {RATE:,.0f}/s each",
        _shown(shared),
        f"{_shown(alone)} (1 process)",
        (shared.server + shared.postgresql) / (alone.server + alone.postgresql),
        at_most(1.15),
        [f"µs of processor a check; p99 {shared.p99:.2f} ms, one process {alone.p99:.2f} ms"],
        {
            "server_us": shared.server,
            "postgresql_us": shared.postgresql,
            "one_server_us": alone.server,
            "one_postgresql_us": alone.postgresql,
        },
    )


def _paced(lab: Lab, filled: Filled, servers: list[Server]) -> Cost:
    checks = filled.checks_by_cookie()
    streams = [
        load.Stream(server.port, checks, 8, seconds=lab.turn_seconds, rate=RATE)
        for server in servers
    ]
    before, postgresql_before = _cpu(servers), postgresql_cpu_seconds()
    results = load.run(streams, lab.cores.load)
    server_seconds = _cpu(servers) - before
    postgresql_seconds = postgresql_cpu_seconds() - postgresql_before
    answered = sum(result.answered for result in results)
    return Cost(
        server_seconds / answered * 1e6,
        postgresql_seconds / answered * 1e6,
        max(result.p99 for result in results),
    )


def _cpu(servers: list[Server]) -> float:
    return sum(cpu_seconds(server.pid) for server in servers)


def _median(costs: list[Cost]) -> Cost:
    return Cost(
        median(cost.server for cost in costs),
        median(cost.postgresql for cost in costs),
        median(cost.p99 for cost in costs),
    )


def _shown(cost: Cost) -> str:
    return f"{cost.server:.0f} + {cost.postgresql:.0f} (PostgreSQL)"


def writes(lab: Lab) -> Row:
    """Sessions made a second, ten at once, against asyncpg inserting the same rows."""
    times = 500 if lab.quick else 2000
    with new_schema() as url, lab.pinned():  # no stock: those stay as they are
        asyncio.run(fill(url, 10_000))
        return asyncio.run(_writes(url, lab.rounds, times))


async def _writes(url: str, rounds: int, times: int) -> Row:
    auth = make_auth(url)
    async with auth.lifespan():
        user = await auth.users.create(name="Ada Lovelace", email="ada@example.org")
        pool = await asyncpg.create_pool(url, min_size=AT_ONCE, max_size=AT_ONCE)
        insert = await _raw_insert(auth, pool, user)

        async def create() -> None:
            await auth.sessions.create(user, CLIENT)

        ours: list[tuple[float, float]] = []
        raw: list[tuple[float, float]] = []
        await _rate(create, AT_ONCE * 10)
        await _rate(insert, AT_ONCE * 10)
        for _ in range(rounds):
            ours.append(await _rate(create, times))
            raw.append(await _rate(insert, times))
        await pool.close()
    rate, floor = median(pair[0] for pair in ours), median(pair[0] for pair in raw)
    cpu = median(pair[1] for pair in ours)
    return by_ratio(
        "sessions made, PostgreSQL",
        f"{rate:,.0f}/s",
        f"{floor:,.0f}/s (asyncpg)",
        rate / floor,
        None,
        [f"in process, {AT_ONCE} at once; {cpu:.0f} µs of PostgreSQL's processor each"],
        {"rate": rate, "floor_rate": floor, "postgresql_us": cpu},
    )


async def _raw_insert(
    auth: BetterAuth, pool: asyncpg.Pool, user: User
) -> Callable[[], Awaitable[None]]:
    """A function that inserts a copy of a session under a key of its own."""
    made = await auth.sessions.create(user, CLIENT)
    async with pool.acquire() as connection:
        row = dict(await connection.fetchrow("SELECT * FROM session WHERE id = $1", made.id))
    marks = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    statement = f"INSERT INTO session ({', '.join(row)}) VALUES ({marks})"
    numbers = iter(range(10**9))

    async def insert() -> None:
        number = next(numbers)
        values = {**row, "id": f"{number}-{made.id}", "token_key": f"{number}-{made.token_key}"}
        async with pool.acquire() as connection:
            await connection.execute(statement, *values.values())

    return insert


async def _rate(write: Callable[[], Awaitable[None]], times: int) -> tuple[float, float]:
    """How many a second, and microseconds of PostgreSQL's processor time each."""

    async def some() -> None:
        for _ in range(times // AT_ONCE):
            await write()

    before = postgresql_cpu_seconds()
    began = time.perf_counter()
    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    seconds = time.perf_counter() - began
    return times / seconds, (postgresql_cpu_seconds() - before) / times * 1e6
