"""Databases to measure on: as many users and sessions as wanted, the library's own rows.

The library makes the tables, one user and one session; every other row is a copy of those with a
key of its own, written in bulk. So the rows stay the library's, whatever columns it has.
"""

import asyncio
import json
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks.apps import make_auth
from benchmarks.servers import request
from better_auth import BetterAuth
from better_auth.sessions import Client, TokenVault, new_token

PASSWORD = "correct horse battery staple"
COOKIE = "better-auth.session-token"
CLIENT = Client(
    "127.0.0.1", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
)

_CHUNK = 10_000

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Filled:
    """A database with ``sessions`` live sessions of as many users.

    ``tokens`` are those of a random choice of them, ``emails`` the users who can sign in (with
    :data:`PASSWORD`).
    """

    path: str
    sessions: int
    tokens: list[str]
    emails: list[str]

    def checks_by_cookie(self) -> list[bytes]:
        """``GET /auth/get-session``, one request a token."""
        return [
            request("/auth/get-session", headers=[("Cookie", f"{COOKIE}={token}")])
            for token in self.tokens
        ]

    def checks_by_bearer(self, path: str = "/auth/get-session") -> list[bytes]:
        """The same with ``Authorization``."""
        return [
            request(path, headers=[("Authorization", f"Bearer {token}")]) for token in self.tokens
        ]

    def sign_ins(self) -> list[bytes]:
        """``POST /auth/sign-in/email``, one request a user."""
        return [
            request(
                "/auth/sign-in/email",
                method="POST",
                body=json.dumps({"email": email, "password": PASSWORD}).encode(),
            )
            for email in self.emails
        ]


def fill(path: Path, sessions: int, *, sample: int = 2000, passwords: int = 0) -> Filled:
    """Make the database at ``path``; ``sample`` of its tokens and ``passwords`` of its users are
    to be used."""
    auth = make_auth(str(path))
    asyncio.run(make_templates(auth))
    chosen = set(random.Random(sessions).sample(range(sessions), min(sample, sessions)))
    filled = Filled(str(path), sessions, [], [])
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -262144")
    user, account, session = (
        dict(connection.execute(f"SELECT * FROM {table}").fetchone())
        for table in ("user", "account", "session")
    )
    connection.execute("BEGIN")
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    ).fetchall()
    for index in indexes:
        connection.execute(f'DROP INDEX "{index["name"]}"')
    for start in range(0, sessions, _CHUNK):
        users: list[Row] = []
        accounts: list[Row] = []
        copies: list[Row] = []
        for number in range(start, min(start + _CHUNK, sessions)):
            token, email = new_token(), f"user{number}@example.com"
            users.append({**user, "id": str(uuid4()), "email": email})
            copies.append(_session(session, users[-1]["id"], token, auth.sessions.tokens))
            if number in chosen:
                filled.tokens.append(token)
            if number < passwords:
                accounts.append(_account(account, users[-1]["id"]))
                filled.emails.append(email)
        for table, rows in (("user", users), ("account", accounts), ("session", copies)):
            _insert(connection, table, rows)
    for index in indexes:
        connection.execute(index["sql"])
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    random.Random(sessions).shuffle(filled.tokens)
    return filled


async def make_templates(auth: BetterAuth) -> None:
    """The tables, and in them one user who can sign in and has a session."""
    async with auth.lifespan():
        password_hash = await auth.context.passwords.hash(PASSWORD)
        user = await auth.users.create(
            name="Ada Lovelace", email="template@example.com", password_hash=password_hash
        )
        await auth.sessions.create(user, CLIENT)


def _session(template: Row, user_id: str, token: str, tokens: TokenVault) -> Row:
    session_id = str(uuid4())
    return {
        **template,
        "id": session_id,
        "user_id": user_id,
        "token_key": tokens.key(token),
        "sealed_token": tokens.seal(session_id, token),
    }


def _account(template: Row, user_id: str) -> Row:
    return {**template, "id": str(uuid4()), "user_id": user_id, "account_id": user_id}


def _insert(connection: sqlite3.Connection, table: str, rows: list[Row]) -> None:
    if rows:
        columns = list(rows[0])
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
        connection.executemany(statement, _values(rows))


def _values(rows: list[Row]) -> Iterator[list[Any]]:
    return (list(row.values()) for row in rows)
