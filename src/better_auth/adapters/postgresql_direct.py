"""Statements straight on asyncpg, on the connections of SQLAlchemy's pools.

asyncpg keeps what it prepared with each connection, and prepares anew what a migration outdated.
SQLAlchemy's own way from an expression to a result takes longer than all the rest.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from better_auth.adapters.backend import Row


class PostgresDirect:
    """See ``Direct``."""

    def __init__(
        self, reading: AsyncEngine, writing: AsyncEngine, on_wait: Callable[[str, float], None]
    ) -> None:
        self._reading = reading
        self._writing = writing
        self._on_wait = on_wait

    async def read(self, sql: str, parameters: Sequence[Any]) -> list[Row]:
        """The rows that a query finds."""
        async with self._connection(self._reading, "reading") as connection:
            rows: list[Row] = await connection.fetch(sql, *parameters)
            return rows

    async def write(self, sql: str, parameters: Sequence[Any]) -> int:
        """How many rows a statement changed."""
        async with self._connection(self._writing, "writing") as connection:
            status: str = await connection.execute(sql, *parameters)  # such as "UPDATE 3"
            return int(status.rpartition(" ")[2])

    async def take(self, sql: str, parameters: Sequence[Any]) -> list[Row]:
        """The rows that a deletion returns."""
        async with self._connection(self._writing, "writing") as connection:
            rows: list[Row] = await connection.fetch(sql, *parameters)
            return rows

    @asynccontextmanager
    async def _connection(self, engine: AsyncEngine, pool: str) -> AsyncIterator[Any]:
        began = perf_counter()
        lent = await engine.raw_connection()
        self._on_wait(pool, perf_counter() - began)
        connection: Any = lent.driver_connection
        try:
            yield connection
        except (asyncpg.PostgresError, asyncpg.InterfaceError):
            raise  # the server has answered, or the connection knows that it is lost
        except BaseException:
            connection.terminate()  # nobody knows what it is in the middle of; the pool sees that
            raise
        finally:
            lent.close()
