"""PostgreSQL behind a pooler that lends a server for one transaction at a time, as PgBouncer does.

There a statement prepared now may be unknown, or another program's, a moment later. So every
statement runs inside a transaction, and none is kept: what asyncpg prepares for it has no name and
is used before the transaction ends. That costs round trips, and works with every version.
"""

from typing import Any

import asyncpg
import sqlalchemy as sa

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


async def is_behind_a_pooler(connection: Any) -> bool:
    """Whether the process that answers is not the one that was connected to: a pooler tells a
    process number of its own."""
    async with connection.transaction():
        # Without a name, which whoever asks next on that server would find taken.
        statement = await connection.prepare("SELECT pg_backend_pid()", name="")
        number = await statement.fetchval()
    return bool(number != connection.get_server_pid())


async def refuse_unannounced(connection: Any) -> None:
    """Raise ``ConfigurationError`` where a pooler stands between and the URL does not say so:
    statements kept on its connections would sooner or later be another program's."""
    if await is_behind_a_pooler(connection):
        raise ConfigurationError(
            "the database is reached through a pooler: add pooler=transaction to its URL's query, "
            "or pooler=session where a connection keeps its server"
        )


def listening(listen_url: str) -> tuple[str, bool]:
    """Where to listen, and whether what stands between has been said to be no hindrance.

    Raises ``ConfigurationError`` for what cannot be listened to.
    """
    try:
        url = sa.make_url(listen_url)
    except (sa.exc.ArgumentError, ValueError):
        raise ConfigurationError("session.cache.listen_url is no URL") from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise ConfigurationError("session.cache.listen_url is no postgresql:// URL")
    pooler = url.query.get("pooler")
    if pooler not in (None, "session"):
        raise ConfigurationError("session.cache.listen_url: notifications do not pass this pooler")
    url = url.difference_update_query(["pooler"]).set(drivername="postgresql")
    return url.render_as_string(hide_password=False), pooler is not None
