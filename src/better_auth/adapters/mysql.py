"""MySQL 8 and MariaDB, by aiomysql.

Text compares byte by byte (see ``schema.py``), times are UTC, and statements run in READ
COMMITTED: what a transaction has locked is what it then reads. Connections commit each statement
by itself, which takes no round trip more; a transaction begins with BEGIN.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NoReturn

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from better_auth.adapters.network import NetworkBackend
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


def _read_committed(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    cursor.close()


class MySqlBackend(NetworkBackend):
    """Engines for one MySQL or MariaDB database."""

    errors: tuple[type[Exception], ...] = (pymysql.err.Error,)
    returns_deleted = False

    def __init__(self, url: sa.URL, *, pool_size: int, patience: float) -> None:
        """``url``: ``mysql://`` or ``mariadb://``, its query as aiomysql understands it."""
        query = {"charset": "utf8mb4", **url.query}
        super().__init__(
            url.set(drivername="mysql+aiomysql", query=query),
            {"connect_timeout": patience, "init_command": "SET time_zone = '+00:00'"},
            pool_size=pool_size,
            patience=patience,
            begins_by_statement=True,
        )
        for engine in (self.reading, self.writing):
            sa.event.listen(engine.sync_engine, "connect", _read_committed)

    def alone(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return self.writing.connect()

    @asynccontextmanager
    async def committing(self) -> AsyncIterator[AsyncConnection]:
        async with self.writing.connect() as connection:
            await connection.exec_driver_sql("BEGIN")
            try:
                yield connection
                await connection.exec_driver_sql("COMMIT")
            except Exception:
                if not connection.invalidated:
                    await connection.exec_driver_sql("ROLLBACK")
                raise
            except BaseException:  # no time is left: closing it is as good
                await connection.invalidate()
                raise

    def has_ended(self, connection: Any) -> bool:
        return bool(connection.closed or connection._reader.eof_received)

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

    def hot_read(self, statement: sa.Select[Any], key: sa.Column[str]) -> None:
        """The engine's way is the driver's."""

    def feed(
        self, cache: SessionCache, listen_url: str | None, on_change: Callable[[], None]
    ) -> NoReturn:
        raise ConfigurationError(
            "session.cache: MySQL and MariaDB cannot tell what changes; "
            "without the cache every check asks the database"
        )
