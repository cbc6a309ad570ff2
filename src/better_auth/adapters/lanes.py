"""Connections kept for the hot read, each answering everything that queued while it was busy.

While all of them are busy, checks that arrive queue, and the next free connection answers the
whole queue at once: under load a round trip is shared by many.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

V = TypeVar("V")
T = TypeVar("T")

BATCH = 64
"""Checks that one round trip answers at most."""


class Lane(ABC, Generic[V]):
    """One connection, made when needed and again after every failure."""

    def __init__(self) -> None:
        self.connection: Any = None

    @abstractmethod
    async def open(self) -> None:
        """Set ``connection``, ready to be asked."""

    @abstractmethod
    def drop(self) -> None:
        """Let go of the connection, without a word to a server that may not answer."""

    @abstractmethod
    def may_be_stale(self, error: BaseException) -> bool:
        """Whether ``error`` may come of a connection that broke while it sat idle; a server that
        keeps silent has been waited for long enough."""

    @abstractmethod
    async def one(self, key: str) -> V | None:
        """What is under ``key``."""

    @abstractmethod
    async def many(self, keys: set[str]) -> dict[str, V]:
        """What is under ``keys``, by key."""

    async def tried(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What ``ask`` answers; once more on a new connection where the old one had broken."""
        if self.connection is not None:
            try:
                return await ask()
            except BaseException as error:
                self.drop()
                if not self.may_be_stale(error):
                    raise
        try:
            await self.open()
            return await ask()
        except BaseException:
            self.drop()
            raise


class Waiting(NamedTuple, Generic[V]):
    """Somebody who waits for a lane, and since when by the event loop's clock."""

    key: str
    answer: "asyncio.Future[V | None]"
    since: float


class HotReader(Generic[V]):
    """One value by its key, as fast as the driver answers, for any number of callers at once."""

    def __init__(self, lanes: Sequence[Lane[V]], patience: float) -> None:
        """``patience``: the seconds that a lane waits for an answer. Whoever has waited twice as
        long for a lane is told by a ``TimeoutError``: where no answers come, or they come slower
        than they are asked for, the queue would grow for ever."""
        self._idle = list(lanes)
        self._lanes = list(lanes)
        self._longest = 2 * patience
        self._waiting: deque[Waiting[V]] = deque()
        self._batches: set[asyncio.Task[None]] = set()

    async def read(self, key: str) -> V | None:
        """What is under ``key``, read after this call. Raises what the driver raises."""
        if not self._idle:
            loop = asyncio.get_running_loop()
            waiting = Waiting[V](key, loop.create_future(), loop.time())
            self._waiting.append(waiting)
            return await waiting.answer
        lane = self._idle.pop()
        try:
            return await lane.one(key)
        finally:
            self._free(lane)

    def _free(self, lane: Lane[V]) -> None:
        """Give ``lane`` to those who wait, or let it rest."""
        if self._waiting:
            self._send_away()
        if not self._waiting:
            self._idle.append(lane)
            return
        batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        task = asyncio.get_running_loop().create_task(self._answer(lane, batch))
        self._batches.add(task)
        task.add_done_callback(self._batches.discard)

    def _send_away(self) -> None:
        """Tell those who have waited too long."""
        latest = asyncio.get_running_loop().time() - self._longest
        while self._waiting and self._waiting[0].since < latest:
            answer = self._waiting.popleft().answer
            if not answer.done():
                answer.set_exception(TimeoutError("no connection came free"))

    async def _answer(self, lane: Lane[V], batch: Sequence[Waiting[V]]) -> None:
        try:
            found = await lane.many({key for key, _, _ in batch})
        except BaseException as error:
            for _, answer, _ in batch:
                if not answer.done():
                    answer.set_exception(error)
            if not isinstance(error, Exception):
                raise
        else:
            for key, answer, _ in batch:
                if not answer.done():
                    answer.set_result(found.get(key))
        finally:
            self._free(lane)

    def close(self) -> None:
        """Drop the connections; whoever still waits is told by a ``ConnectionResetError``."""
        for lane in self._lanes:
            lane.drop()
        while self._waiting:
            answer = self._waiting.popleft().answer
            if not answer.done():
                answer.set_exception(ConnectionResetError("closed"))
