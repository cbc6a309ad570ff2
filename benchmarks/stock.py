"""Stocks of sessions on PostgreSQL: schemas with thousands to millions of the library's own rows.

``BENCHMARK_POSTGRESQL`` is the URL of a database in which schemas may be made. Rows that need a
stock make it and drop it again. The large ones take minutes, so they can be made beforehand, are
then used as they are, and stay until dropped::

    python -m benchmarks.stock make 1000000 10000000
    python -m benchmarks.stock drop

The library makes the tables and one row of each; the server multiplies those by itself
(``INSERT ... SELECT`` from ``generate_series``, indexes made afterwards). Ten sessions a user.
The sessions whose tokens are known are a random choice and lie scattered among the others.
"""

import argparse
import asyncio
import os
import random
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from uuid import uuid4

import asyncpg

from benchmarks.apps import make_auth
from benchmarks.data import Filled, make_templates
from better_auth.sessions.tokens import TOKEN_PREFIX

URL = os.environ.get("BENCHMARK_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/postgres")
SCHEMA = "better_auth_benchmark"
STOCK = f"{SCHEMA}_stock"
SAMPLE = 20_000
"""Sessions of a stock whose tokens are known, at most."""

PER_USER = 10

_STEP = 250_000
"""Rows a statement: so that a fill can be stopped, and says how far it is."""


def url_of(schema: str) -> str:
    """The database, with ``schema`` as the one to use."""
    return f"{URL}{'&' if '?' in URL else '?'}search_path={schema}"


@contextmanager
def new_schema() -> Iterator[str]:
    """The URL of an empty schema, which is dropped at the end."""
    schema = f"{SCHEMA}_{uuid4().hex[:8]}"
    asyncio.run(_execute(f'CREATE SCHEMA "{schema}"'))
    try:
        yield url_of(schema)
    finally:
        asyncio.run(_execute(f'DROP SCHEMA "{schema}" CASCADE'))


@contextmanager
def stocked(sessions: int, *, sample: int = SAMPLE, with_expired: bool = False) -> Iterator[Filled]:
    """``sessions`` live ones: those made beforehand where there are such, else made now and dropped
    at the end. ``with_expired``: as many again that have expired, one between every two."""
    schema = f"{STOCK}_{sessions}"
    if not with_expired and asyncio.run(_exists(schema)):
        yield Filled(url_of(schema), sessions, _sample(sessions, sample), [])
        return
    with new_schema() as url:
        asyncio.run(fill(url, sessions, sample=sample, with_expired=with_expired))
        yield Filled(url, sessions, _sample(sessions, sample), [])


def _chosen(sessions: int, sample: int) -> dict[int, str]:
    """The known tokens by the number of their session; the same ones every time."""
    numbers = random.Random(sessions).sample(range(sessions), min(sample, sessions))
    return {number: _token(sessions, number) for number in numbers}


def _sample(sessions: int, sample: int) -> list[str]:
    return list(_chosen(sessions, sample).values())


def _token(sessions: int, number: int) -> str:
    digest = sha256(f"{sessions}/{number}".encode()).digest()
    return TOKEN_PREFIX + urlsafe_b64encode(digest).decode().rstrip("=")


async def fill(
    url: str, sessions: int, *, sample: int = SAMPLE, with_expired: bool = False
) -> None:
    """Make the tables at ``url`` and their rows, as :func:`stocked` says."""
    auth = make_auth(url, cache=True)  # with the triggers, as a deployment may have them
    await make_templates(auth)
    known = _chosen(sessions, sample)
    keys = [(number, auth.sessions.tokens.key(token)) for number, token in known.items()]
    connection = await asyncpg.connect(url, timeout=5)
    try:
        await connection.execute("SET synchronous_commit = off; SET maintenance_work_mem = '512MB'")
        await connection.execute(_PREPARE)
        await connection.copy_records_to_table("known", records=keys)
        await connection.execute("ANALYZE known")
        put_back = await _strip(connection)
        await _multiply(connection, sessions, with_expired)
        for statement in put_back:
            await connection.execute(statement)
        await connection.execute("DROP TABLE session_template, user_template")
        await connection.execute('VACUUM (ANALYZE) session, "user"')
        with suppress(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CHECKPOINT")  # not while something is measured
    finally:
        await connection.close()


_PREPARE = """
CREATE TABLE session_template AS SELECT * FROM session;
CREATE TABLE user_template AS SELECT * FROM "user";
TRUNCATE session, "user" CASCADE;
CREATE TEMPORARY TABLE known (number bigint PRIMARY KEY, key text);
"""


async def _strip(connection: asyncpg.Connection) -> list[str]:
    """Take constraints and indexes from the two tables; the statements that put them back."""
    constraints = await connection.fetch(
        "SELECT conname, pg_get_constraintdef(oid) AS definition, conrelid::regclass AS table "
        "FROM pg_constraint WHERE connamespace = current_schema()::regnamespace "
        "AND (conrelid IN ('session'::regclass, '\"user\"'::regclass) "
        "OR confrelid IN ('session'::regclass, '\"user\"'::regclass)) ORDER BY contype"
    )
    for found in constraints:
        await connection.execute(f"ALTER TABLE {found['table']} DROP CONSTRAINT {found['conname']}")
    indexes = await connection.fetch(
        "SELECT indexname, indexdef FROM pg_indexes "
        "WHERE schemaname = current_schema() AND tablename IN ('session', 'user')"
    )
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['indexname']}")
    added = [
        f"ALTER TABLE {found['table']} ADD CONSTRAINT {found['conname']} {found['definition']}"
        for found in reversed(constraints)  # primary keys before what refers to them
    ]
    return [index["indexdef"] for index in indexes] + added


async def _multiply(connection: asyncpg.Connection, sessions: int, with_expired: bool) -> None:
    """Copies of the templates: a key, a user and an end of its own for each."""
    numbered = "generate_series($1::bigint, $2::bigint) AS number"
    user = {"id": "md5('user' || number)::uuid::text", "email": "number || '@example.com'"}
    columns, values = await _copied(connection, "user", user)
    users = -(-sessions // PER_USER)
    for start in range(0, users, _STEP):
        await connection.execute(
            f'INSERT INTO "user" ({columns}) SELECT {values} FROM user_template, {numbered}',
            *(start, min(start + _STEP, users) - 1),
        )
    session = {
        "id": "gen_random_uuid()::text",
        "user_id": f"md5('user' || number / {PER_USER})::uuid::text",
        "token_key": "coalesce(known.key, md5('a' || number) || md5('b' || number))",
    }
    ended = {
        **session,
        "token_key": "md5('c' || number) || md5('d' || number)",
        "expires_at": "now() - interval '1 second' - random() * interval '7 days'",
    }
    insert, insert_expired = [
        "INSERT INTO session ({}) SELECT {} FROM session_template, {}".format(
            *await _copied(connection, "session", changed), numbered
        )
        for changed in (session, ended)
    ]
    for start in range(0, sessions, _STEP):
        stop = min(start + _STEP, sessions) - 1
        await connection.execute(f"{insert} LEFT JOIN known USING (number)", start, stop)
        if with_expired:
            await connection.execute(insert_expired, start, stop)


async def _copied(
    connection: asyncpg.Connection, table: str, changed: dict[str, str]
) -> tuple[str, str]:
    """The columns of ``table``, and what each is in a copy."""
    names = await connection.fetch(
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name = $1",
        table,
    )
    columns = [str(found["column_name"]) for found in names]
    values = [changed.get(column, f"{table}_template.{column}") for column in columns]
    return ", ".join(columns), ", ".join(values)


async def _execute(statement: str, url: str = URL) -> None:
    connection = await asyncpg.connect(url, timeout=5)
    await connection.execute(statement)
    await connection.close()


async def _exists(schema: str) -> bool:
    connection = await asyncpg.connect(URL, timeout=5)
    try:
        return bool(await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", schema))
    finally:
        await connection.close()


def make(sizes: Sequence[int]) -> None:
    """Make stocks that stay. One of which the making was interrupted is made anew."""
    for sessions in sizes:
        print(f"{sessions:,} sessions ...", flush=True)
        schema = f"{STOCK}_{sessions}"
        making = f"{schema}_unfinished"
        asyncio.run(_execute(f"DROP SCHEMA IF EXISTS {making} CASCADE"))
        asyncio.run(_execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))
        asyncio.run(_execute(f"CREATE SCHEMA {making}"))
        asyncio.run(fill(url_of(making), sessions))
        asyncio.run(_execute(f"ALTER SCHEMA {making} RENAME TO {schema}"))


async def drop() -> None:
    """Drop every schema of the benchmarks', those of an interrupted run included."""
    connection = await asyncpg.connect(URL, timeout=5)
    for found in await connection.fetch(
        "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, $1)", SCHEMA
    ):
        await connection.execute(f'DROP SCHEMA "{found["nspname"]}" CASCADE')
    await connection.close()


def main() -> None:
    """``make`` stocks of the sizes given, or ``drop`` them all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stock", description=__doc__)
    parser.add_argument("action", choices=("make", "drop"))
    parser.add_argument("sizes", nargs="*", type=int)
    arguments = parser.parse_args()
    if arguments.action == "make":
        make(arguments.sizes)
    else:
        asyncio.run(drop())


if __name__ == "__main__":
    main()
