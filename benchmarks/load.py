"""The load generator: keep-alive connections that ask as fast as they are answered, or paced.

A process of its own, so that it has a core of its own: :func:`run` starts it, hands it a
:class:`Plan` and reads the :class:`Result` of each stream. Requests are bytes made beforehand,
responses are read no further than needed to tell where one ends (``Content-Length``, or the last
chunk of a chunked one), and no connection has more than one request under way.
"""

import asyncio
import json
import os
import subprocess
import sys
from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from math import ceil, nan
from time import perf_counter
from typing import Any, cast

import uvloop

from benchmarks.machine import Core

GRACE = 30.0
"""Seconds a response may take after the end of a run before the run counts as hung."""


class LoadFailed(Exception):
    """An answer had another status than expected, or none came: the figures mean nothing."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of traffic.

    The ``requests`` are sent in turn, over and over, on ``connections`` connections. Without a
    ``rate`` each connection asks again as soon as it was answered. With one, requests are due at
    that many a second, and latency counts from the moment a request was due, so that a stalled
    server cannot hide behind requests that were not sent. A stream without ``seconds`` and
    ``count`` lasts as long as the others of its plan.
    """

    port: int
    requests: Sequence[bytes]
    connections: int = 32
    seconds: float | None = None
    count: int | None = None
    rate: float | None = None
    expected_status: int = 200


@dataclass(frozen=True, slots=True)
class Result:
    """What one stream saw. Latencies are in milliseconds."""

    answered: int
    seconds: float
    p50: float
    p99: float
    unexpected: dict[str, int]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds


def run(streams: Sequence[Stream], core: Core) -> list[Result]:
    """Run ``streams`` at once from a new process on ``core``.

    Raises ``LoadFailed`` where any answer had an unexpected status or a connection broke.
    """
    plan = [
        {**asdict(stream), "requests": [request.decode("latin-1") for request in stream.requests]}
        for stream in streams
    ]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load", str(core)],
        input=json.dumps(plan),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LoadFailed("the load generator failed; its error is above")
    results = [Result(**result) for result in json.loads(done.stdout)]
    for result in results:
        if result.unexpected:
            raise LoadFailed(f"unexpected answers: {result.unexpected}")
        if not result.answered:
            raise LoadFailed("no answer at all")
    return results


class _Running:
    """One stream under way: its connections, its end, its counts."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.next_request = cycle(stream.requests).__next__
        self.expected = str(stream.expected_status).encode()
        self.latencies = array("d")
        self.unexpected: dict[str, int] = {}
        self.left = stream.count if stream.count is not None else sys.maxsize
        self.started = self.deadline = self.ended = 0.0
        self.open = 0
        self.idle: list[_Connection] = []
        self.overdue: list[float] = []
        self.done = asyncio.Event()

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(self.stream.connections):
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self.stream.port)
        self.open = self.stream.connections

    def start(self) -> None:
        self.started = perf_counter()
        self.deadline = self.started + (self.stream.seconds or float("inf"))
        if self.stream.rate is None:
            asking, self.idle = self.idle, []
            for connection in asking:
                self.left -= 1
                connection.ask(perf_counter())
        else:
            self._tick(asyncio.get_running_loop(), 0, 1 / self.stream.rate)

    def stop(self) -> None:
        """End soon: what was asked is still awaited, nothing more is asked."""
        self.deadline = 0.0

    def _tick(self, loop: asyncio.AbstractEventLoop, index: int, interval: float) -> None:
        due = self.started + index * interval
        if due >= self.deadline or self.left <= 0:
            self.deadline = 0.0
            for connection in self.idle:
                connection.close()
            self.idle = []
            return
        self.left -= 1
        if self.idle:
            self.idle.pop().ask(due)
        else:
            self.overdue.append(due)
        wait = max(0.0, due + interval - perf_counter())
        loop.call_later(wait, self._tick, loop, index + 1, interval)

    def note_unexpected(self, what: str) -> None:
        self.unexpected[what] = self.unexpected.get(what, 0) + 1

    def connection_closed(self) -> None:
        self.open -= 1
        if self.open == 0:
            self.ended = perf_counter()
            self.done.set()

    def result(self) -> Result:
        latencies = sorted(self.latencies)
        return Result(
            answered=len(latencies),
            seconds=self.ended - self.started,
            p50=percentile(latencies, 0.50) * 1000,
            p99=percentile(latencies, 0.99) * 1000,
            unexpected=self.unexpected,
        )


class _Connection(asyncio.Protocol):
    """One connection: asks, waits for the whole answer, asks again."""

    __slots__ = ("asked", "closing", "pending", "running", "transport", "write")

    def __init__(self, running: _Running) -> None:
        self.running = running
        self.pending = b""
        self.asked = 0.0
        self.closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.write = self.transport.write
        self.running.idle.append(self)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.closing:
            self.running.note_unexpected(f"connection lost: {error}")
        self.running.connection_closed()

    def ask(self, since: float) -> None:
        self.asked = since
        self.write(self.running.next_request())

    def close(self) -> None:
        self.closing = True
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        if self.pending:
            data = self.pending + data
        head_end = data.find(b"\r\n\r\n")
        if head_end < 0:
            self.pending = data
            return
        at = data.find(b"content-length: ", 0, head_end)
        if at < 0:
            head = data[:head_end].lower()
            at = head.find(b"content-length: ")
            if at < 0 and b"\r\ntransfer-encoding: chunked" not in head:
                self.running.note_unexpected("an answer of unknown length")
                self.close()
                return
        if (
            not data.endswith(b"\r\n0\r\n\r\n")
            if at < 0
            else len(data) < head_end + 4 + int(data[at + 16 : data.find(b"\r", at)])
        ):
            self.pending = data
            return
        self.pending = b""
        now = perf_counter()
        running = self.running
        running.latencies.append(now - self.asked)
        if data[9:12] != running.expected:
            running.note_unexpected(data[9:12].decode("latin-1"))
        if running.stream.rate is not None:
            self._answered_paced(now)
        elif now < running.deadline and running.left > 0:
            running.left -= 1
            self.asked = now
            self.write(running.next_request())
        else:
            self.close()

    def _answered_paced(self, now: float) -> None:
        running = self.running
        if running.overdue:
            self.ask(running.overdue.pop(0))
        elif now >= running.deadline:
            self.close()
        else:
            running.idle.append(self)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest of ``ordered`` that at least ``share`` of them do not exceed (nearest rank);
    NaN of nothing."""
    if not ordered:
        return nan
    return ordered[max(0, ceil(len(ordered) * share) - 1)]


async def _generate(streams: Sequence[Stream]) -> list[Result]:
    runnings = [_Running(stream) for stream in streams]
    for running in runnings:
        await running.connect()
    for running in runnings:
        running.start()
    bounded = [r for r in runnings if r.stream.seconds is not None or r.stream.count is not None]
    for running in bounded:
        limit = None if running.stream.seconds is None else running.stream.seconds + GRACE
        async with asyncio.timeout(limit):
            await running.done.wait()
    for running in runnings:
        running.stop()
        async with asyncio.timeout(GRACE):
            await running.done.wait()
    return [running.result() for running in runnings]


def main() -> None:
    """Read a plan from standard input, carry it out, write the results to standard output."""
    os.sched_setaffinity(0, {int(sys.argv[1])})
    plan: list[dict[str, Any]] = json.load(sys.stdin)
    for stream in plan:
        stream["requests"] = [text.encode("latin-1") for text in stream["requests"]]
    results = uvloop.run(_generate([Stream(**stream) for stream in plan]))
    json.dump([asdict(result) for result in results], sys.stdout)


if __name__ == "__main__":
    main()
