"""``python -m benchmarks.soak``: ten minutes of mixed load at 80 % of what the server bears.

First everything is asked as fast as it is answered, for a while: that is the capacity. Then the
same mix is due at 80 % of it, and latency counts from the moment something was due. The exit
status is 1 where any answer was wrong, or the server's memory grew.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import uvloop

from benchmarks.load import percentile
from benchmarks.machine import Cores, cpu_seconds, resident_bytes
from benchmarks.mixed import Connection, Crowd, Tally, Unexpected
from benchmarks.results import describe_machine
from benchmarks.servers import SERVER_PROGRAMS, Server, ServerProgram
from benchmarks.stock import new_schema

CONNECTIONS = 16
PEOPLE = 64
SHARE = 0.8
"""How much of its capacity the server is asked for."""

UPDATE_AGE = 30.0
"""Seconds after which a session is refreshed: a day would see none in ten minutes."""

GROWTH = 1.05
"""How many times its size at the start a process may have at the end."""

SAMPLES = 120
"""How often memory is looked at."""

HOMES: dict[str, dict[str, Any]] = {
    "sqlite": {},
    "postgresql": {},
    "postgresql-memory": {"cache": True},
}


@dataclass(frozen=True, slots=True)
class Soak:
    """What a soak saw."""

    capacity: float
    """Actions a second."""
    seconds: float
    tally: Tally
    memory: list[int]
    """Bytes, at even distances."""
    busy: float
    """The share of its core the server used."""

    @property
    def memory_at_start(self) -> float:
        """After a fifth, when what a process keeps is full; the median of a tenth of the time."""
        fifth = len(self.memory) // 5
        return median(self.memory[fifth : fifth + max(1, fifth // 2)])

    @property
    def memory_at_end(self) -> float:
        """The median of the last tenth of the time."""
        return median(self.memory[-max(1, len(self.memory) // 10) :])

    @property
    def is_flat(self) -> bool:
        """Whether memory did not grow."""
        return self.memory_at_end <= GROWTH * self.memory_at_start

    @property
    def is_good(self) -> bool:
        """Whether nothing went wrong."""
        return not self.tally.errors and self.is_flat


async def soak(port: int, pid: int, seconds: float, capacity_seconds: float) -> Soak:
    """Find the capacity, then keep to a share of it for so many seconds."""
    crowd = Crowd(port)
    await crowd.gather(PEOPLE)
    began = perf_counter()
    await run(crowd, None, capacity_seconds)
    capacity = crowd.tally.count / (perf_counter() - began)
    crowd.tally = Tally(errors=crowd.tally.errors)
    print(f"capacity {capacity:,.0f} actions/s; {SHARE:.0%} of it for {seconds:,.0f} s", flush=True)
    memory: list[int] = []
    watching = asyncio.create_task(_watch(pid, seconds / SAMPLES, memory))
    began, cpu = perf_counter(), cpu_seconds(pid)
    await run(crowd, SHARE * capacity, seconds)
    taken, cpu = perf_counter() - began, cpu_seconds(pid) - cpu
    watching.cancel()
    try:
        await crowd.verify()
    except Unexpected as error:
        crowd.tally.wrong(f"afterwards: {error}")
    return Soak(capacity, taken, crowd.tally, memory, cpu / taken)


async def run(crowd: Crowd, rate: float | None, seconds: float) -> None:
    """Let the crowd act on some connections, as fast as it is answered or ``rate`` a second."""
    began = perf_counter()
    due_times = due_at(began, rate, seconds) if rate else None

    async def act() -> None:
        connection = Connection(crowd.port)
        if due_times is None:
            while perf_counter() - began < seconds:
                await crowd.act(connection)
        else:
            for due in due_times:  # shared by all connections
                await asyncio.sleep(max(0.0, due - perf_counter()))
                await crowd.act(connection, due)
        connection.close()

    await asyncio.gather(*(act() for _ in range(CONNECTIONS)))


def due_at(began: float, rate: float, seconds: float) -> Iterator[float]:
    """The moments at which something is due: evenly, ``rate`` a second, for so many seconds."""
    return (began + number / rate for number in range(round(rate * seconds)))


async def _watch(pid: int, interval: float, memory: list[int]) -> None:
    while True:
        memory.append(resident_bytes(pid))
        await asyncio.sleep(interval)


def report(seen: Soak) -> str:
    """The table of actions, and what else is to be said."""
    lines = [f"{'':<10}{'done':>10}{'p50':>10}{'p99':>10}{'p99.9':>10}{'slowest':>10}   (ms)"]
    for kind, latencies in sorted(seen.tally.latencies.items()):
        lines.append(f"{kind:<10}{len(latencies):>10,}{_shown(latencies)}")
    everything = array("d")
    for latencies in seen.tally.latencies.values():
        everything.extend(latencies)
    mebi = [f"{size / 2**20:.1f}" for size in seen.memory[:: max(1, len(seen.memory) // 12)]]
    flat = "flat" if seen.is_flat else "GROWN"
    lines += [
        f"{'all':<10}{len(everything):>10,}{_shown(everything)}",
        "",
        f"{len(everything) / seen.seconds:,.0f} actions/s for {seen.seconds:,.0f} s, capacity "
        f"{seen.capacity:,.0f}; core {seen.busy:.0%} busy; {seen.tally.refreshed:,} refreshed",
        f"errors: {sum(seen.tally.errors.values())}",
        *(f"  {count} times {what}" for what, count in seen.tally.errors.items()),
        f"memory: {seen.memory_at_start / 2**20:.1f} MiB after a fifth of the time, "
        f"{seen.memory_at_end / 2**20:.1f} at the end: {flat} ({' '.join(mebi)})",
    ]
    return "\n".join(lines)


def _shown(latencies: Sequence[float]) -> str:
    ordered = sorted(latencies)
    shares = (0.5, 0.99, 0.999, 1.0)
    return "".join(f"{percentile(ordered, share) * 1000:>10.2f}" for share in shares)


@contextmanager
def _database(home: str, directory: str) -> Iterator[str]:
    if home == "sqlite":
        yield str(Path(directory) / "soak.db")
    else:
        with new_schema() as url:
            yield url


def main() -> int:
    """Soak one home under one server program."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="by default ten minutes")
    parser.add_argument("--capacity-seconds", type=float, default=20.0)
    parser.add_argument("--on", choices=list(HOMES), default="sqlite")
    parser.add_argument("--under", choices=SERVER_PROGRAMS, default="uvicorn")
    arguments = parser.parse_args()
    under: ServerProgram = arguments.under
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the server, drops the schema
    cores = Cores.available()
    print(f"{describe_machine(cores)}; {arguments.on} under {under}", flush=True)
    with tempfile.TemporaryDirectory() as directory, _database(arguments.on, directory) as database:
        options = {"database": database, "update_age": UPDATE_AGE, **HOMES[arguments.on]}
        with Server("library", cores.server, under=under, **options) as server:
            os.sched_setaffinity(0, {cores.load})
            pid = server.worker
            seen = uvloop.run(soak(server.port, pid, arguments.seconds, arguments.capacity_seconds))
    print(report(seen))
    return 0 if seen.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
