"""PostgreSQL as it grows: checks among more and more sessions, and while the expired are purged."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import cycle
from statistics import median

import asyncpg

from benchmarks import load
from benchmarks.lab import Lab
from benchmarks.report import Row, at_most, by_ratio
from benchmarks.servers import Listening, Server
from benchmarks.stock import stocked

SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
QUICK_SIZES = SIZES[:3]
RATE = 500.0
"""Checks a second, far from what a process bears: latency, not throughput, is what is asked."""


class Checks:
    """One server asked for the sessions of a stock, no session twice before all have been."""

    def __init__(self, lab: Lab, server: Listening, requests: Sequence[bytes]) -> None:
        self._lab = lab
        self._server = server
        self._next = cycle(requests).__next__
        self.results: list[load.Result] = []

    def warm_up(self) -> None:
        """Ask a while before anything counts."""
        requests = [self._next() for _ in range(2000)]
        load.run([load.Stream(self._server.port, requests, count=2000)], self._lab.cores.load)

    def window(self, seconds: float) -> load.Result:
        """Ask for a while, as fast as :data:`RATE`."""
        requests = [self._next() for _ in range(int(seconds * RATE))]
        stream = load.Stream(self._server.port, requests, 8, seconds=seconds, rate=RATE)
        (result,) = load.run([stream], self._lab.cores.load)
        self.results.append(result)
        return result

    @property
    def p50(self) -> float:
        """Milliseconds, in the median window."""
        return median(result.p50 for result in self.results)

    @property
    def p99(self) -> float:
        """Milliseconds, in the median window."""
        return median(result.p99 for result in self.results)


def growth(lab: Lab) -> list[Row]:
    """p50 and p99 of a check, of sessions at random, by how many are stored."""
    sizes = QUICK_SIZES if lab.quick else SIZES
    asked: dict[int, Checks] = {}
    with ExitStack() as open_until_the_end:
        for size in sizes:
            filled = open_until_the_end.enter_context(stocked(size))
            server = Server("library", lab.cores.server, database=filled.path)
            open_until_the_end.enter_context(server)
            asked[size] = Checks(lab, server, filled.checks_by_cookie())
            asked[size].warm_up()
        for _ in range(lab.rounds):
            for checks in asked.values():
                checks.window(lab.turn_seconds)
    least = asked[sizes[0]]
    return [_grown(size, checks, least) for size, checks in asked.items()]


def _grown(size: int, checks: Checks, least: Checks) -> Row:
    ratio = checks.p50 / least.p50
    return Row(
        f"check among {size:,} sessions, PostgreSQL",
        f"p50 {checks.p50:.2f}, p99 {checks.p99:.2f} ms",
        f"p50 {least.p50:.2f}, p99 {least.p99:.2f} ms ({SIZES[0]:,})",
        ratio,
        None,  # it informs: how much of a table is in memory is the machine's affair
        ratio,
        figures={"sessions": size, "p50": checks.p50, "p99": checks.p99},
        key=f"growth-postgresql-{size}",
    )


def purge(lab: Lab) -> Row:
    """Checks while the server that answers them purges, against when there is nothing to purge."""
    expired = 100_000 if lab.quick else 1_000_000
    windows = 4 if lab.quick else 10
    with stocked(expired, with_expired=True) as filled:
        requests = filled.checks_by_cookie()
        core = lab.cores.server
        with Server("library", core, database=filled.path, purge_interval=None) as server:
            idle = Checks(lab, server, requests)
            idle.warm_up()
            for _ in range(windows):
                idle.window(lab.turn_seconds)
        there = asyncio.run(_expired(filled.path))
        began = time.perf_counter()
        with Server("library", core, database=filled.path) as server:
            busy = Checks(lab, server, requests)
            busy.warm_up()
            for _ in range(windows):
                busy.window(lab.turn_seconds)
                if not asyncio.run(_expired(filled.path, at_most=1)):
                    busy.results.pop()  # it ended at some moment within
                    break
            seconds = time.perf_counter() - began
            gone = there - asyncio.run(_expired(filled.path))
    if not busy.results:
        raise RuntimeError("purged within one window: nothing to compare")
    rate = gone / seconds
    return by_ratio(
        f"p99 of checks while {expired:,} are purged",
        f"{busy.p99:.2f} ms, {rate:,.0f} deleted/s",
        f"{idle.p99:.2f} ms (idle)",
        busy.p99 / idle.p99,
        at_most(2.0),
        [
            f"{gone:,} expired sessions deleted in {seconds:.0f} s",
            f"p50 {busy.p50:.2f} ms, idle {idle.p50:.2f} ms; {RATE:.0f} checks a second",
            f"p99 of the windows: {_p99s(busy)}; idle: {_p99s(idle)}",
        ],
        {"p99": busy.p99, "idle_p99": idle.p99, "deleted_a_second": rate},
    )


def _p99s(checks: Checks) -> str:
    return ", ".join(f"{result.p99:.2f}" for result in checks.results)


async def _expired(url: str, at_most: int | None = None) -> int:
    """How many there are, counted no further than ``at_most``."""
    limit = "" if at_most is None else f"LIMIT {at_most}"
    found = f"SELECT FROM session WHERE expires_at <= now() {limit}"
    return await _ask(url, f"SELECT count(*) FROM ({found}) AS expired")


async def _ask(url: str, question: str) -> int:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        return int(await connection.fetchval(question))
    finally:
        await connection.close()
