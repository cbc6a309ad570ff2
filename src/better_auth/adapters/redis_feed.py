"""Redis tells every process what changes: each step publishes whose sessions it touched.

Flushing Redis is told by nobody; a beat brings back a mark that is another then.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from better_auth.adapters.feed import BEATS, ListeningFeed
from better_auth.adapters.redis_client import FAILURES, RedisClient
from better_auth.adapters.redis_scripts import BEAT
from better_auth.adapters.redis_store import BELIEVED
from better_auth.adapters.session_cache import SessionCache
from better_auth.errors import DatabaseUnavailable


class RedisFeed(ListeningFeed):
    """What Redis tells, by a subscription."""

    _interruptions = (*FAILURES, DatabaseUnavailable)

    def __init__(
        self,
        cache: SessionCache,
        client: RedisClient,
        prefix: str,
        channel: str,
        on_change: Callable[[], None],
    ) -> None:
        super().__init__(cache, on_change)
        self._client = client
        self._mark_key = f"{prefix}life"
        self._channel = channel
        self._own = f"{prefix}beat:{uuid4().hex}"
        self._mark: bytes | None = None

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        listener = self._client.client.pubsub()
        try:
            yield listener
        finally:
            with suppress(*FAILURES):
                await listener.aclose()

    async def _follow(self, connection: Any) -> None:
        async with asyncio.timeout(self._client.patience):
            channels = self._channel, self._own
            await connection.subscribe(*channels)
            for _ in channels:  # until each is confirmed, what is told may not be heard
                await connection.get_message(timeout=None)
        self._begin()
        hearing = asyncio.get_running_loop().create_task(self._hear(connection))
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
                self._arrived(text)
            else:
                self._cache.forget([("user", unquote(text))])
                self._on_change()

    async def _beat(self) -> None:
        """Publish beats. Raises ``TimeoutError`` where they do not come back."""
        pause = self._cache.max_staleness / BEATS
        while True:
            if self._number % max(1, int(BELIEVED / pause)) == 0:
                self._cache.clear()  # nobody tells of changes that other programs make to a table
            if len(self._sent) > 2 * BEATS:
                raise TimeoutError("no beat comes back")
            beat = self._next_beat()
            command = ("EVAL", BEAT, 1, self._mark_key, uuid4().hex, self._own, beat)
            async with asyncio.timeout(self._cache.max_staleness):
                (mark,) = await self._client.run(command)
            if mark != self._mark:
                self._mark = mark
                self._cache.clear()
                self._on_change()
            await asyncio.sleep(pause)
