"""What one kind of database does in its own way, as the SQL adapter sees it."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

HotRead = Callable[[str], Sequence[Any] | None]
"""Runs one prepared statement for one key at once and answers its raw row, or None."""


class DatabaseBusy(Exception):
    """A hot read met a lock it would have to wait for; the caller asks through the engine."""


class Backend(Protocol):
    """Engines and the few statements that differ from database to database."""

    reading: AsyncEngine
    writing: AsyncEngine

    async def begin_writing(self, connection: AsyncConnection) -> None:
        """Start a transaction that will write, on a connection of ``writing``."""
        ...

    def hot_read(self, statement: sa.Select[Any]) -> HotRead | None:
        """``statement`` (one bound parameter) as a function that bypasses the engine, if it can."""
        ...

    async def close(self) -> None:
        """Release every connection."""
        ...
