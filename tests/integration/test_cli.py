"""The command line, as a person runs it."""

import json
import os
import pty
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.integration.commands import run
from tests.support import PASSWORD, SECRET, environment

COMMAND = str(Path(sys.executable).parent / "better-auth")
USER = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """Starts ``better-auth serve``; answers the process and what it printed at start."""
    running: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, **more: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [COMMAND, "serve", "--port", "0", *arguments],
            cwd=tmp_path,
            env=environment(**more),
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stdout is not None
        printed = ""
        while "/list-sessions" not in printed:
            line = process.stdout.readline()
            assert line, "the server ended"
            printed += line
        return process, printed

    yield begin
    for process in running:
        if process.poll() is None:
            process.terminate()
            process.wait(20)


def url_in(printed: str) -> str:
    """Where the server says it listens."""
    found = re.search(r"listens on (\S+)", printed)
    assert found
    return found[1].replace("localhost", "127.0.0.1")


def test_serve(start: Callable[..., tuple[subprocess.Popen[str], str]], tmp_path: Path) -> None:
    """ "prints where it listens, where its data is, and three curl lines ... that work as
    printed"; the secret is kept in a 0600 file."""
    process, printed = start()
    assert "Its data is in .better-auth/auth.db\n" in printed
    assert "not Secure" in printed
    lines = [line for line in printed.splitlines() if line.startswith("curl ")]
    answers = []
    for line in lines:
        done = subprocess.run(
            line.replace("curl ", "curl -s --retry 5 --retry-connrefused "),
            shell=True,
            cwd=tmp_path,
            capture_output=True,
        )
        answers.append(json.loads(done.stdout))
    assert [sorted(answer) for answer in answers] == [
        ["token", "user"],
        ["session", "user"],
        ["sessions"],
    ]
    for name in ("secret", "auth.db"):
        assert stat.S_IMODE((tmp_path / ".better-auth" / name).stat().st_mode) == 0o600
    process.send_signal(signal.SIGTERM)
    process.wait(20)
    token = answers[0]["token"]
    _, printed = start()
    answer = httpx.get(
        f"{url_in(printed)}/get-session", headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 200


def test_workers(start: Callable[..., tuple[subprocess.Popen[str], str]]) -> None:
    """Two processes on one database; what one made, both know."""
    _, printed = start("--workers", "2", BETTER_AUTH_SECRET=SECRET)
    url = url_in(printed)
    transport = httpx.HTTPTransport(retries=10)
    with httpx.Client(transport=transport, timeout=20) as client:
        token = client.post(f"{url}/sign-up/email", json=USER).json()["token"]
    for _ in range(20):
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{url}/get-session", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ({}, "secret is missing"),
        ({"BETTER_AUTH_SECRET": "short"}, "secret is too short"),
        (
            {"BETTER_AUTH_SECRET": "better-auth-secret-12345678901234567890"},
            "secret is publicly known",
        ),
    ],
)
def test_production_needs_a_secret(tmp_path: Path, secret: dict[str, str], message: str) -> None:
    """ "In production mode it refuses to start without a proper secret"."""
    done = run("serve", "--mode", "production", cwd=tmp_path, **secret)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"BETTER_AUTH_NONSENSE": "1"}, "BETTER_AUTH_NONSENSE"),
        ({"BETTER_AUTH_SESSION__NONSENSE": "1"}, "BETTER_AUTH_SESSION__NONSENSE"),
        ({"BETTER_AUTH_SESSION__EXPIRES_IN": "soon"}, "session.expires_in"),
        ({"BETTER_AUTH_SESSION__EXPIRES_IN": "inf"}, "session.expires_in"),
        ({"BETTER_AUTH_SESSION__EXPIRES_IN": "1e30"}, "session.expires_in"),
        ({"BETTER_AUTH_SESSION__MAX_LIFETIME": "1e12"}, "session.max_lifetime"),
        ({"BETTER_AUTH_SESSION__COOKIE_PATH": ""}, "session.cookie_path"),
        ({"BETTER_AUTH_BASE_URL": "https://app.example.com:99999"}, "base_url"),
        ({"BETTER_AUTH_BASE_URL": "https://ada@app.example.com"}, "base_url"),
        ({"BETTER_AUTH_SESSION__COOKIE_SAME_SITE": "none"}, "cookie_same_site"),
        ({"BETTER_AUTH_RATE_LIMIT__STORAGE": "nowhere://"}, "rate_limit.storage"),
        ({"BETTER_AUTH_DATABASE_URL": "oracle://x"}, "database"),
        ({"BETTER_AUTH_DATABASE_PATIENCE": "0"}, "database_patience"),
        ({"BETTER_AUTH_SESSION": "1"}, "BETTER_AUTH_SESSION is not a setting"),
        ({"BETTER_AUTH_SESSION__EXPIRE_IN": "1"}, "; BETTER_AUTH_SESSION__EXPIRES_IN is"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, settings: dict[str, str], name: str) -> None:
    """ "an unknown or contradictory setting is refused at start with its name"."""
    done = run("serve", cwd=tmp_path, **settings)
    assert done.returncode == 2
    assert name in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"BETTER_AUTH_MIGRATE_AT_START": "false"}, "the database's tables are behind"),
        ({"BETTER_AUTH_SESSION__STORE__URL": "redis://127.0.0.1:1"}, "127.0.0.1:1"),
        ({"BETTER_AUTH_SESSION__STORE__URL": "redis+cluster://127.0.0.1:1"}, "127.0.0.1:1"),
        ({"BETTER_AUTH_SESSION__STORE__URL": "redis+sentinel://127.0.0.1:1/main"}, "'main'"),
    ],
)
def test_what_it_needs_is_not_there(tmp_path: Path, settings: dict[str, str], reason: str) -> None:
    """Without the tables, or the Redis, that it needs the server says so in few words, and never
    that it listens."""
    done = run("serve", "--port", "0", cwd=tmp_path, **settings)
    assert done.returncode != 0
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert all(len(line) < 300 for line in done.stderr.splitlines())
    assert "listens" not in done.stdout


def test_port_in_use(tmp_path: Path) -> None:
    """A taken port is said, not traced."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run("serve", "--port", str(taken.getsockname()[1]), cwd=tmp_path)
    assert done.returncode != 0
    assert "in use" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "url",
    [
        "nothing",
        "oracle://secret@host/name",
        "sqlite:///auth.db?mode=ro",
        "sqlite://auth.db",
        "postgresql://u:secret@host:port/name",
        "postgresql://u:secret@host/name?pooler=statement",
        "mysql://u:secret@host",
        "mysql://u:secret@host/name?unknown=1",
        "mysql://u:secret@host/name?connect_timeout=long",
        "mysql://u:secret@host/name?ssl_ca=/nowhere.pem",
        "mysql://u:secret@host/name?ssl=true",
    ],
)
def test_wrong_databases_are_said(tmp_path: Path, url: str) -> None:
    """A URL that cannot be right is one line, without its password."""
    done = run("migrate", "--database", url, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("better-auth: database")
    assert len(done.stderr.splitlines()) == 1
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        ("--port", "99999"),
        ("--port", "-1"),
        ("--workers", "0"),
        ("--mode", "prod"),
        ("--base-url", "app.example.com"),
        ("--host", "300.1.1.1"),
        ("--workers=2", "--database=sqlite://"),
    ],
)
def test_wrong_options_are_said(tmp_path: Path, wrong: tuple[str, str]) -> None:
    """Options that cannot be are refused, not traced."""
    done = run("serve", "--port", "0", *wrong, cwd=tmp_path)
    assert done.returncode != 0
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_own_application(
    start: Callable[..., tuple[subprocess.Popen[str], str]], tmp_path: Path
) -> None:
    """``module:auth`` serves the user's own BetterAuth; a wrong name is said."""
    (tmp_path / "mine.py").write_text(
        "from better_auth import AuthConfig, BetterAuth\n"
        f"auth = BetterAuth(AuthConfig({SECRET!r}, base_path='/mine'), database='sqlite://')\n"
    )
    _, printed = start("mine:auth")
    assert httpx.get(f"{url_in(printed)}/ok").json() == {"ok": True}
    assert url_in(printed).endswith("/mine")
    for wrong in ("mine", "mine:nothing", "nothing:auth", "os:path"):
        done = run("serve", wrong, cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr


def test_operating(tmp_path: Path) -> None:
    """secret, migrate, users, sessions, openapi: what an operator does."""
    assert len(run("secret", cwd=tmp_path).stdout.strip()) >= 48
    assert "CREATE TABLE" in run("migrate", "--sql", cwd=tmp_path).stdout
    assert "statements run" in run("migrate", cwd=tmp_path).stdout
    assert run("migrate", cwd=tmp_path).stdout == "Nothing to do in .better-auth/auth.db\n"
    assert run("migrate", "--sql", cwd=tmp_path).stdout == ""
    made = run("users", "create", "--email", "Ada@Example.com", "--name", "Ada", cwd=tmp_path)
    assert "ada@example.com" in made.stdout
    again = run("users", "create", "--email", "ada@example.com", "--name", "Ada", cwd=tmp_path)
    assert again.returncode == 2
    assert "exists already" in again.stderr
    short = run(
        *("users", "create", "--email", "b@example.com", "--name", "B", "--password", "short"),
        cwd=tmp_path,
    )
    assert "at least 8" in short.stderr
    listed = json.loads(run("users", "list", "--json", "--search", "ADA", cwd=tmp_path).stdout)
    assert [user["emailVerified"] for user in listed["users"]] == [True]
    assert (
        run("sessions", "list", "--user", "ada@example.com", "--json", cwd=tmp_path).stdout
        == "[]\n"
    )
    done = run("sessions", "revoke", "--user", listed["users"][0]["id"], cwd=tmp_path)
    assert done.stdout == "0 sessions ended\n"
    assert run("sessions", "revoke", "--user", "no@example.com", cwd=tmp_path).returncode == 2
    assert run("sessions", "purge", cwd=tmp_path).stdout == "0 expired rows deleted\n"
    document = json.loads(run("openapi", cwd=tmp_path).stdout)
    assert document["openapi"].startswith("3.1")
    assert run("--version", cwd=tmp_path).stdout.strip()


def test_names_are_no_markup(tmp_path: Path) -> None:
    """What users call themselves breaks no table, paints nothing and tells a terminal nothing."""
    for number, name in enumerate(("[/b]", "[red]Admin[/red]", "\x1b]0;mine\x07\x1b[2J\u202e")):
        email = f"u{number}@example.com"
        run("users", "create", "--name", name, "--email", email, cwd=tmp_path)
    listed = run("users", "list", cwd=tmp_path, COLUMNS="200", FORCE_COLOR="1")
    assert listed.returncode == 0, listed.stderr
    assert "[/b]" in listed.stdout
    assert "[red]Admin[/red]" in listed.stdout
    for told in ("\x1b]", "\x1b[2J", "\x07", "\u202e"):
        assert told not in listed.stdout


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_logs_without_secrets(
    start: Callable[..., tuple[subprocess.Popen[str], str]], log_format: str
) -> None:
    """ "Structured logs without secrets": each request is a line (`--access-log`), an object of
    JSON where wanted, and the token of a link that was followed is in none."""
    process, printed = start("--access-log", "--log-format", log_format)
    with httpx.Client(transport=httpx.HTTPTransport(retries=10)) as client:
        for base in (url_in(printed), url_in(printed).replace("/auth", "/api/auth")):
            client.get(f"{base}/reset-password/a-secret-token?callbackURL=/page")
            client.get(f"{base}/verify-email?token=a-secret-token")
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    logged = process.stdout.read()
    assert "a-secret-token" not in logged
    lines = [line for line in logged.splitlines() if "reset-password" in line]
    assert len(lines) == 2
    if log_format == "json":
        objects = [json.loads(line) for line in lines]
        assert {one["path"] for one in objects} == {
            "/auth/reset-password/{token}",
            "/api/auth/reset-password/{token}",
        }
        assert {(one["logger"], one["method"]) for one in objects} == {("uvicorn.access", "GET")}


def test_purging_shows_how_far_it_is(tmp_path: Path) -> None:
    """ "`sessions list|revoke|purge` (progress bar)": on a terminal; what is live stays."""
    run("users", "create", "--email", "ada@example.com", "--name", "Ada", cwd=tmp_path)
    with closing(sqlite3.connect(tmp_path / ".better-auth" / "auth.db")) as database:
        (owner,) = database.execute("SELECT id FROM user").fetchone()
        past, future = "2024-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z"
        database.executemany(
            "INSERT INTO session (id, user_id, expires_at, created_at, updated_at,"
            " authenticated_at, token_key) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (f"s{n}", owner, past if n < 250 else future, past, past, past, f"k{n}")
                for n in range(252)
            ],
        )
        database.commit()
        terminal, end = pty.openpty()
        done = subprocess.run(
            [COMMAND, "sessions", "purge"], cwd=tmp_path, env=environment(), stdout=end, timeout=60
        )
        shown = os.read(terminal, 65536).decode()
        for descriptor in (terminal, end):
            os.close(descriptor)
        assert done.returncode == 0
        assert "Purging" in shown
        assert "100%" in shown
        assert "250 expired rows deleted" in shown
        assert database.execute("SELECT count(*) FROM session").fetchone() == (2,)


def test_operator_ends_a_session(
    start: Callable[..., tuple[subprocess.Popen[str], str]], tmp_path: Path
) -> None:
    """A session revoked at the command line is out at the running server at once."""
    _, printed = start()
    with httpx.Client(transport=httpx.HTTPTransport(retries=10)) as client:
        token = client.post(f"{url_in(printed)}/sign-up/email", json=USER).json()["token"]
    shown = run("sessions", "list", "--user", USER["email"], "--json", cwd=tmp_path).stdout
    (session,) = json.loads(shown)
    assert "token" not in session
    done = run("sessions", "revoke", "--id", session["id"], cwd=tmp_path)
    assert done.stdout == "1 sessions ended\n"
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{url_in(printed)}/get-session", headers=headers).status_code == 401


def test_the_audit_trail(tmp_path: Path) -> None:
    """``audit list`` tells what happened, to one user or to all, as a table or as JSON."""
    for name in ("ada", "bob"):
        email = f"{name}@example.com"
        done = run("users", "create", "--name", "X", "--email", email, cwd=tmp_path)
        user_id = done.stdout.split()[0]
    everything = json.loads(run("audit", "list", "--json", cwd=tmp_path).stdout)
    assert [event["type"] for event in everything] == ["account.created", "user.created"] * 2
    for name in ("bob@example.com", user_id):
        shown = run("audit", "list", "--user", name, "--json", cwd=tmp_path).stdout
        assert json.loads(shown) == everything[:2]
    table = run("audit", "list", "--limit", "1", cwd=tmp_path, COLUMNS="200").stdout
    assert "account.created" in table
    assert "user.created" not in table
    unknown = run("audit", "list", "--user", "no@example.com", cwd=tmp_path)
    assert (unknown.returncode, "no@example.com" in unknown.stderr) == (2, True)


def test_a_database_shared_with_typescript(tmp_path: Path) -> None:
    """ "`better-auth serve` goes without" what such a database does not bear."""
    shared = {"BETTER_AUTH_SHARE_DATABASE_WITH_TYPESCRIPT": "true"}
    printed = run("migrate", "--sql", cwd=tmp_path, **shared)
    assert '"userId"' in printed.stdout, printed.stderr
    assert "twoFactorBackupCode" not in printed.stdout


def test_a_place_that_keeps_nothing(tmp_path: Path) -> None:
    """Where no development secret can be kept, what to do instead is said."""
    (tmp_path / ".better-auth").write_text("in the way")
    done = run("migrate", cwd=tmp_path)
    assert done.returncode == 2
    assert "set BETTER_AUTH_SECRET" in done.stderr
    assert "Traceback" not in done.stderr


def test_readable_secret_is_refused(tmp_path: Path) -> None:
    """A development secret that others can read is not used."""
    run("migrate", cwd=tmp_path)
    (tmp_path / ".better-auth" / "secret").chmod(0o644)
    done = run("migrate", cwd=tmp_path)
    assert done.returncode == 2
    assert "chmod 600" in done.stderr


def test_the_first_admin(
    start: Callable[..., tuple[subprocess.Popen[str], str]], tmp_path: Path
) -> None:
    """An admin is made on the command line, by creation or later; a role that is none is named."""
    boss, bob = "boss@example.com", "bob@example.com"
    create, appoint = ("users", "create", "--name", "X"), ("users", "set-role", "--user", bob)
    assert run(*create, "--email", boss, "--role", "admin", cwd=tmp_path).returncode == 0
    assert run(*create, "--email", bob, cwd=tmp_path).returncode == 0
    assert run(*appoint, "--role", "admin", cwd=tmp_path).returncode == 0
    unknown = run(*appoint, "--role", "king", cwd=tmp_path)
    assert unknown.returncode == 2
    assert "king" in unknown.stderr
    _, printed = start()
    for email in (boss, bob):
        body = {"email": email, "password": PASSWORD}
        answer = httpx.post(f"{url_in(printed)}/sign-in/email", json=body)
        assert answer.json()["user"]["role"] == "admin"
        headers = {"Authorization": f"Bearer {answer.json()['token']}"}
        users = httpx.get(f"{url_in(printed)}/admin/list-users", headers=headers)
        assert users.json()["total"] == 2


def test_purging_anonymous_users(tmp_path: Path) -> None:
    """``users purge-anonymous`` deletes those whose sessions are over; without the plugin it says
    that there are none to purge."""
    (tmp_path / "mine.py").write_text(
        "from better_auth import AuthConfig, BetterAuth\n"
        "from better_auth.plugins import AnonymousPlugin\n"
        f"config = AuthConfig({SECRET!r})\n"
        "url = 'sqlite:///mine.db'\n"
        "auth = BetterAuth(config, database=url, plugins=[AnonymousPlugin()])\n"
        "bare = BetterAuth(config, database=url)\n"
    )
    script = """
import asyncio, datetime
from mine import auth

async def work():
    async with auth.lifespan():
        user = await auth.users.create(name="", email=None, fields={"is_anonymous": True})
        ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=8)
        await auth.database.update(type(user), {"created_at": ago}, id=user.id)
asyncio.run(work())
"""
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=60)
    purge = ("users", "purge-anonymous", "--app")
    assert run(*purge, "mine:auth", cwd=tmp_path).stdout == "0 anonymous users deleted\n"
    done = run(*purge, "mine:auth", "--days", "7", cwd=tmp_path)
    assert done.stdout == "1 anonymous users deleted\n", done.stderr
    bare = run(*purge, "mine:bare", cwd=tmp_path)
    assert bare.returncode == 2
    assert "AnonymousPlugin" in bare.stderr


SET_UP = """\
from opentelemetry.metrics import set_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader

out = open("metrics.json", "a")
reader = PeriodicExportingMetricReader(ConsoleMetricExporter(out), export_interval_millis=100)
set_meter_provider(MeterProvider([reader]))
"""


def test_measured_where_that_is_set_up(
    start: Callable[..., tuple[subprocess.Popen[str], str]], tmp_path: Path
) -> None:
    """The standalone server tells OpenTelemetry what it does, where somebody has set its SDK up
    before, as ``opentelemetry-instrument`` does; and does without otherwise."""
    (tmp_path / "sitecustomize.py").write_text(SET_UP)
    process, printed = start(PYTHONPATH=str(tmp_path))
    nobody = httpx.get(f"{url_in(printed)}/get-session", headers={"Authorization": "Bearer x"})
    assert nobody.status_code == 401
    process.terminate()
    process.wait(20)
    metrics = (tmp_path / "metrics.json").read_text()
    assert "better_auth.session.checks" in metrics
    assert "better_auth.request.duration" in metrics
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import better_auth.cli.application as a, sys; a.standalone()\n"
            "assert 'opentelemetry' not in sys.modules",
        ],
        cwd=tmp_path,
        env=environment(PYTHONPATH=""),
    )
    assert done.returncode == 0
