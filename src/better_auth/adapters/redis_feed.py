"""Redis tells every process what changes: each step publishes whose sessions it touched.

Redis delivers what is published in the order it happened. A process therefore publishes a beat to
itself from time to time: when that arrives, every change acknowledged before it was sent has
arrived as well. Flushing Redis is told by nobody; the beat brings back a mark that is another then.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from better_auth.adapters.redis_client import FAILURES, RedisClient
from better_auth.adapters.redis_scripts import BEAT
from better_auth.adapters.redis_store import BELIEVED
from better_auth.adapters.session_cache import SessionCache
from better_auth.errors import DatabaseUnavailable

logger = logging.getLogger("better_auth.database")

BEATS = 4
"""Proofs of life within ``max_staleness``: so many may be late before the cache stands aside."""

RETRY = 0.5
"""Seconds between attempts to listen again."""

_INTERRUPTIONS: tuple[type[Exception], ...] = (*FAILURES, DatabaseUnavailable)


class RedisFeed:
    """Listens for as long as it is open, and tells the cache."""

    def __init__(
        self,
        cache: SessionCache,
        client: RedisClient,
        prefix: str,
        channel: str,
        on_change: Callable[[], None],
    ) -> None:
        self._cache = cache
        self._client = client
        self._mark_key = f"{prefix}life"
        self._channel = channel
        self._own = f"{prefix}beat:{uuid4().hex}"
        self._on_change = on_change
        self._task: asyncio.Task[None] | None = None
        self._sent: dict[str, float] = {}
        self._mark: bytes | None = None

    def start(self) -> None:
        """Begin to listen, in the background."""
        self._task = asyncio.get_running_loop().create_task(self._listen())

    async def stop(self) -> None:
        """Stop listening; the cache believes nothing from then on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._cache.stand_aside()

    async def _listen(self) -> None:
        while True:
            listener = self._client.client.pubsub()
            try:
                async with asyncio.timeout(self._client.patience):
                    await listener.subscribe(self._channel, self._own)
                self._cache.clear()
                self._sent.clear()
                await self._follow(listener)
            except _INTERRUPTIONS as error:
                logger.warning(
                    "session cache: nothing is told, asking Redis: %s: %s",
                    type(error).__name__,
                    error,
                )
            finally:
                self._cache.stand_aside()
                with suppress(*FAILURES):
                    await listener.aclose()
            await asyncio.sleep(RETRY)

    async def _follow(self, listener: Any) -> None:
        """Hear what is told and prove to hear it. Raises when that cannot be."""
        hearing = asyncio.get_running_loop().create_task(self._hear(listener))
        beating = asyncio.get_running_loop().create_task(self._beat())
        both = hearing, beating
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            ended = await asyncio.gather(*both, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome

    async def _hear(self, listener: Any) -> None:
        while True:
            message = await listener.get_message(ignore_subscribe_messages=True, timeout=None)
            if message is None:
                continue
            text = message["data"].decode()
            if message["channel"].decode() == self._own:
                sent = self._sent.pop(text, None)
                if sent is not None:
                    self._cache.proven(sent)
            else:
                self._cache.forget([("user", unquote(text))])
                self._on_change()

    async def _beat(self) -> None:
        """Publish beats. Raises ``TimeoutError`` where they do not come back."""
        pause = self._cache.max_staleness / BEATS
        number = 0
        while True:
            number += 1
            if number % max(1, int(BELIEVED / pause)) == 0:
                self._cache.clear()  # nobody tells of changes that other programs make to a table
            if len(self._sent) > 2 * BEATS:
                raise TimeoutError("no beat comes back")
            self._sent[str(number)] = self._cache.now()
            command = ("EVAL", BEAT, 1, self._mark_key, uuid4().hex, self._own, str(number))
            async with asyncio.timeout(self._cache.max_staleness):
                (mark,) = await self._client.run(command)
            if mark != self._mark:
                self._mark = mark
                self._cache.clear()
                self._on_change()
            await asyncio.sleep(pause)
