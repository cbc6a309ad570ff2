"""Sessions in memory where the table of sessions is partitioned: what is done to a partition by its
own name counts as well.
"""

from collections.abc import Callable
from uuid import uuid4

import pytest

from better_auth.adapters import SqlDatabaseAdapter
from tests import databases
from tests.conftest import Site
from tests.contract.test_cache import (
    CACHED,
    answers,
    cache_of,
    cached,
    in_psql,
    listed,
    remembered,
    until,
)

DATABASES = [kind for kind in databases.kinds() if kind == "postgresql"]
MakeSite = Callable[..., Site]

__all__ = ["cached"]

PARTITIONED = [
    "ALTER TABLE session RENAME TO session_whole",
    "ALTER INDEX session_pkey RENAME TO session_whole_pkey",
    "DROP INDEX uq_session_token_key, ix_session_user_id, ix_session_expires_at",
    "CREATE TABLE session (LIKE session_whole INCLUDING DEFAULTS) PARTITION BY HASH (token_key)",
    "CREATE TABLE part PARTITION OF session FOR VALUES WITH (MODULUS 1, REMAINDER 0) "
    "PARTITION BY HASH (token_key)",
    "CREATE TABLE part_0 PARTITION OF part FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
    "CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
    "ALTER TABLE session ADD PRIMARY KEY (id, token_key)",
    "CREATE UNIQUE INDEX uq_session_token_key ON session (token_key)",
    "CREATE INDEX ix_session_user_id ON session (user_id)",
    "CREATE INDEX ix_session_expires_at ON session (expires_at)",
    "INSERT INTO session SELECT * FROM session_whole",
    "DROP TABLE session_whole",
    'ALTER TABLE session ADD FOREIGN KEY (user_id) REFERENCES "user" (id) ON DELETE CASCADE',
]
"""As in docs/scaling.md, with one level more."""

BOTH = "part_0", "part_1"


@pytest.fixture
def partitioned(cached: Site) -> Site:
    """The application, its table of sessions divided while it runs."""
    in_psql(cached, *PARTITIONED)
    until(lambda: not cache_of(cached.auth).is_current)
    made = cached.run(cached.auth.database.migrate())
    assert any("FOR EACH ROW" in statement for statement in made)
    assert cached.run(cached.auth.database.pending_migration()) == []
    until(lambda: cache_of(cached.auth).is_current)
    return cached


CHANGES = {
    "deleted": "DELETE FROM {}",
    "expired": "UPDATE {} SET expires_at = '2020-01-01'",
    "truncated": "TRUNCATE {}",
    "detached": "ALTER TABLE part DETACH PARTITION {}",
    "dropped": "DROP TABLE {}",
    "replayed": "SET session_replication_role = replica; DELETE FROM {}",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_partition_by_its_name(partitioned: Site, change: str) -> None:
    """Whatever takes the session from it."""
    token = remembered(partitioned)
    in_psql(partitioned, *(change.format(part) for part in BOTH))
    assert until(lambda: answers(partitioned, token) == 401) < 1.0


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM session", "TRUNCATE session", 'DELETE FROM "user"', 'TRUNCATE "user" CASCADE'],
)
def test_the_whole_table(partitioned: Site, statement: str) -> None:
    """As ever."""
    token = remembered(partitioned)
    in_psql(partitioned, statement)
    assert until(lambda: answers(partitioned, token) == 401) < 1.0


def test_what_this_process_does(partitioned: Site) -> None:
    """Sessions made, listed, moved to another partition by a new token, revoked."""
    token = remembered(partitioned)
    user = partitioned.run(partitioned.auth.users.find_by_email("ada@example.com"))
    partitioned.clock.move(seconds=1)
    sessions = [partitioned.session(user) for _ in range(4)]
    assert len(listed(partitioned, token)) == 5
    moved = [partitioned.run(partitioned.auth.sessions.rotate(session)) for session in sessions]
    assert {answers(partitioned, session.token) for session in sessions} == {401}
    assert {answers(partitioned, session.token) for session in moved} == {200}
    assert partitioned.run(partitioned.auth.sessions.revoke_everyone(batch=2)) == 5
    assert answers(partitioned, moved[0].token) == 401


def test_new_sessions_of_another_program(partitioned: Site) -> None:
    """Put into a partition, they are listed."""
    token = remembered(partitioned)
    assert len(listed(partitioned, token)) == 1
    columns = "user_id, expires_at, created_at, updated_at, remember, authenticated_at"
    in_psql(
        partitioned,
        f"INSERT INTO part (id, token_key, {columns}) SELECT 'new', 'key', {columns} FROM session",
    )
    assert until(lambda: len(listed(partitioned, token)) == 2) < 1.0


def test_a_partition_in_another_schema(partitioned: Site) -> None:
    """It tells where the whole is listened to."""
    token = remembered(partitioned)
    elsewhere = f"elsewhere_{uuid4().hex[:12]}"
    moved = [f"ALTER TABLE {part} SET SCHEMA {elsewhere}" for part in BOTH]
    in_psql(partitioned, f"CREATE SCHEMA {elsewhere}", *moved)
    try:
        assert answers(partitioned, token) == 200
        in_psql(partitioned, *(f"DELETE FROM {elsewhere}.{part}" for part in BOTH))
        assert until(lambda: answers(partitioned, token) == 401) < 1.0
    finally:
        in_psql(partitioned, f"DROP SCHEMA {elsewhere} CASCADE")


def test_a_partition_is_silenced(partitioned: Site) -> None:
    """Nothing is believed until a migration has it tell again."""
    token = remembered(partitioned)
    in_psql(partitioned, "ALTER TABLE part_1 DISABLE TRIGGER USER", "DELETE FROM session")
    assert until(lambda: answers(partitioned, token) == 401) < 1.0
    until(lambda: not cache_of(partitioned.auth).is_current)
    made = partitioned.run(partitioned.auth.database.migrate())
    assert all("ENABLE ALWAYS" in statement for statement in made)
    assert len(made) == 3
    assert partitioned.run(partitioned.auth.database.migrate()) == []
    until(lambda: cache_of(partitioned.auth).is_current)


def test_triggers_of_before(partitioned: Site) -> None:
    """Those for each statement, which an earlier version made, make way."""
    in_psql(
        partitioned,
        "CREATE TRIGGER better_auth_session_delete AFTER DELETE ON session "
        "REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT "
        "EXECUTE FUNCTION better_auth_session_delete()",
        "DROP TRIGGER better_auth_session_delete_by_row ON session",
    )
    made = partitioned.run(partitioned.auth.database.migrate())
    assert made[0] == 'DROP TRIGGER "better_auth_session_delete" ON "session"'
    assert partitioned.run(partitioned.auth.database.migrate()) == []
    token = remembered(partitioned)
    in_psql(partitioned, *(f"DELETE FROM {part}" for part in BOTH))
    assert until(lambda: answers(partitioned, token) == 401) < 1.0


def test_the_table_becomes_a_partition(cached: Site) -> None:
    """Of a new one, with the triggers that it has."""
    in_psql(
        cached,
        "ALTER TABLE session RENAME TO session_now",
        "ALTER INDEX session_pkey RENAME TO session_now_pkey",
        "ALTER INDEX uq_session_token_key RENAME TO uq_now",
        "ALTER INDEX ix_session_user_id RENAME TO ix_now_user",
        "ALTER INDEX ix_session_expires_at RENAME TO ix_now_expires",
        "CREATE TABLE session (LIKE session_now) PARTITION BY RANGE (token_key)",
        "ALTER TABLE session ATTACH PARTITION session_now DEFAULT",
        "CREATE UNIQUE INDEX uq_session_token_key ON session (token_key)",
        "CREATE INDEX ix_session_user_id ON session (user_id)",
        "CREATE INDEX ix_session_expires_at ON session (expires_at)",
    )
    database = cached.auth.database
    assert isinstance(database, SqlDatabaseAdapter)
    cached.run(database.migrate())
    assert cached.run(database.migrate()) == []
    token = remembered(cached)
    in_psql(cached, "DELETE FROM session_now")
    assert until(lambda: answers(cached, token) == 401) < 1.0


def test_before_the_application_ran(site_with: MakeSite) -> None:
    """What is printed for an empty database is for tables that are not partitioned."""
    with databases.new_database("postgresql") as url:
        site = site_with(database=url, **CACHED)
        token = remembered(site)
        in_psql(site, *PARTITIONED)
        site.run(site.auth.stop())
        site.run(site.auth.start())
        assert answers(site, token) == 200
        until(lambda: cache_of(site.auth).is_current)
        assert [answers(site, token) for _ in range(2)] == [200, 200]
        in_psql(site, *(f"DELETE FROM {part}" for part in BOTH))
        assert until(lambda: answers(site, token) == 401) < 1.0
        site.run(site.auth.stop())
