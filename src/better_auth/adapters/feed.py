"""Hearing of changes, and proving to hear them: what PostgreSQL's and Redis's feeds share.

Whatever tells of changes delivers in the order in which they happened. A listener therefore sends
itself a beat from time to time: when that arrives, every change acknowledged before it was sent
has arrived as well. An interrupted feed has the cache stand aside, and begins anew.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from better_auth.adapters.failures import said
from better_auth.adapters.session_cache import SessionCache

logger = logging.getLogger("better_auth.database")

BEATS = 4
"""Proofs of life within ``max_staleness``: so many may be late before the cache stands aside."""

RETRY = 0.5
"""Seconds between attempts to listen again."""


class ListeningFeed(ABC):
    """Listens for as long as it is open, and tells the cache."""

    _interruptions: tuple[type[Exception], ...]
    """What a lost connection raises."""

    def __init__(self, cache: SessionCache, on_change: Callable[[], None]) -> None:
        self._cache = cache
        self._on_change = on_change
        self._task: asyncio.Task[None] | None = None
        self._sent: dict[str, float] = {}
        self._number = 0
        self._said = ""

    def listen(self) -> None:
        """Begin to listen, in the background."""
        self._task = asyncio.get_running_loop().create_task(self._listen())

    async def stop(self) -> None:
        """Stop listening; the cache believes nothing from then on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._cache.stand_aside()

    @abstractmethod
    def _connection(self) -> AbstractAsyncContextManager[Any]:
        """What to hear by, for as long as it is entered."""

    @abstractmethod
    async def _follow(self, connection: Any) -> None:
        """Hear what is told and prove to hear it. Raises when that cannot be."""

    async def _listen(self) -> None:
        while True:
            try:
                async with self._connection() as connection:
                    try:
                        await self._follow(connection)
                    finally:
                        self._cache.stand_aside()
            except self._interruptions as error:
                self._say(said(error))
            except Exception:  # whatever it is, nobody would know that memory is out of use
                logger.exception("session cache: listening failed; it begins anew")
            await asyncio.sleep(RETRY)

    def _say(self, reason: str) -> None:
        """Once, however often it is tried in vain."""
        if reason != self._said:
            logger.warning(
                "session cache: nobody tells of changes, every check asks the database: %s", reason
            )
        self._said = reason

    def _begin(self) -> None:
        """From here on everything is heard; before, anything may have happened."""
        self._cache.clear()
        self._sent.clear()

    def _next_beat(self) -> str:
        """What the next beat says, noted as sent now."""
        self._number += 1
        beat = str(self._number)
        self._sent[beat] = self._cache.now()
        return beat

    def _arrived(self, beat: str) -> None:
        """A beat has come back."""
        self._said = ""
        sent = self._sent.pop(beat, None)
        if sent is not None:
            self._cache.proven(sent)
