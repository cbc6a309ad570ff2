"""What one kind of database does in its own way, as the SQL adapter sees it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

Row: TypeAlias = Sequence[Any]
"""A row as the driver gives it."""

HotRead = Callable[[str], Row | None]
"""Runs one prepared statement for one key at once and answers its raw row, or None."""


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A way past the engine for one statement, on the event loop's own thread.

    ``version`` answers what is another value as soon as anybody has committed anything.
    Both raise ``DatabaseBusy``.
    """

    read: HotRead
    version: Callable[[], object]


class DatabaseBusy(Exception):
    """A hot read met a lock it would have to wait for; the caller asks through the engine."""


class Backend(Protocol):
    """Engines and the few statements that differ from database to database."""

    reading: AsyncEngine
    writing: AsyncEngine

    async def begin_writing(self, connection: AsyncConnection) -> None:
        """Start a transaction that will write, on a connection of ``writing``."""
        ...

    def shortcut(self, statement: sa.Select[Any]) -> Shortcut | None:
        """``statement`` (one bound parameter) as functions that bypass the engine, if it can."""
        ...

    async def close(self) -> None:
        """Release every connection."""
        ...
