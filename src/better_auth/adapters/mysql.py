"""MySQL 8 and MariaDB, by aiomysql.

Text compares byte by byte (see ``schema.py``), times are UTC, and statements run in READ
COMMITTED: what a transaction has locked is what it then reads. Connections commit each statement
by itself, which takes no round trip more; a transaction begins with BEGIN.
"""

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from inspect import signature
from typing import Any, NoReturn

import sqlalchemy as sa
from sqlalchemy.dialects.mysql.aiomysql import dialect
from sqlalchemy.ext.asyncio import AsyncConnection

from better_auth.adapters.network import MIGRATION_PATIENCE, STILL_MIGRATING, NetworkBackend
from better_auth.adapters.session_cache import SessionCache
from better_auth.errors import ConfigurationError, DatabaseUnavailable, MissingExtra

try:
    import pymysql
    from aiomysql import connect
except ImportError:
    raise MissingExtra("a mysql:// database", "mysql") from None

_ON_CONNECT = (
    "SET time_zone = '+00:00', sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), "
    "innodb_lock_wait_timeout = {patience}"
)
"""Some servers are set to cut what is too long, which makes one address of two, and to store
something else for what cannot be. And all of them wait for a lock longer than anybody waits for
them, to change then what was said to have failed."""

_MIGRATION_LOCK = "CONCAT('better_auth ', MD5(DATABASE()))"
"""What hosts that migrate one database take turns by; such names are the whole server's."""


def _options(url: sa.URL) -> Mapping[str, Any]:
    """What the driver is given for ``url``. Raises ``ConfigurationError``."""
    if not url.database:
        raise ConfigurationError("database: a mysql:// URL names one, mysql://host/name")
    try:
        _, options = dialect().create_connect_args(url)
    except ValueError as error:
        raise ConfigurationError(f"database: a mysql:// URL's option is wrong: {error}") from None
    for unknown in options.keys() - signature(connect).parameters:
        raise ConfigurationError(f"database: a mysql:// URL has no option {unknown!r}")
    return options


def _tls(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the URL says of TLS, as the driver takes it. Raises ``ConfigurationError``."""
    given = options.get("ssl")
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ConfigurationError("database: a mysql:// URL asks for TLS by ssl_ca=/path.pem")
    try:
        context = ssl.create_default_context(cafile=given.get("ca"), capath=given.get("capath"))
        context.check_hostname = given.get("check_hostname", True)
        if "cert" in given:
            context.load_cert_chain(given["cert"], given.get("key"))
    except OSError as error:  # an SSLError, too
        raise ConfigurationError(f"database: a mysql:// URL's ssl_...: {error}") from None
    return {"ssl": context}


def _read_committed(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    cursor.close()


class MySqlBackend(NetworkBackend):
    """Engines for one MySQL or MariaDB database."""

    errors: tuple[type[Exception], ...] = (pymysql.err.Error,)
    returns_deleted = False

    def __init__(self, url: sa.URL, *, pool_size: int, patience: float) -> None:
        """``url``: ``mysql://`` or ``mariadb://``, its query as aiomysql understands it;
        ``ssl_ca``, ``ssl_cert``, ``ssl_key`` and ``ssl_check_hostname`` for TLS.

        Raises ``ConfigurationError`` for an option that is unknown, and without a database."""
        query = {"charset": "utf8mb4", **url.query}
        url = url.set(drivername="mysql+aiomysql", query=query)
        super().__init__(
            url,
            {
                "connect_timeout": patience,
                "init_command": _ON_CONNECT.format(patience=max(1, int(patience))),
                **_tls(_options(url)),
            },
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
            lock = f"SELECT GET_LOCK({_MIGRATION_LOCK}, {MIGRATION_PATIENCE})"
            if not (await connection.exec_driver_sql(lock)).scalar():
                raise DatabaseUnavailable from TimeoutError(STILL_MIGRATING)
            try:
                yield connection
            finally:
                await connection.exec_driver_sql(f"SELECT RELEASE_LOCK({_MIGRATION_LOCK})")

    def hot_read(self, statement: sa.Select[Any], key: sa.Column[str]) -> None:
        """The engine's way is the driver's."""

    def feed(
        self, cache: SessionCache, listen_url: str | None, on_change: Callable[[], None]
    ) -> NoReturn:
        raise ConfigurationError(
            "session.cache: MySQL and MariaDB cannot tell what changes; "
            "without the cache every check asks the database"
        )
