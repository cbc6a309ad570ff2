"""One database, two servers: this one and better-auth's in TypeScript.

"A database made by better-auth on Node: a user who signed up there signs in here, a session made
there is valid here, and the other way round (scrypt hashes, plain tokens, column names)."
"""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from better_auth import ConfigurationError
from better_auth.plugins import (
    AdminPlugin,
    AuditPlugin,
    EmailPasswordPlugin,
    OrganizationPlugin,
    SessionManagementPlugin,
    TwoFactorPlugin,
)
from tests import databases
from tests.conftest import Site
from tests.interop.node import peer
from tests.support import PASSWORD, SECRET, bearer, make_auth

DATABASES = ["sqlite", "postgresql", "mysql"]
ADA = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}
MakeSite = Callable[..., Site]


class Other:
    """The server in TypeScript, as a browser sees it."""

    def __init__(self, origin: str) -> None:
        self.http = httpx.Client(base_url=f"{origin}/api/auth", headers={"Origin": origin})
        self.origin = origin

    def post(self, path: str, body: Any = None, token: str | None = None) -> httpx.Response:
        """POST as the holder of ``token``, or of nothing."""
        self.http.cookies.clear()
        return self.http.post(path, json=body or {}, headers=_signed(token))

    def whose(self, token: str) -> Any:
        """The session and user it finds behind ``token``; None: nobody's."""
        self.http.cookies.clear()
        return self.http.get("/get-session", headers=_signed(token)).json()


def _signed(token: str | None) -> dict[str, str]:
    """Its cookie for ``token``: the token and its HMAC-SHA256, URI-encoded."""
    if token is None:
        return {}
    mac = hmac.digest(SECRET.encode(), token.encode(), hashlib.sha256)
    value = quote(f"{token}.{base64.b64encode(mac).decode()}", safe="")
    return {"Cookie": f"better-auth.session_token={value}"}


class Shared:
    """The database both work on."""

    def __init__(self, url: str) -> None:
        self.url = url

    def rows(self, statement: str) -> list[Any]:
        """What ``statement`` finds, or nothing where it changes."""

        async def work() -> list[Any]:
            # As any other program: not by the library.
            url = sa.make_url(self.url)
            driver, options = DRIVERS[url.drivername]
            schema = url.query.get("search_path")
            engine = create_async_engine(
                url.set(drivername=driver).difference_update_query(["search_path"]),
                connect_args={"server_settings": {"search_path": schema}} if schema else {},
                poolclass=NullPool,
            )
            async with engine.begin() as connection:
                if options:
                    await connection.exec_driver_sql(options)
                found = await connection.exec_driver_sql(statement)
                return list(found) if found.returns_rows else []

        return asyncio.run(work())


DRIVERS = {
    "sqlite": ("sqlite+aiosqlite", "PRAGMA busy_timeout = 10000"),
    "postgresql": ("postgresql+asyncpg", ""),
    "mysql": ("mysql+aiomysql", "SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')"),
}


@pytest.fixture
def shared(database_kind: str, tmp_path: Path) -> Iterator[Shared]:
    """An empty database for both."""
    if database_kind == "sqlite":
        yield Shared(f"sqlite:///{tmp_path}/auth.db")
    else:
        with databases.new_database(database_kind) as url:
            yield Shared(url)


@pytest.fixture
def start(folder: Path, shared: Shared) -> Iterator[Callable[..., Other]]:
    """Starts the other server on the database."""
    with ExitStack() as stack:

        def started(**environment: str) -> Other:
            given = {"SECRET": SECRET, "DATABASE": shared.url, **environment}
            other = Other(stack.enter_context(peer(folder, "shared.mjs", **given)))
            stack.callback(other.http.close)
            return other

        yield started


@pytest.fixture
def ours(site_with: MakeSite, shared: Shared) -> Callable[..., Site]:
    """Starts this server on the database."""

    def started(**settings: Any) -> Site:
        return site_with(database=shared.url, share_database_with_typescript=True, **settings)

    return started


Start = Callable[..., Other]
Ours = Callable[..., Site]


def test_made_there(start: Start, ours: Ours, shared: Shared) -> None:
    """Who signed up there signs in here with the same password; a session made there is valid
    here, is listed here, and is ended here for both."""
    other = start()
    made = other.post("/sign-up/email", ADA).json()
    before = shared.rows("SELECT password FROM account")
    site = ours()
    site.clock.now = site.clock.now.replace(year=2020)  # the other's clock is the real one
    client = site.client()
    found = client.get("/get-session", headers=bearer(made["token"]))
    assert found.status_code == 200, found.text
    assert found.json()["user"]["id"] == made["user"]["id"]
    assert found.json()["session"]["token"] == made["token"]

    browser = site.browser()
    signed_in = browser.sign_in()
    assert signed_in.status_code == 200, signed_in.text
    assert site.browser().sign_in(password="wrong horse").status_code == 401
    assert shared.rows("SELECT password FROM account") == before, "a hash that both know stays"
    assert other.post("/sign-in/email", ADA).status_code == 200
    tokens = [row["token"] for row in browser.get("/list-sessions").json()["sessions"]]
    assert made["token"] in tokens
    assert browser.post("/revoke-session", {"token": made["token"]}).json() == {"success": True}
    assert other.whose(made["token"]) is None
    assert client.get("/get-session", headers=bearer(made["token"])).status_code == 401


def test_made_here(start: Start, ours: Ours) -> None:
    """Who signed up here signs in there with the same password; a session made here is valid
    there, and is ended there for both."""
    other, site = start(), ours()
    site.clock.now = site.clock.now.replace(year=2037)  # as far as its TIMESTAMP goes on MySQL
    browser = site.browser()
    made = browser.sign_up().json()
    found = other.whose(made["token"])
    assert found["user"]["email"] == "ada@example.com"
    assert found["session"]["id"] == browser.get("/get-session").json()["session"]["id"]
    there = other.post("/sign-in/email", ADA)
    assert there.status_code == 200, there.text
    assert other.post("/sign-in/email", ADA | {"password": "wrong horse"}).status_code == 401
    assert other.post("/sign-out", token=made["token"]).json() == {"success": True}
    assert browser.get("/get-session").status_code == 401


def test_made_by_us_first(start: Start, ours: Ours, shared: Shared) -> None:
    """A database that this server made is as good to the other, whose migration finds nothing to
    do that would hurt."""
    site = ours(plugins=[EmailPasswordPlugin(), AdminPlugin(), OrganizationPlugin()])
    site.clock.now = site.clock.now.replace(year=2100)
    token = site.browser().sign_up().json()["token"]
    other = start(PLUGINS="1")
    assert other.whose(token)["user"]["name"] == "Ada"
    assert other.post("/sign-up/email", ADA | {"email": "grace@example.com"}).status_code == 200
    made = other.post("/organization/create", {"name": "O", "slug": "o"}, token=token)
    assert made.status_code == 200, made.text
    assert site.run(site.auth.database.pending_migration()) == []


def test_its_server_goes_on(start: Start, ours: Ours) -> None:
    """With what our migration adds, the other server goes on writing, and its own migration has
    nothing to do."""
    other = start(PLUGINS="1")
    site = ours(
        plugins=[
            EmailPasswordPlugin(),
            SessionManagementPlugin(),
            AdminPlugin(),
            OrganizationPlugin(),
            AuditPlugin(),
        ]
    )
    site.clock.now = site.clock.now.replace(year=2020)
    assert other.http.post(f"{other.origin}/migrate").text.strip() in ("", ";")
    made = other.post("/sign-up/email", ADA)
    assert made.status_code == 200
    token = made.json()["token"]
    client = site.client()
    here = client.get("/get-session", headers=bearer(token)).json()
    assert (here["user"]["role"], here["user"]["banned"]) == ("user", False)
    asked = {"name": "O", "slug": "o", "metadata": {"a": 1}}
    organization = other.post("/organization/create", asked, token=token).json()
    listed = client.get("/organization/list", headers=bearer(token)).json()
    assert [one["id"] for one in listed] == [organization["id"]]
    assert listed[0]["metadata"] == {"a": 1}


def test_whom_it_keeps_out(start: Start, ours: Ours, shared: Shared, database_kind: str) -> None:
    """Whoever is banned there, or has a second factor there, is not let in here by a password
    alone, also where no plugin here knows of bans and factors."""
    other = start(PLUGINS="1")
    token = other.post("/sign-up/email", ADA).json()["token"]
    enabled = other.post("/two-factor/enable", {"password": PASSWORD}, token=token)
    assert enabled.status_code == 200, enabled.text
    site = ours()
    site.clock.now = site.clock.now.replace(year=2020)
    shared.rows('UPDATE "user" SET "twoFactorEnabled" = true')
    refused = site.browser().sign_in()
    assert (refused.status_code, refused.json()["code"]) == (403, "TWO_FACTOR_ELSEWHERE")
    shared.rows('UPDATE "user" SET "twoFactorEnabled" = NULL')
    browser = site.browser()
    assert browser.sign_in().status_code == 200
    shared.rows('UPDATE "user" SET banned = true')
    assert site.browser().sign_in().status_code == 403
    assert browser.get("/get-session").status_code == 401
    past = "2019-01-01T00:00:00.000Z" if database_kind == "sqlite" else "2019-01-01 00:00:00"
    shared.rows(f'UPDATE "user" SET banned = true, "banExpires" = \'{past}\'')
    assert browser.get("/get-session").status_code == 200


def test_rows_without_our_columns(start: Start, ours: Ours, shared: Shared) -> None:
    """What the other server does not write reads as what it means: a session there is as old as
    its beginning, remembered, without an absolute end."""
    other = start()
    token = other.post("/sign-up/email", ADA).json()["token"]
    site = ours()
    shared.rows("UPDATE session SET remember = NULL")
    principal = site.run(site.auth.sessions.resolve(token))
    assert principal is not None
    session = principal.session
    assert session.authenticated_at == session.created_at
    assert session.remember is True
    assert session.ends_at is None


def test_contradictions() -> None:
    """What cannot be shared is refused by its name."""
    with pytest.raises(ConfigurationError, match="token_storage"):
        make_auth(share_database_with_typescript=True, session={"token_storage": "sealed"})
    with pytest.raises(ConfigurationError, match="Two"):
        make_auth(share_database_with_typescript=True, plugins=[TwoFactorPlugin()])


def test_the_cookie_is_as_the_server_makes_it(start: Start) -> None:
    """This test signs cookies as the other server does."""
    other = start()
    made = other.post("/sign-up/email", ADA)
    cookie = made.headers["set-cookie"].split(";")[0]
    assert unquote(cookie) == unquote(_signed(made.json()["token"])["Cookie"])
