"""Sessions in memory are not believed where the database does not tell what changes, whatever it
was that silenced it; and are again by themselves once it tells."""

import asyncio
from collections.abc import Callable

import asyncpg
import pytest

from better_auth import ConfigurationError
from tests import databases
from tests.conftest import Site
from tests.contract.test_cache import CACHED, answers, cache_of, cached, in_psql, remembered, until
from tests.servers import pgbouncer, postgres_server
from tests.support import bearer, make_auth

DATABASES = [kind for kind in databases.kinds() if kind == "postgresql"]
MakeSite = Callable[..., Site]

__all__ = ["cached"]

SILENCED = {
    "a trigger dropped": ["DROP TRIGGER better_auth_session_delete ON session"],
    "the function dropped": ["DROP FUNCTION better_auth_session_delete() CASCADE"],
    "another function": [
        "CREATE OR REPLACE FUNCTION better_auth_session_delete() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN RETURN NULL; END'"
    ],
    "a trigger that misses replays": [
        "ALTER TABLE session ENABLE TRIGGER better_auth_session_delete"
    ],
    "triggers disabled": ["ALTER TABLE session DISABLE TRIGGER USER"],
    "another table": [
        "ALTER TABLE session RENAME TO session_whole",
        "DROP INDEX uq_session_token_key, ix_session_user_id, ix_session_expires_at",
        "CREATE TABLE session (LIKE session_whole INCLUDING DEFAULTS)",
        "INSERT INTO session SELECT * FROM session_whole",
    ],
}


@pytest.mark.parametrize("statements", SILENCED.values(), ids=SILENCED.keys())
def test_triggers_taken_away(cached: Site, statements: list[str]) -> None:
    """While the application runs: what another program then revokes is refused within the
    promise. A migration brings the triggers back, and memory is in use again."""
    token = remembered(cached)
    in_psql(cached, *statements, "DELETE FROM session")
    assert until(lambda: answers(cached, token) == 401) < 1.0
    until(lambda: not cache_of(cached.auth).is_current)
    made = cached.run(cached.auth.database.migrate())
    assert any("TRIGGER" in statement for statement in made)
    assert cached.run(cached.auth.database.migrate()) == []
    until(lambda: cache_of(cached.auth).is_current)


MEANWHILE = {
    "a trigger disabled": (
        "ALTER TABLE session DISABLE TRIGGER better_auth_session_delete",
        "DELETE FROM session",
        "ALTER TABLE session ENABLE ALWAYS TRIGGER better_auth_session_delete",
    ),
    "another function": (
        "CREATE TEMP TABLE own AS SELECT prosrc FROM pg_proc WHERE proname LIKE "
        "'better_auth_session_delete' AND pronamespace = current_schema()::regnamespace",
        *SILENCED["another function"],
        "DELETE FROM session",
        "DO $$ BEGIN EXECUTE 'CREATE OR REPLACE FUNCTION better_auth_session_delete() RETURNS "
        "trigger LANGUAGE plpgsql AS ' || quote_literal((SELECT prosrc FROM own)); END $$",
    ),
    "emptied unseen": (
        "ALTER TABLE session DISABLE TRIGGER better_auth_session_truncate",
        "TRUNCATE session",
        "ALTER TABLE session ENABLE ALWAYS TRIGGER better_auth_session_truncate",
    ),
}


@pytest.mark.parametrize("statements", MEANWHILE.values(), ids=MEANWHILE.keys())
def test_triggers_taken_away_for_one_transaction(cached: Site, statements: list[str]) -> None:
    """As a restored dump does: when it is over they are there, and were silent."""
    token = remembered(cached)
    in_psql(cached, "; ".join(statements))
    assert until(lambda: answers(cached, token) == 401) < 1.0
    assert cached.run(cached.auth.database.pending_migration()) == []


def test_changes_replayed_from_elsewhere(cached: Site) -> None:
    """By a program that has the triggers of others not fire; ours do."""
    token = remembered(cached)
    in_psql(cached, "SET session_replication_role = replica", "DELETE FROM session")
    assert until(lambda: answers(cached, token) == 401) < 1.0


def in_database(url: str, *statements: str) -> None:
    """Run statements there, each by itself."""

    async def work() -> None:
        connection = await asyncpg.connect(url, timeout=5)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    asyncio.run(work())


def test_changes_that_a_subscription_replays(site_with: MakeSite) -> None:
    """What another server's rows became, which fires no trigger for a statement."""
    with postgres_server() as server:
        in_database(server.url, "ALTER SYSTEM SET wal_level = logical", "CREATE DATABASE there")
        server.restart()
        there = server.url.replace("/postgres", "/there")
        site = site_with(database=server.url, **CACHED)
        other = site_with(database=there)
        token = other.session(other.user()).token
        in_database(
            there,
            "CREATE PUBLICATION told FOR ALL TABLES",
            "SELECT pg_create_logical_replication_slot('told', 'pgoutput')",
        )
        assert answers(site, token) == 401
        in_database(
            server.url,
            f"CREATE SUBSCRIPTION told CONNECTION 'host=127.0.0.1 port={server.port} user=tester "
            "dbname=there' PUBLICATION told WITH (create_slot = false, slot_name = 'told')",
        )
        try:
            until(lambda: answers(site, token) == 200)
            until(lambda: cache_of(site.auth).is_current)
            hits = cache_of(site.auth).statistics.hits
            until(
                lambda: answers(site, token) == 200 and cache_of(site.auth).statistics.hits > hits
            )
            assert other.client().post("/sign-out", headers=bearer(token)).status_code == 200
            until(lambda: answers(site, token) == 401)
        finally:
            in_database(server.url, "DROP SUBSCRIPTION told")
            for one in (site, other):
                one.run(one.auth.stop())


@pytest.mark.parametrize("name", ["ada lovelace", "ä" * 60])
def test_ids_of_other_programs(cached: Site, name: str) -> None:
    """With a space in them, or so long that all do not fit into one notification: the change is
    made and counts."""
    token = remembered(cached)
    in_psql(
        cached,
        "ALTER TABLE session DROP CONSTRAINT session_user_id_fkey",
        f"INSERT INTO session SELECT '{name}' || n, user_id, expires_at, created_at, updated_at, "
        "ip_address, user_agent, token_key || n, sealed_token, remember, ends_at, authenticated_at "
        "FROM session, generate_series(1, 300) AS n",
        f"UPDATE session SET id = '{name}' WHERE id NOT LIKE '{name}%'",
    )
    until(lambda: cached.run(cached.auth.sessions.resolve(token)).session.id == name)
    in_psql(cached, "DELETE FROM session")
    assert until(lambda: answers(cached, token) == 401) < 1.0


def test_listening_where_nothing_is_told(site_with: MakeSite) -> None:
    """A ``listen_url`` that leads elsewhere, where beats arrive and changes do not."""
    kind = "postgresql"
    with databases.new_database(kind) as here, databases.new_database(kind) as there:
        cache = {"enabled": True, "max_staleness": 0.2, "listen_url": there}
        other = make_auth(database=there, **CACHED)
        site = site_with(database=here, session={"cache": cache})
        site.run(other.database.migrate())
        token = site.session(site.user()).token
        for _ in range(50):
            assert answers(site, token) == 200
            assert not cache_of(site.auth).is_current
        in_psql(site, "DELETE FROM session")
        assert answers(site, token) == 401
        site.run(other.database.close())
        site.run(site.auth.stop())


def test_an_application_started_again(database_kind: str) -> None:
    """In another event loop, as often as one likes: memory is in use again."""
    with databases.new_database(database_kind) as url:
        auth = make_auth(database=url, session={"cache": {"enabled": True, "listen_url": url}})

        async def is_in_use() -> bool:
            async with auth.lifespan():
                for _ in range(500):
                    if cache_of(auth).is_current:
                        return True
                    await asyncio.sleep(0.01)
            return False

        assert all(asyncio.run(is_in_use()) for _ in range(6))


def test_listening_through_a_pooler(site_with: MakeSite) -> None:
    """Which forgets who listens."""
    with postgres_server() as server, pgbouncer(server, 2) as pooler:
        cache = {"enabled": True, "listen_url": pooler}
        site = site_with(database=server.url, session={"cache": cache})
        token = site.session(site.user()).token
        for _ in range(20):
            assert answers(site, token) == 200
            assert not cache_of(site.auth).is_current


@pytest.mark.parametrize(
    "url",
    [
        "mysql://host/name",
        "nothing",
        "postgresql://host:x/name",
        "postgresql://h?pooler=transaction",
    ],
)
def test_wrong_listen_urls(url: str) -> None:
    """Refused at start, by the setting's name and without the URL's password."""
    with pytest.raises(ConfigurationError, match=r"session\.cache\.listen_url"):
        settings = {"cache": {"enabled": True, "listen_url": url}}
        make_auth(database="postgresql://host/name", session=settings)
