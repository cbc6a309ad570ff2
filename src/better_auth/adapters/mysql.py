"""MySQL 8 and MariaDB, by aiomysql.

Text compares byte by byte (see ``schema.py``), times are UTC, and statements run in READ
COMMITTED: what a transaction has locked is what it then reads.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from better_auth.adapters.session_cache import SessionCache
from better_auth.errors import ConfigurationError, DatabaseUnavailable, MissingExtra

try:
    import pymysql
    from aiomysql import connect as _needed  # noqa: F401
except ImportError:
    raise MissingExtra("a mysql:// database", "mysql") from None

_MIGRATION_LOCK = "better_auth migration"
_MIGRATION_PATIENCE = 60
"""Seconds to wait while another host migrates."""


class MySqlBackend:
    """Engines for one MySQL or MariaDB database."""

    errors: tuple[type[Exception], ...] = (pymysql.err.Error,)
    returns_deleted = False

    def __init__(self, url: sa.URL, *, pool_size: int, patience: float) -> None:
        """``url``: ``mysql://`` or ``mariadb://``, its query as aiomysql understands it."""
        query = {"charset": "utf8mb4", **url.query}
        self._url = url.set(drivername="mysql+aiomysql", query=query)
        self.patience: float | None = patience
        self.reading = self._engine(
            pool_size, isolation_level="AUTOCOMMIT", pool_reset_on_return=None
        )
        self.writing = self._engine(pool_size, isolation_level="READ COMMITTED")

    def _engine(self, pool_size: int, **options: Any) -> AsyncEngine:
        return create_async_engine(
            self._url,
            connect_args={
                "connect_timeout": self.patience,
                "init_command": "SET time_zone = '+00:00'",
            },
            hide_parameters=True,  # an error's text reaches the log
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=self.patience,
            pool_pre_ping=True,
            **options,
        )

    async def begin_writing(self, connection: AsyncConnection) -> None:
        """A transaction has begun already."""

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[AsyncConnection]:
        """Under a lock by name: these databases' schema changes know no transaction."""
        async with self.writing.begin() as connection:
            lock = sa.func.get_lock(_MIGRATION_LOCK, _MIGRATION_PATIENCE)
            if not (await connection.execute(sa.select(lock))).scalar():
                raise DatabaseUnavailable
            try:
                yield connection
            finally:
                await connection.execute(sa.select(sa.func.release_lock(_MIGRATION_LOCK)))

    def shortcut(self, statement: sa.Select[Any], key: sa.Column[str]) -> None:
        """Nothing here answers without a round trip."""

    def hot_read(self, statement: sa.Select[Any], key: sa.Column[str]) -> None:
        """The engine's way is the driver's."""

    def feed(
        self, cache: SessionCache, listen_url: str | None, on_change: Callable[[], None]
    ) -> NoReturn:
        raise ConfigurationError(
            "session.cache: MySQL and MariaDB cannot tell what changes; "
            "without the cache every check asks the database"
        )

    async def close(self) -> None:
        await self.reading.dispose()
        await self.writing.dispose()
