"""What every row has in common: cores, a scratch directory, and fair comparison.

Two servers are compared in turns, A B A B, so that whatever else the machine does falls on both;
the ratio is the median of the ratios of neighbouring turns.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median

from benchmarks import load
from benchmarks.data import Filled, fill
from benchmarks.machine import Cores, cpu_seconds, postgresql_cpu_seconds
from benchmarks.servers import Listening

WARM_UP = 0.5
"""Seconds of load before the first turn of each server; then everything is asked once."""

CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Turn:
    """One server under load for a while."""

    result: load.Result
    cpu: float
    """Processor seconds the server used."""
    postgresql_cpu: float
    """The same of all PostgreSQL processes of this machine; 0 where there are none to be seen."""

    @property
    def busy(self) -> float:
        """The share of its core the server used; well below 1, something else was the limit."""
        return self.cpu / self.result.seconds


@dataclass(frozen=True, slots=True)
class Side:
    """A server and what it is asked."""

    server: Listening
    requests: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Turns of two servers, in the order they were taken."""

    subject: list[Turn]
    floor: list[Turn]

    @property
    def ratio(self) -> float:
        """How fast the subject is, in parts of the floor."""
        pairs = zip(self.subject, self.floor, strict=True)
        return median(subject.result.rate / floor.result.rate for subject, floor in pairs)

    @property
    def notes(self) -> list[str]:
        """What the table has no room for."""
        return [describe("subject", self.subject), describe("floor", self.floor)]

    @property
    def figures(self) -> dict[str, float]:
        """Rates a second, milliseconds, and microseconds of processor a request."""
        return {
            "rate": rate_of(self.subject),
            "floor_rate": rate_of(self.floor),
            "ratio": self.ratio,
            "p50": median(turn.result.p50 for turn in self.subject),
            "p99": median(turn.result.p99 for turn in self.subject),
            "cpu_us": median(turn.cpu / turn.result.answered for turn in self.subject) * 1e6,
            "postgresql_us": postgresql_us(self.subject),
        }


def rate_of(turns: Sequence[Turn]) -> float:
    """Answers a second in the median turn."""
    return median(turn.result.rate for turn in turns)


def postgresql_us(turns: Sequence[Turn]) -> float:
    """Microseconds of PostgreSQL's processor time a request, in the median turn."""
    return median(turn.postgresql_cpu / turn.result.answered for turn in turns) * 1e6


def describe(name: str, turns: Sequence[Turn]) -> str:
    """Latency, use of the core, and how far apart the turns were."""
    rates = [turn.result.rate for turn in turns]
    p50 = median(turn.result.p50 for turn in turns)
    p99 = median(turn.result.p99 for turn in turns)
    busy = median(turn.busy for turn in turns)
    cpu = median(turn.cpu / turn.result.answered for turn in turns) * 1e6
    database = postgresql_us(turns)
    beside = f" and {database:.1f} of PostgreSQL's" if database >= 1 else ""
    return (
        f"{name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms, {cpu:.1f} µs of processor{beside} a request, "
        f"core {busy:.0%} busy, {min(rates):,.0f} to {max(rates):,.0f} req/s in {len(turns)} turns"
    )


@dataclass(frozen=True)
class Lab:
    """Where and how thoroughly rows are measured."""

    cores: Cores
    scratch: Path
    quick: bool

    @property
    def rounds(self) -> int:
        """How many turns each side of a comparison gets."""
        return 3 if self.quick else 7

    @property
    def turn_seconds(self) -> float:
        """How long each turn is."""
        return 1.0 if self.quick else 3.0

    @cached_property
    def database(self) -> Filled:
        """The database most rows share."""
        return fill(self.scratch / "shared.db", 10_000, passwords=64)

    @contextmanager
    def pinned(self) -> Iterator[None]:
        """This process on the server's core, for what is measured in process."""
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self.cores.server})
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)

    def turn(self, side: Side, seconds: float, connections: int = CONNECTIONS) -> Turn:
        """Put one server under load as fast as it answers."""
        stream = load.Stream(side.server.port, side.requests, connections, seconds=seconds)
        return self.watched(side.server, stream)

    def watched(self, server: Listening, stream: load.Stream) -> Turn:
        """Carry out one stream, and see what it costs."""
        before, postgresql_before = cpu_seconds(server.pid), postgresql_cpu_seconds()
        (result,) = load.run([stream], self.cores.load)
        postgresql = postgresql_cpu_seconds() - postgresql_before
        return Turn(result, cpu_seconds(server.pid) - before, postgresql)

    def compare(self, subject: Side, floor: Side) -> Comparison:
        """Put two servers under load in turns."""
        comparison = Comparison([], [])
        for side in (subject, floor):
            self.turn(side, WARM_UP)
            once = load.Stream(side.server.port, side.requests, count=len(side.requests))
            load.run([once], self.cores.load)
        for _ in range(self.rounds):
            comparison.subject.append(self.turn(subject, self.turn_seconds))
            comparison.floor.append(self.turn(floor, self.turn_seconds))
        return comparison
