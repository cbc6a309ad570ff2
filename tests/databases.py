"""Databases for tests: an empty one of each kind, whenever asked.

``TEST_DATABASES`` (for example ``sqlite,postgresql``) says which kinds the tests must
run on, and it is an error if one cannot be reached; without it they run on those that can, and
the closing lines name the others. Where the servers are: ``TEST_POSTGRESQL`` and
``TEST_MYSQL``, URLs of a database in which schemas (PostgreSQL) or beside which
databases (MySQL, MariaDB) may be made and dropped.
"""

import asyncio
import os
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from uuid import uuid4

import asyncpg
import pymysql
import sqlalchemy as sa

POSTGRESQL = os.environ.get("TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/postgres")
MYSQL = os.environ.get("TEST_MYSQL", "mysql://root@127.0.0.1:3306/test")
KINDS = ("sqlite", "postgresql", "mysql")


@cache
def kinds() -> list[str]:
    """The kinds of database to test on."""
    demanded = os.environ.get("TEST_DATABASES")
    if demanded is not None:
        return [kind.strip() for kind in demanded.split(",")]
    return [kind for kind in KINDS if is_reachable(kind)]


@cache
def is_reachable(kind: str) -> bool:
    """Whether there is a server of this kind to make databases on."""
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
        case "sqlite":
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


class _Postgresql:
    """One connection for making and dropping, in an event loop of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._connection = self._run(asyncpg.connect(POSTGRESQL, timeout=5))

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
