"""Tables and columns called as the application wants them.

"Table and column names configurable."
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from better_auth import AuthConfig, BetterAuth, ConfigurationError, Session, User
from better_auth.adapters import SqlDatabaseAdapter
from better_auth.names import Names
from tests.conftest import Site
from tests.contract.test_cache import cache_of, until
from tests.support import bearer, every_plugin, make_auth

MakeSite = Callable[..., Site]

RENAMED = {
    "prefix": "auth_",
    "style": "camelCase",
    "tables": {"session": "Order", "user": "people"},
    "columns": {"session.id": "key", "session.user_id": "select", "user.email": "e_mail"},
}


async def names_in(database: Any) -> dict[str, set[str]]:
    """Every table of the database, with its columns."""

    def look(connection: sa.Connection) -> dict[str, set[str]]:
        inspector = sa.inspect(connection)
        return {
            table: {column["name"] for column in inspector.get_columns(table)}
            for table in inspector.get_table_names()
        }

    async with database.reading() as connection:
        found: dict[str, set[str]] = await connection.run_sync(look)
    return found


def test_everything_works(site_with: MakeSite) -> None:
    """With every plugin and every name another, everything is as before."""
    site = site_with(plugins=every_plugin(), database_names=RENAMED)
    browser, other = site.browser(), site.browser()
    assert browser.sign_up().status_code == 200
    assert other.sign_in().status_code == 200
    assert browser.sign_up().status_code == 422, "still unique"
    assert len(browser.get("/list-sessions").json()["sessions"]) == 2
    assert browser.post("/revoke-other-sessions").json() == {"count": 1}
    assert other.get("/get-session").status_code == 401
    made = browser.post("/organization/create", {"name": "Org", "slug": "org"})
    assert made.status_code == 200
    site.clock.move(days=2)
    assert browser.get("/get-session").status_code == 200, "refreshed"
    there = site.run(names_in(site.auth.database))
    assert {"Order", "people", "auth_account", "auth_twoFactor"} <= set(there)
    assert {"key", "select", "tokenKey"} <= there["Order"]
    assert "e_mail" in there["people"]
    assert not {"session", "user", "account"} & set(there)
    site.run(site.auth.users.delete(site.run(site.auth.database.find_one(User))))
    assert site.run(site.auth.database.count(Session)) == 0, "its foreign keys too"


def test_no_migration_is_due(site_with: MakeSite) -> None:
    """What was made under these names is found under them."""
    site = site_with(plugins=every_plugin(), database_names=RENAMED)
    assert site.run(site.auth.database.pending_migration()) == []
    assert site.run(site.auth.database.migrate()) == []


def test_two_applications_in_one_database(
    site_with: MakeSite, database_kind: str, tmp_path: Path
) -> None:
    """A prefix keeps one's tables apart from another's."""
    file = {"database": f"sqlite:///{tmp_path}/a.db"} if database_kind == "sqlite" else {}
    one = site_with(database_names={"prefix": "one_"}, **file)
    assert isinstance(one.auth.database, SqlDatabaseAdapter)
    two = site_with(database=one.auth.database.url, database_names={"prefix": "two_"})
    token = one.browser().sign_up().json()["token"]
    assert two.client().get("/get-session", headers=bearer(token)).status_code == 401
    assert two.browser().sign_up().status_code == 200


@pytest.mark.parametrize("statement", ['DELETE FROM "Order"', "UPDATE people SET name = 'Grace'"])
def test_memory_is_told(site_with: MakeSite, database_kind: str, statement: str) -> None:
    """What another program changes under these names is not shown from memory."""
    if database_kind == "mysql":
        with pytest.raises(ConfigurationError):
            site_with(database_names=RENAMED, session={"cache": {"enabled": True}})
        return
    site = site_with(database_names=RENAMED, session={"cache": {"enabled": True}})
    token = site.session(site.user()).token
    client = site.client()

    def answer() -> tuple[int, str]:
        found = client.get("/get-session", headers=bearer(token))
        return found.status_code, found.json().get("user", {}).get("name", "")

    if database_kind == "postgresql":
        hits = cache_of(site.auth).statistics
        until(lambda: answer() == (200, "Ada") and hits.hits > 0)

    async def change() -> None:
        assert isinstance(site.auth.database, SqlDatabaseAdapter)
        async with site.auth.database.writing() as connection:
            await connection.exec_driver_sql(statement)

    site.run(change())
    until(lambda: answer() in ((401, ""), (200, "Grace")))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"tables": {"sesion": "x"}}, "'sesion'"),
        ({"columns": {"session.user": "x"}}, "'session.user'"),
        ({"columns": {"userId": "x"}}, "'userId'"),
        ({"tables": {"session": "User"}}, "user and session would both"),
        ({"tables": {"session": "user"}}, "user and session would both"),
        ({"columns": {"user.name": "Email"}}, r"user\.name|user\.email"),
        ({"tables": {"session": "drop table"}}, "drop table"),
        ({"columns": {"user.name": ""}}, r"user\.name"),
        ({"tables": {"session": "x" * 64}}, "session"),
        ({"prefix": "1_"}, "1_"),
        ({"style": "kebab-case"}, "style"),
        ({"table": {"session": "x"}}, "table"),
    ],
)
def test_refused(names: dict[str, Any], said: str) -> None:
    """An unknown or contradictory name is refused at start, by itself."""
    with pytest.raises((ValueError, ConfigurationError), match=said):
        make_auth(database_names=names)


def test_long_names() -> None:
    """What would be too long for a database is told apart nevertheless."""
    table = "t" * 60
    auth = make_auth(database_names={"tables": {"session": table}})
    assert isinstance(auth.database, SqlDatabaseAdapter)
    indexes = [index.name for index in auth.database.metadata.tables[table].indexes]
    assert len(set(indexes)) == len(indexes) > 1
    assert all(index is not None and len(index) <= 63 for index in indexes)
    asyncio.run(_start_and_stop(auth))


async def _start_and_stop(auth: BetterAuth[Any]) -> None:
    await auth.start()
    await auth.stop()


def test_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of its own is told by its environment."""
    monkeypatch.setenv("BETTER_AUTH_DATABASE_NAMES__STYLE", "camelCase")
    monkeypatch.setenv("BETTER_AUTH_DATABASE_NAMES__PREFIX", "auth_")
    monkeypatch.setenv("BETTER_AUTH_DATABASE_NAMES__TABLES", "session=logins, user=people")
    monkeypatch.setenv("BETTER_AUTH_DATABASE_NAMES__COLUMNS", '{"session.user_id": "owner"}')
    names = AuthConfig.from_env().database_names
    assert names == Names(
        style="camelCase",
        prefix="auth_",
        tables={"session": "logins", "user": "people"},
        columns={"session.user_id": "owner"},
    )
    monkeypatch.setenv("BETTER_AUTH_DATABASE_NAMES__SUFFIX", "x")
    with pytest.raises(ConfigurationError, match="SUFFIX"):
        AuthConfig.from_env()
