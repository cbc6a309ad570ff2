"""What databases reached over a network have in common: bounded pools, statements with a limit."""

from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from better_auth.adapters.backend import Backend, Direct
from better_auth.adapters.engines import make_engine

MIGRATION_PATIENCE = 60
"""Seconds to wait while another host migrates."""


STILL_MIGRATING = "another host is still migrating"
"""Why nothing was done where that was in vain."""


class NetworkBackend(Backend):
    """A pool of connections for reading and one for writing."""

    def __init__(
        self,
        url: sa.URL | str,
        connect_args: dict[str, Any],
        *,
        pool_size: int,
        patience: float,
        reads_in_transactions: bool = False,
        begins_by_statement: bool = False,
    ) -> None:
        """``begins_by_statement``: the driver cannot begin a transaction but by a statement for
        it, and otherwise every statement is committed by itself."""
        self.patience: float | None = patience

        def engine(**options: Any) -> AsyncEngine:
            made = make_engine(
                url,
                connect_args=connect_args,
                pool_size=pool_size,
                max_overflow=0,
                pool_timeout=patience,
                # Whatever leaves a connection ends its transaction; the pool need not do it again.
                pool_reset_on_return=None,
                **options,
            )
            sa.event.listen(made.sync_engine, "checkout", self._pass_over_ended)
            return made

        # Statements by themselves need no transaction, and so no BEGIN, COMMIT or ROLLBACK.
        alone: dict[str, Any] = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}
        self.reading = engine(**({} if reads_in_transactions else alone))
        self.writing = engine(**(alone if begins_by_statement else {}))

    def _pass_over_ended(self, connection: Any, *_arguments: object) -> None:
        """Has the pool open another instead of a connection that the server has ended, which its
        socket knows; asking the server would be a round trip before every statement."""
        if self.has_ended(connection.driver_connection):
            raise sa.exc.DisconnectionError

    @abstractmethod
    def has_ended(self, connection: Any) -> bool:
        """Whether the other side of a driver's ``connection`` is gone, as far as is known here."""

    def committing(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection in a transaction that is committed at the end."""
        return self.writing.begin()

    def alone(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """The same for a single statement."""
        return self.writing.begin()

    async def begin_writing(self, connection: AsyncConnection) -> None:
        """A transaction has begun already."""

    def shortcut(self) -> None:
        """Nothing here answers without a round trip."""

    def direct(self, on_wait: Callable[[str, float], None]) -> Direct | None:
        """The engine's way is the driver's."""
        return None

    async def close(self) -> None:
        """Release every connection."""
        await self.reading.dispose()
        await self.writing.dispose()
