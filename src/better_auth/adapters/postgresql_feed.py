"""What changes in PostgreSQL, as it happens: a listener to what triggers tell.

The triggers (``postgresql_triggers.py``) are the database's, so a change counts whoever makes it:
this process, another, or a person in ``psql``. PostgreSQL delivers notifications in the order of
their commits. With each beat the listener looks whether the triggers still are where they should
be, without which nothing would be told.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from better_auth.adapters.feed import BEATS, ListeningFeed
from better_auth.adapters.postgresql_triggers import (
    ALL,
    CHANNEL,
    FIRING,
    Trigger,
    firing_arguments,
    missing_triggers,
    names_told,
    triggers_of,
)
from better_auth.adapters.session_cache import SessionCache

GREETING = "here"
"""What is said where the database is asked, to be heard where it is listened to."""


class NothingIsTold(Exception):
    """The connection hears nothing of what changes, and why."""


class PostgresFeed(ListeningFeed):
    """What PostgreSQL tells, by its notifications."""

    _interruptions = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, NothingIsTold)

    def __init__(
        self,
        cache: SessionCache,
        connect: Callable[[], Awaitable[Any]],
        notify: Callable[[str], Awaitable[None]] | None,
        on_change: Callable[[], None],
    ) -> None:
        """``connect`` opens a connection of asyncpg's that stays with one session of the server's
        (past a pooler in transaction mode, not through it). Where it need not lead to what is
        asked, ``notify`` sends a notification from there: the channel is ours and the suffix it is
        given."""
        super().__init__(cache, on_change)
        self._connect = connect
        self._notify = notify
        self._greeted = asyncio.Event()
        self._triggers: Sequence[Trigger] = ()

    def start(self, sessions: sa.Table, users: sa.Table) -> None:
        """Begin to listen, in the background."""
        self._triggers = list(triggers_of(sessions, users))
        self.listen()

    async def missing(
        self, connection: AsyncConnection, sessions: sa.Table, users: sa.Table
    ) -> list[str]:
        """What has the database tell all that should be told."""
        return await missing_triggers(connection, sessions, users)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        connection = await self._connect()
        try:
            yield connection
        finally:
            connection.terminate()

    async def _follow(self, connection: Any) -> None:
        channel = await connection.fetchval(f"SELECT {CHANNEL}")
        suffix = uuid4().hex[:16]
        own = f"{channel}_{suffix}"
        lost = asyncio.Event()

        def interrupted(_connection: object) -> None:
            self._cache.stand_aside()
            lost.set()

        connection.add_termination_listener(interrupted)
        await connection.add_listener(channel, self._heard)
        await connection.add_listener(own, self._beaten)
        if self._notify is not None:
            await self._be_greeted(self._notify, suffix)
        self._begin()
        wanted, known = firing_arguments(self._triggers), None
        while not lost.is_set():
            beat = self._next_beat()
            firing = await connection.fetchval(FIRING, *wanted)
            if firing is None:
                raise NothingIsTold(
                    "triggers are missing, disabled or older: `better-auth migrate`"
                )
            if firing != known:  # what happened meanwhile may not have been told
                known = firing
                self._cache.clear()
                self._on_change()
            await connection.execute("SELECT pg_notify($1, $2)", own, beat)
            try:
                await asyncio.wait_for(lost.wait(), self._cache.max_staleness / BEATS)
            except TimeoutError:
                continue
        raise asyncpg.InterfaceError("the listening connection was closed")

    async def _be_greeted(self, notify: Callable[[str], Awaitable[None]], suffix: str) -> None:
        """Hear what is said where the database is asked. Raises :class:`NothingIsTold`."""
        self._greeted = asyncio.Event()  # of the event loop that listens now
        await notify(suffix)
        try:
            await asyncio.wait_for(self._greeted.wait(), self._cache.max_staleness)
        except TimeoutError:
            raise NothingIsTold(
                "session.cache.listen_url leads to another database or schema than the database's"
            ) from None

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: str) -> None:
        if payload == ALL:
            self._cache.clear()
        else:
            self._cache.forget(names_told(payload))
        self._on_change()

    def _beaten(self, _connection: object, _pid: int, _channel: str, payload: str) -> None:
        if payload == GREETING:
            self._greeted.set()
        self._arrived(payload)
