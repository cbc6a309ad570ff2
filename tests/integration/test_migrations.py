"""Migrations: from earlier schemas, by an application's own Alembic, printed, twice, and from
several hosts at once."""

import asyncio
import re
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from better_auth import BetterAuth, ConfigurationError
from better_auth.adapters import SqlDatabaseAdapter
from better_auth.errors import DatabaseUnavailable
from better_auth.plugins import AuditPlugin, EmailPasswordPlugin, SessionManagementPlugin
from tests import databases
from tests.support import MovableClock, bearer, every_plugin, make_auth

EARLIER = Path(__file__).parent / "earlier"
EARLIER_SCRIPTS = [
    path
    for path in sorted(EARLIER.glob("*.sql"))
    if path.stem.partition("-")[2] in databases.kinds_for(__name__)
]
EARLIER_SECRET = "a secret of an earlier release, kept"

ENVIRONMENT = """\
import sqlalchemy as sa
from alembic import context
from application import auth, own

engine = sa.create_engine(context.config.get_main_option("sqlalchemy.url"))
with engine.connect() as connection:
    context.configure(
        connection=connection, target_metadata=[own, auth.metadata], render_as_batch=True
    )
    with context.begin_transaction():
        context.run_migrations()
"""

APPLICATION = """\
import sqlalchemy as sa
from better_auth import AuthConfig, BetterAuth
from better_auth.plugins import EmailPasswordPlugin, {plugins}

own = sa.MetaData()
sa.Table("invoice", own, sa.Column("id", sa.Integer, primary_key=True))
config = AuthConfig("x" * 32, database_url="sqlite:///app.db", migrate_at_start=False)
auth = BetterAuth(config, plugins=[EmailPasswordPlugin(), {plugins}()])
"""


def alembic(folder: Path, *arguments: str) -> str:
    """Run the real one."""
    done = subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def started(folder: Path, plugin: type) -> None:
    """The application starts, which it does not while its tables are behind."""
    auth: BetterAuth = make_auth(
        database=f"sqlite:///{folder / 'app.db'}",
        plugins=[EmailPasswordPlugin(), plugin()],
        migrate_at_start=False,
    )

    async def work() -> None:
        try:
            await auth.start()
        finally:
            await auth.stop()
            await auth.database.close()

    asyncio.run(work())


def test_an_alembic_of_ones_own(tmp_path: Path) -> None:
    """ "For users with their own Alembic, auth.metadata": autogenerate, upgrade, a plugin more,
    autogenerate, upgrade; nothing is left to do, and the application starts."""
    alembic(tmp_path, "init", "migrations")
    settings = tmp_path / "alembic.ini"
    settings.write_text(
        settings.read_text().replace("driver://user:pass@localhost/dbname", "sqlite:///app.db")
    )
    (tmp_path / "migrations" / "env.py").write_text(ENVIRONMENT)
    template = tmp_path / "migrations" / "script.py.mako"
    template.write_text(
        template.read_text().replace(
            "import sqlalchemy as sa", "import sqlalchemy as sa\nimport better_auth.adapters.schema"
        )
    )
    for plugin in (SessionManagementPlugin, AuditPlugin):
        application = APPLICATION.format(plugins=plugin.__name__)
        (tmp_path / "application.py").write_text(application)
        if plugin is AuditPlugin:
            with pytest.raises(ConfigurationError, match="migrate"):
                started(tmp_path, plugin)
        alembic(tmp_path, "revision", "--autogenerate", "-m", plugin.__name__)
        alembic(tmp_path, "upgrade", "head")
        assert "No new upgrade operations" in alembic(tmp_path, "check")
        started(tmp_path, plugin)
    with closing(sqlite3.connect(tmp_path / "app.db")) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = {name for (name,) in found}
    assert {"invoice", "session", "audit_event"} <= tables


def test_several_hosts_at_once(database_url: str) -> None:
    """ "Safe to run twice and from several hosts at once": of six that migrate at once each
    succeeds, the tables are made by one, and there is nothing to do afterwards."""
    ran: list[list[str]] = []
    failed: list[BaseException] = []
    together = threading.Barrier(6)

    async def work() -> None:
        auth = make_auth(database=database_url, plugins=every_plugin())
        together.wait(30)
        ran.append(await auth.database.migrate())
        assert await auth.database.migrate() == []
        assert await auth.database.pending_migration() == []
        await auth.database.close()

    def migrate() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=migrate) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert failed == []
    assert sorted(map(bool, ran)) == [False] * 5 + [True]


def test_a_host_that_never_ends(
    database_url: str, database_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another host's migration is waited for, and not for ever; another database's not at all."""
    if database_kind == "sqlite":
        return  # any writer keeps a migration waiting: test_database_faults
    monkeypatch.setattr(f"better_auth.adapters.{database_kind}.MIGRATION_PATIENCE", 1)

    async def work() -> None:
        stuck, waiting = (make_auth(database=database_url).database for _ in range(2))
        assert isinstance(stuck, SqlDatabaseAdapter)
        async with stuck._backend.migrating():
            with pytest.raises(DatabaseUnavailable) as refused:
                await asyncio.wait_for(waiting.migrate(), 20)
            assert "another host" in str(refused.value.__cause__)
            with databases.new_database(database_kind) as url:
                elsewhere = make_auth(database=url).database
                assert await elsewhere.migrate() != []
                await elsewhere.close()
        assert await waiting.migrate() != []
        await stuck.close()
        await waiting.close()

    asyncio.run(work())


def test_printed(database_url: str) -> None:
    """ "--sql to print": what is printed for an empty database is what would have been run, and
    run by hand it leaves nothing to do."""

    async def work() -> None:
        auth = make_auth(database=database_url, plugins=every_plugin())
        planned = await auth.database.pending_migration()
        assert await auth.database.pending_migration() == planned, "printing changes nothing"
        async with auth.database.transaction() as verbs:
            for statement in planned:
                await verbs._connection.exec_driver_sql(statement)  # type: ignore[attr-defined]
        assert await auth.database.migrate() == []
        await auth.database.close()

    asyncio.run(work())


@pytest.mark.parametrize("script", EARLIER_SCRIPTS, ids=lambda path: path.stem)
def test_from_an_earlier_schema(script: Path, tmp_path: Path, clock: MovableClock) -> None:
    """ "`better-auth migrate` from any earlier schema of ours": nothing that was there is lost, who
    was signed in stays so, is listed and revoked, and who had a password signs in with it."""
    text = script.read_text()
    found = re.search("-- its session: (.*)", text)
    assert found is not None
    headers = bearer(found[1])

    async def work(url: str) -> None:
        auth = make_auth(
            database=url, clock=clock, plugins=every_plugin(), secrets=[EARLIER_SECRET]
        )
        async with auth.database.transaction() as verbs:
            for line in text.splitlines():
                if not line.startswith("--"):
                    await verbs._connection.exec_driver_sql(line)  # type: ignore[attr-defined]
        planned = await auth.database.pending_migration()
        assert planned
        assert await auth.database.migrate() == planned
        assert await auth.database.pending_migration() == []
        transport = httpx.ASGITransport(auth)
        client = httpx.AsyncClient(
            transport=transport, base_url="http://x/auth", headers={"Origin": "http://x"}
        )
        async with auth.lifespan(), client:
            answer = (await client.get("/get-session", headers=headers)).json()
            assert answer["user"]["email"] == "ada@example.com"
            assert answer["session"]["createdAt"] == "2024-01-01T00:00:00.000Z"
            listed = (await client.get("/list-sessions", headers=headers)).json()["sessions"]
            assert [session["token"] for session in listed] == [found[1]]
            body = {"email": "ada@example.com", "password": "correct horse battery"}
            signed_in = (await client.post("/sign-in/email", json=body)).json()
            assert signed_in["user"]["id"] == answer["user"]["id"]
            ended = await client.post("/revoke-sessions", headers=bearer(signed_in["token"]))
            assert ended.json() == {"count": 2}
            assert (await client.get("/get-session", headers=headers)).status_code == 401

    with databases.kept_database(script.stem.partition("-")[2], tmp_path) as url:
        asyncio.run(work(url))
