"""Nothing secret is written anywhere: not to a log at any level, not by the repr of an object."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from better_auth import AuthConfig, BetterAuth
from better_auth.adapters import SqlDatabaseAdapter
from better_auth.adapters import sqlite as sqlite_backend
from better_auth.events import SessionCreated, SessionsRevoked, SignInFailed
from better_auth.handlers import CurrentSession, mount_auth
from better_auth.http.call import Call
from better_auth.http.endpoints import get
from better_auth.models import Account, Fields, Principal, Session, Verification
from better_auth.plugins import EmailPasswordPlugin, Plugin, SessionManagementPlugin
from tests.conftest import Site
from tests.support import (
    COOKIE,
    PASSWORD,
    SECRET,
    LoopKeeper,
    MovableClock,
    bearer,
    make_auth,
    serve,
)

DATABASES = ["sqlite"]
"""These tests look into the file, or spoil it."""

WRONG = "incorrect horse battery"
NEVER_ISSUED = "session_" + "N" * 43


class Nothing(Fields):
    """No result."""


class Broken(Plugin):
    """An endpoint that fails in a way nobody foresaw, with everything at hand."""

    @get("/broken")
    async def broken(self, call: Call) -> Nothing:
        """Fail."""
        caller = await call.require()
        listed = await self.context.sessions.list_for(caller.user.id, current=caller.session)
        raise RuntimeError(f"nobody foresaw this: {call}, {caller}, {listed}, {self.context}")

    @get("/broken/{token}")
    async def broken_link(self, call: Call) -> Nothing:
        """Fail, asked by a link."""
        raise RuntimeError("nobody foresaw this")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database file is."""
    return tmp_path / "auth.db"


@pytest.fixture
def site(
    clock: MovableClock,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Site]:
    """An application of one's own on a file, with all that is logged at any level kept."""
    monkeypatch.setattr(sqlite_backend, "BUSY_TIMEOUT", 0.2)
    for name in ("", *logging.root.manager.loggerDict):
        if not name or name.startswith("better_auth"):
            caplog.set_level(logging.DEBUG, logger=name or None)
    app = FastAPI()
    auth = make_auth(
        clock=clock,
        database=f"sqlite:///{path}",
        plugins=[EmailPasswordPlugin(), SessionManagementPlugin(), Broken()],
    )
    mount_auth(app, auth)

    @app.get("/me")
    async def me(session: CurrentSession) -> dict[str, str]:
        return {"id": session.user.id}

    with ExitStack() as stack:
        keeper = LoopKeeper(app)
        origin = stack.enter_context(serve(keeper))
        assert keeper.loop is not None
        yield Site(auth, clock, origin, f"{origin}/auth", stack, keeper.loop)


def stored_secrets(path: Path) -> set[str]:
    """What the database holds that nobody should see: hashes, fingerprints, sealed tokens."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT token_key, sealed_token FROM session").fetchall()
        rows += connection.execute("SELECT password_hash FROM account").fetchall()
    return {value for row in rows for value in row if value}


def written(records: list[logging.LogRecord]) -> str:
    """All that the library's loggers wrote, arguments and tracebacks included."""
    texts = []
    for record in records:
        if record.name.partition(".")[0] == "better_auth":
            texts += [logging.Formatter().format(record), repr(record.args), repr(record.__dict__)]
    return "\n".join(texts)


def check_silent(text: str, secrets: set[str]) -> None:
    """None of the secrets is in ``text``, nor the recognisable part of a hash."""
    for secret in secrets | {SECRET, PASSWORD, WRONG}:
        assert secret not in text, f"{secret[:6]}... was written"
        assert repr(secret)[1:-1] not in text
    assert "session_" + "N" * 10 not in text
    assert "$argon2" not in text


def test_a_day_in_the_log(site: Site, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Signing up, in, wrongly and out, listing, revoking, refreshing: with every logger at DEBUG,
    no token, password, secret, hash or fingerprint is written."""
    browser, other = site.browser(), site.browser()
    secrets = {browser.sign_up().json()["token"], other.sign_in().json()["token"]}
    secrets |= {browser.sign_in().json()["token"]}
    secrets |= stored_secrets(path)
    assert len(secrets) == 3 + 6 + 1
    assert other.sign_in(password=WRONG).status_code == 401
    assert other.sign_in("unknown@example.com", password=WRONG).status_code == 401
    assert other.sign_up(password=WRONG).status_code == 422
    assert other.sign_up("short@example.com", password=WRONG[:4]).status_code == 400
    assert other.post("/sign-in/email", {"email": 5, "password": WRONG}).status_code == 400
    assert site.client().get("/get-session", headers=bearer(NEVER_ISSUED)).status_code == 401
    site.clock.move(days=2)
    assert browser.get("/get-session").status_code == 200
    assert browser.get("/list-sessions").status_code == 200
    assert httpx.get(f"{site.origin}/me", headers=bearer(NEVER_ISSUED)).status_code == 401
    token = browser.http.cookies[COOKIE]
    assert httpx.get(f"{site.origin}/me", headers=bearer(token)).status_code == 200
    assert browser.post("/revoke-session", {"token": NEVER_ISSUED}).status_code == 200
    rows = browser.get("/list-sessions").json()["sessions"]
    others = [row["token"] for row in rows if row["token"] != token]
    assert browser.post("/revoke-session", {"token": others[0]}).status_code == 200
    assert browser.post("/revoke-other-sessions").status_code == 200
    assert browser.post("/sign-out").status_code == 200
    assert browser.get("/get-session").status_code == 401
    check_silent(written(caplog.records), secrets)


def test_the_log_of_a_failure(site: Site, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A 500 is logged with its traceback, and with objects of the library in its message; none
    of them shows a secret."""
    browser = site.browser()
    secrets = {browser.sign_up().json()["token"], site.browser().sign_in().json()["token"]}
    secrets |= stored_secrets(path)
    assert browser.get("/broken").status_code == 500
    text = written(caplog.records)
    assert "nobody foresaw this" in text
    check_silent(text, secrets)


def test_the_log_of_a_failing_link(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Where a path holds a link's token, as `/reset-password/{token}` does, its failure is logged
    without."""
    assert site.browser().get(f"/broken/{NEVER_ISSUED}").status_code == 500
    text = written(caplog.records)
    assert "GET /broken/{token} failed" in text
    check_silent(text, set())


def test_the_log_of_a_failing_handler(
    site: Site, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A handler that fails is logged, and its event has no secret to show."""

    def fail(event: object) -> None:
        raise RuntimeError(f"the handler failed: {event!r}")

    for kind in (SessionCreated, SessionsRevoked, SignInFailed):
        site.auth.events.add(kind, fail)
    browser = site.browser()
    secrets = {browser.sign_up().json()["token"], site.browser().sign_in().json()["token"]}
    secrets |= stored_secrets(path)
    site.browser().sign_in(password=WRONG)
    assert browser.post("/revoke-other-sessions").json() == {"count": 1}
    text = written(caplog.records)
    assert text.count("the handler failed") >= 3
    check_silent(text, secrets)


@pytest.mark.parametrize("table", ["session", "user", "account"])
def test_the_log_of_a_broken_database(
    site: Site, path: Path, caplog: pytest.LogCaptureFixture, table: str
) -> None:
    """A 503 is logged with what the database said, not with what was asked of it."""
    browser = site.browser()
    token = browser.sign_up().json()["token"]
    secrets = {token} | stored_secrets(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
        answers = [
            browser.sign_in(),
            site.browser().sign_up("grace@example.com"),
            browser.get("/get-session"),
            browser.get("/list-sessions"),
            browser.post("/revoke-session", {"token": token}),
            httpx.get(f"{site.origin}/me", headers=bearer(token)),
        ]
        other.execute(f"ALTER TABLE elsewhere RENAME TO {table}")
    assert 503 in {answer.status_code for answer in answers}
    text = written(caplog.records)
    assert "database unavailable" in text
    check_silent(text, secrets)


def test_the_log_of_a_locked_database(
    site: Site, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A 503 for another program's lock: the statement that had to wait is not shown."""
    browser = site.browser()
    token = browser.sign_up().json()["token"]
    secrets = {token} | stored_secrets(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert browser.sign_in().status_code == 503
        assert site.browser().sign_up("grace@example.com").status_code == 503
        assert browser.post("/revoke-session", {"token": token}).status_code == 503
        other.execute("ROLLBACK")
    text = written(caplog.records)
    assert "locked" in text
    check_silent(text, secrets)


# Objects


def shown(thing: object) -> str:
    """Every way an object ends up in a message."""
    return f"{thing!r} {thing!s} {thing} {[thing]} { {'x': thing} }"


def test_records(site: Site, path: Path) -> None:
    """A session, an account, a pending proof: none shows what is secret of it, also after it was
    sent to its owner."""
    browser = site.browser()
    token = browser.sign_up().json()["token"]
    browser.get("/list-sessions")
    principal = site.run(site.auth.sessions.resolve(token))
    assert principal is not None
    listed = site.run(site.auth.sessions.list_for(principal.user.id))
    accounts = site.run(site.auth.database.find(Account))
    verification = Verification(
        identifier="reset",
        value=NEVER_ISSUED,
        expires_at=site.clock(),
        created_at=site.clock(),
        updated_at=site.clock(),
    )
    secrets = {token, NEVER_ISSUED} | stored_secrets(path)
    things: list[object] = [principal, listed, accounts, verification, principal.session]
    things += [Principal(listed[0], principal.user), SessionCreated(listed[0], principal.user)]
    assert isinstance(listed[0], Session)
    assert listed[0].token == token
    for thing in things:
        text = shown(thing)
        assert principal.user.id in text or thing is verification
        check_silent(text, secrets)


def test_applications(site: Site) -> None:
    """The application and what it is made of show no secret."""
    context = site.auth.context
    parts = (context, context.keyring, context.sessions, context.passwords, context.config)
    for thing in (site.auth, *site.auth.plugins, *parts, site.auth.call(token=NEVER_ISSUED)):
        check_silent(shown(thing), {NEVER_ISSUED})


@pytest.mark.parametrize(
    "make",
    [
        lambda: AuthConfig(SECRET),
        lambda: AuthConfig(secret=SECRET),
        lambda: AuthConfig(secrets=[SECRET, SECRET[::-1]]),
    ],
)
def test_configurations(make: Callable[[], AuthConfig]) -> None:
    """A configuration in a log, or dumped as JSON, shows no secret of its own."""
    config = make()
    text = shown(config) + config.model_dump_json()
    check_silent(text, {SECRET[::-1]})
    check_silent(shown(BetterAuth(config, database="sqlite://").config), {SECRET[::-1]})


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: AuthConfig(SECRET, secrets=[SECRET[::-1]]),
        lambda: AuthConfig(secrets="[" + SECRET),
        lambda: AuthConfig(SECRET, database_url=["postgresql://ada:" + SECRET]),
        lambda: AuthConfig(SECRET, session={"store": {"url": [SECRET]}}),
    ],
)
def test_wrong_configurations(wrong: Callable[[], AuthConfig]) -> None:
    """What is wrong is named, and never what it was: it may be a secret."""
    with pytest.raises(ValueError) as refused:
        wrong()
    check_silent(str(refused.value), {SECRET, SECRET[:12], SECRET[::-1], SECRET[::-1][-12:]})


def test_a_password_in_a_database_url() -> None:
    """An adapter names its database, without the password in the URL."""
    adapter = SqlDatabaseAdapter("sqlite:///auth.db")
    adapter.url = "sqlite://admin:hunter2@example.com/auth.db"
    assert "example.com" in shown(adapter)
    check_silent(shown(adapter), {"hunter2"})
