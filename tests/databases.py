"""Databases for tests: an empty one of each kind, whenever asked.

``TEST_DATABASES`` (for example ``sqlite,postgresql``) says which kinds the tests must
run on, and it is an error if one cannot be reached; without it they run on those that can, and
the closing lines name the others. Where the servers are: ``TEST_POSTGRESQL`` and
``TEST_MYSQL``, URLs of a database in which schemas (PostgreSQL) or beside which
databases (MySQL, MariaDB) may be made and dropped.

Two kinds are SQLite with sessions in Redis, instead of the table or beside it; for these the tests
start a server of their own. They are for the tests of what sessions do: :data:`WITH_REDIS`.
"""

import asyncio
import atexit
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Coroutine, Hashable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pymysql
import sqlalchemy as sa

POSTGRESQL = os.environ.get("TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/postgres")
MYSQL = os.environ.get("TEST_MYSQL", "mysql://root@127.0.0.1:3306/test")
KINDS = ("sqlite", "postgresql", "mysql", "redis", "redis-and-table")

WITH_REDIS = {
    "redis": {
        "test_admin",
        "test_asked_in_flight",
        "test_audit",
        "test_bearer",
        "test_cookies",
        "test_get_session",
        "test_known_faults",
        "test_life_cycle",
        "test_lifecycle",
        "test_list_sessions",
        "test_organization",
        "test_organization_at_once",
        "test_races",
        "test_redis",
        "test_refresh",
        "test_revoke",
        "test_revoked",
        "test_session_fields",
        "test_session_page",
        "test_sign_out",
        "test_two_factor",
    },
    "redis-and-table": {
        "test_lifecycle",
        "test_races",
        "test_redis",
        "test_refresh",
        "test_revoke",
    },
}
"""The modules whose tests run with Redis as well."""

CHANGES_TABLES = {
    "test_audit",
    "test_cache",
    "test_cache_partitioned",
    "test_cache_unproven",
    "test_database_names",
    "test_debug_logs",
    "test_extending",
    "test_failures",
    "test_known_faults",
    "test_silence",
    "test_tokens_at_rest",
}
"""The modules of ``tests/contract`` that do more to a database than filling its tables."""


@cache
def kinds() -> list[str]:
    """The kinds of database to test on."""
    demanded = os.environ.get("TEST_DATABASES")
    if demanded is not None:
        return [kind.strip() for kind in demanded.split(",")]
    return [kind for kind in KINDS if is_reachable(kind)]


def kinds_for(module: str) -> list[str]:
    """The kinds that the tests of a module run on."""
    name = module.rpartition(".")[2]
    return [kind for kind in kinds() if name in WITH_REDIS.get(kind, {name})]


def keeps_tables(module: str) -> bool:
    """Whether the tests of a module leave a database's tables as they are."""
    package, _, name = module.rpartition(".")
    return package == "tests.contract" and name not in CHANGES_TABLES


@cache
def is_reachable(kind: str) -> bool:
    """Whether there is a server of this kind to make databases on."""
    if kind in WITH_REDIS:
        return shutil.which("redis-server") is not None
    try:
        with new_database(kind):
            return True
    except (OSError, asyncpg.PostgresError, pymysql.err.Error):
        return False


@contextmanager
def new_database(kind: str) -> Iterator[str]:
    """The URL of an empty database of this kind, gone afterwards."""
    name = f"better_auth_test_{uuid4().hex[:12]}"
    match kind:
        case "sqlite" | "redis" | "redis-and-table":
            yield "sqlite://"
        case "postgresql":
            _postgresql().execute(f'CREATE SCHEMA "{name}"')
            try:
                yield f"{POSTGRESQL}?search_path={name}"
            finally:
                _postgresql().execute(f'DROP SCHEMA "{name}" CASCADE')
        case "mysql":
            # Case-insensitive by default, as most are; our tables must not depend on it.
            _mysql().execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
            try:
                url = sa.make_url(MYSQL).set(database=name)
                yield url.render_as_string(hide_password=False)
            finally:
                _mysql().execute(f"DROP DATABASE {name}")
        case _:
            raise ValueError(f"no kind of database: {kind}")


@contextmanager
def kept_database(kind: str, folder: Path) -> Iterator[str]:
    """As :func:`new_database`, but one that outlives who opens it, and that several may open:
    SQLite's is a file in ``folder``."""
    if kind in ("postgresql", "mysql"):
        with new_database(kind) as url:
            yield url
    else:
        yield f"sqlite:///{folder / 'auth.db'}"


def execute(url: str, statement: str) -> None:
    """Do in a database of :func:`kept_database` what no application would."""
    parsed = sa.make_url(url)
    match parsed.get_backend_name():
        case "sqlite":
            with closing(sqlite3.connect(str(parsed.database))) as connection, connection:
                connection.execute(statement)
        case "postgresql":
            _postgresql().execute(f"SET search_path = {parsed.query['search_path']}; {statement}")
        case _:
            _mysql().execute(f"USE {parsed.database}")
            _mysql().execute(statement)


_DO_NOT_WAIT = "synchronous_commit"

_done_with: dict[Hashable, list[str]] = {}
"""URLs of databases by kind and shape, in which nothing is but empty tables."""


@contextmanager
def lent_database(kind: str, shape: Hashable) -> Iterator[str]:
    """As :func:`new_database`, for who changes no tables: where another is done with theirs that
    is of the same ``shape``, it is that one. Making tables takes longer than most tests, and so
    does waiting for the disk: of PostgreSQL's, nothing needs to outlive the server."""
    if kind not in ("postgresql", "mysql"):
        with new_database(kind) as url:
            yield url
        return
    free = _done_with.setdefault((kind, shape), [])
    if free:
        url = free.pop()
    else:
        kept = ExitStack()
        url = kept.enter_context(new_database(kind))
        atexit.register(kept.close)
        if kind == "postgresql":
            url += f"&{_DO_NOT_WAIT}=off"
    yield url
    _delete_rows(kind, url)
    free.append(url)


def _delete_rows(kind: str, url: str) -> None:
    parsed = sa.make_url(url)
    if kind == "postgresql":
        schema = parsed.query["search_path"]
        _postgresql().execute(
            "DO $$ DECLARE one name; BEGIN "
            f"FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = '{schema}' LOOP "
            f"EXECUTE format('DELETE FROM {schema}.%I', one); END LOOP; END $$"
        )
        return
    cursor = _mysql()
    cursor.execute(f"SHOW TABLES IN {parsed.database}")
    tables = [name for (name,) in cursor.fetchall()]
    cursor.execute("SET foreign_key_checks = 0")
    for table in tables:
        cursor.execute(f"DELETE FROM {parsed.database}.`{table}`")
    cursor.execute("SET foreign_key_checks = 1")
    cursor.connection.commit()


def session_settings(kind: str) -> dict[str, Any]:
    """What the settings of a session must say for an empty database of this kind."""
    if kind not in WITH_REDIS:
        return {}
    keep_table = kind == "redis-and-table"
    return {"store": {"url": redis_url(), "prefix": new_prefix(), "keep_table": keep_table}}


def new_prefix() -> str:
    """What nobody's keys begin with yet."""
    return f"test:{uuid4().hex[:12]}:"


@cache
def redis_url() -> str:
    """A server of the tests' own, for as long as they run."""
    from tests.servers import RedisServer  # which needs nothing of this module, but pytest

    directory = Path(tempfile.mkdtemp(prefix="better_auth_redis_"))
    server = RedisServer(directory)
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    atexit.register(server.stop)
    return server.url


class _Postgresql:
    """One connection for making and dropping, in an event loop of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        settings = {_DO_NOT_WAIT: "off"}
        self._connection = self._run(
            asyncpg.connect(POSTGRESQL, timeout=5, server_settings=settings)
        )

    def execute(self, statement: str) -> None:
        self._run(self._connection.execute(statement))

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)


_postgresql = cache(_Postgresql)


@cache
def _mysql() -> Any:
    url = sa.make_url(MYSQL)
    connection = pymysql.connect(
        host=url.host, port=url.port or 3306, user=url.username, password=url.password or ""
    )
    return connection.cursor()
