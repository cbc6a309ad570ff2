"""PostgreSQL behind a pooler that lends a server for one transaction at a time, as PgBouncer does.

There a statement prepared now may be unknown, or another program's, a moment later. So every
statement runs inside a transaction, and none is kept: what asyncpg prepares for it has no name and
is used before the transaction ends. That costs round trips, and works with every version.
"""

from typing import Any

import asyncpg

from better_auth.errors import ConfigurationError

KEPT_NOWHERE = {
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": lambda: "",
}
"""SQLAlchemy's options for connections whose statements have no names."""


class PooledConnection(asyncpg.Connection):  # type: ignore[misc]
    """asyncpg's, with a transaction around what it asks by itself."""

    async def set_type_codec(self, *arguments: Any, **options: Any) -> None:
        """Asks the server for the type."""
        async with self.transaction():
            await super().set_type_codec(*arguments, **options)

    async def row(self, sql: str, key: str) -> Any:
        """The row that ``sql`` finds for ``$1``."""
        async with self.transaction():
            return await self.fetchrow(sql, key)

    async def rows(self, sql: str, keys: list[str]) -> Any:
        """The rows that ``sql`` finds for the array ``$1``."""
        async with self.transaction():
            return await self.fetch(sql, keys)


async def refuse_unannounced(connection: Any) -> None:
    """Raise ``ConfigurationError`` where a pooler stands between and the URL does not say so.

    It tells a process number of its own; statements kept on its connections would sooner or later
    be another program's.
    """
    async with connection.transaction():
        number = await connection.fetchval("SELECT pg_backend_pid()")
    if number != connection.get_server_pid():
        raise ConfigurationError(
            "the database is reached through a pooler: add pooler=transaction to its URL's query, "
            "or pooler=session where a connection keeps its server"
        )
