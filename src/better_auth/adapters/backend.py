"""What one kind of database does in its own way, as the SQL adapter sees it."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from better_auth.adapters.session_cache import SessionCache

Row: TypeAlias = Sequence[Any]
"""A row as the driver gives it."""

AsyncHotRead = Callable[[str], Awaitable[Row | None]]
"""Runs one prepared statement for one key and answers its raw row, or None."""


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A way past the engine, for statements written out and parameters as the driver has them.

    ``read`` answers the rows at once, on the event loop's own thread; ``version`` what is another
    value as soon as anybody has committed anything. Both raise ``DatabaseBusy``. ``write`` runs a
    statement that is committed by itself. All raise what the driver raises.
    """

    read: Callable[[str, Sequence[Any]], list[Row]]
    version: Callable[[], object]
    write: Callable[[str, Sequence[Any]], Awaitable[None]]


class Direct(Protocol):
    """A way past the engine over a network: statements written out and parameters as the driver
    has them, on the engine's own connections, each committed by itself. All raise what the driver
    raises, ``sqlalchemy.exc.TimeoutError`` where no connection comes free.
    """

    async def read(self, sql: str, parameters: Sequence[Any]) -> list[Row]:
        """The rows that a query finds."""
        ...

    async def write(self, sql: str, parameters: Sequence[Any]) -> int:
        """How many rows a statement changed."""
        ...

    async def take(self, sql: str, parameters: Sequence[Any]) -> list[Row]:
        """The rows that a deletion returns."""
        ...


class DatabaseBusy(Exception):
    """A hot read met a lock it would have to wait for; the caller asks through the engine."""


class Feed(Protocol):
    """What a database tells of its changes, for a cache to be right."""

    def start(self, sessions: sa.Table, users: sa.Table) -> None:
        """Begin to listen for changes to these tables, in the background."""
        ...

    async def stop(self) -> None:
        """Stop listening; the cache believes nothing from then on."""
        ...

    async def missing(
        self, connection: AsyncConnection, sessions: sa.Table, users: sa.Table
    ) -> list[str]:
        """The statements that teach the database to tell of these tables; none: it does."""
        ...


class Backend(Protocol):
    """Engines and the few statements that differ from database to database."""

    reading: AsyncEngine
    writing: AsyncEngine
    errors: tuple[type[Exception], ...]
    """What the driver raises past SQLAlchemy, when connecting for example."""
    patience: float | None
    """Seconds after which a statement without an answer counts as failed; None: the driver sees
    to that itself."""
    returns_deleted: bool
    """Whether ``DELETE ... RETURNING`` with a limited subquery is understood."""

    def committing(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection of ``writing``; what is done on it is committed at the end."""
        ...

    def alone(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection of ``writing`` for a single statement, committed by itself."""
        ...

    async def begin_writing(self, connection: AsyncConnection) -> None:
        """Start a transaction that will write, on a connection given by :meth:`committing`."""
        ...

    def migrating(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that may take its time, and keeps other hosts that migrate waiting."""
        ...

    def shortcut(self) -> Shortcut | None:
        """A way past the engine, if there is one."""
        ...

    def direct(self, on_wait: Callable[[str, float], None]) -> Direct | None:
        """The driver itself, where that is faster; ``on_wait`` is told what it waits for a
        connection (the pool's name, seconds)."""
        ...

    def hot_read(self, statement: sa.Select[Any], key: sa.Column[str]) -> AsyncHotRead | None:
        """``statement`` by ``key`` straight on the driver, if that is faster."""
        ...

    def feed(
        self, cache: SessionCache, listen_url: str | None, on_change: Callable[[], None]
    ) -> Feed | None:
        """What keeps ``cache`` right and calls ``on_change`` after every change; None: it is not
        needed here, where reads are exact and as fast. Raises ``ConfigurationError`` where there
        can be none."""
        ...

    async def close(self) -> None:
        """Release every connection."""
        ...
