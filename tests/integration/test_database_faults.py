"""The database locked, changed, full or gone under a running server: 503, and nobody signed out.

A fault of the database is told from an absent session everywhere: the answer is a 503 to try
again, in the one JSON shape, that takes no cookie back; once the fault is over, the same cookie
works again.
"""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, WebSocket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from better_auth.adapters import sqlite as sqlite_backend
from better_auth.handlers import CurrentSession, OptionalSession, mount_auth
from better_auth.models import User
from tests.conftest import Site
from tests.integration.test_cli import COMMAND, url_in
from tests.support import (
    COOKIE,
    PASSWORD,
    SECRET,
    Browser,
    LoopKeeper,
    MovableClock,
    bearer,
    environment,
    make_auth,
    serve,
)

DATABASES = ["sqlite"]
"""The faults of a file; those of servers are in ``tests/faults``."""

MakeSite = Callable[..., Site]
USER = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}
UNAVAILABLE = {
    "code": "SERVICE_UNAVAILABLE",
    "message": "The database cannot be reached. Please try again.",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database file is."""
    return tmp_path / "auth.db"


@pytest.fixture
def patient(site_with: MakeSite, path: Path) -> Site:
    """A server on the file, as it comes: it waits 5 seconds for another's lock."""
    return site_with(database=f"sqlite:///{path}")


@pytest.fixture
def hasty(site_with: MakeSite, path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A server on the file that waits half a second for another's lock."""
    monkeypatch.setattr(sqlite_backend, "BUSY_TIMEOUT", 0.5)
    return site_with(database=f"sqlite:///{path}")


@contextmanager
def another(path: Path) -> Iterator[sqlite3.Connection]:
    """Another program's connection to the file."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as connection:
        yield connection


@contextmanager
def locked(path: Path, mode: str = "IMMEDIATE") -> Iterator[None]:
    """The file while another program holds its write lock."""
    with another(path) as connection:
        connection.execute(f"BEGIN {mode}")
        yield
        connection.execute("ROLLBACK")


@contextmanager
def renamed(path: Path, table: str) -> Iterator[None]:
    """The database while ``table`` is called something else."""
    with another(path) as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
        yield
        connection.execute(f"ALTER TABLE elsewhere RENAME TO {table}")


def check_unavailable(answer: httpx.Response) -> None:
    """A 503 in the one shape, to be tried again, that signs nobody out."""
    assert answer.status_code == 503, answer.text
    assert answer.json() == UNAVAILABLE
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers


def timed(ask: Callable[[], httpx.Response]) -> tuple[httpx.Response, float]:
    """The answer, and the seconds it took."""
    before = time.perf_counter()
    return ask(), time.perf_counter() - before


def check_at_once(ask: Callable[[], httpx.Response]) -> None:
    """A 200 that waited for no lock; of three the fastest counts, the machine does other things
    too."""
    answers = [timed(ask) for _ in range(3)]
    assert {answer.status_code for answer, _ in answers} == {200}
    assert min(seconds for _, seconds in answers) < 0.4


# Locked


@pytest.mark.parametrize("mode", ["IMMEDIATE", "EXCLUSIVE"])
def test_reading_needs_no_lock(hasty: Site, path: Path, mode: str) -> None:
    """While another program writes, who is signed in stays so, and does not wait for it."""
    browser = hasty.browser()
    browser.sign_up()
    with locked(path, mode):
        for ask in ("/get-session", "/list-sessions"):
            check_at_once(lambda ask=ask: browser.get(ask))
        unknown = hasty.client().get("/get-session", headers=bearer("session_" + "A" * 43))
        assert unknown.status_code == 401
        wrong = hasty.browser().sign_in(password="a wrong password")
        assert wrong.json()["code"] == "INVALID_EMAIL_OR_PASSWORD"


def test_a_lock_is_waited_for_and_no_longer(patient: Site, path: Path) -> None:
    """A sign-in waits 5 seconds for another program's lock, then is told to try again; meanwhile
    everybody else is answered."""
    browser = patient.browser()
    browser.sign_up()
    visitor = patient.browser()
    with locked(path), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(timed, visitor.sign_in)
        while not waiting.done():
            answer, seconds = timed(lambda: browser.get("/get-session"))
            assert answer.status_code == 200
            assert seconds < 3
        refused, waited = waiting.result()
    check_unavailable(refused)
    assert 4 < waited < 7
    assert browser.get("/get-session").status_code == 200
    assert visitor.sign_in().status_code == 200


def test_a_lock_released_in_time(patient: Site, path: Path) -> None:
    """Who waited is served as soon as the lock is gone."""
    patient.browser().sign_up()
    visitor = patient.browser()
    with ThreadPoolExecutor(1) as pool:
        with locked(path):
            waiting = pool.submit(visitor.sign_in)
            with pytest.raises(TimeoutError):
                waiting.result(0.5)
        assert waiting.result().status_code == 200
    assert visitor.get("/get-session").status_code == 200


@pytest.mark.parametrize("mode", ["IMMEDIATE", "EXCLUSIVE"])
def test_writing_while_locked(hasty: Site, path: Path, mode: str) -> None:
    """What has to write is refused, has not happened, and happens when tried again."""
    browser, other = hasty.browser(), hasty.browser()
    browser.sign_up()
    other.sign_in()
    with locked(path, mode):
        check_unavailable(hasty.browser().sign_in())
        check_unavailable(hasty.browser().sign_up("grace@example.com"))
        check_unavailable(browser.post("/revoke-other-sessions"))
        check_unavailable(browser.post("/revoke-sessions"))
        ids = [row["id"] for row in browser.get("/list-sessions").json()["sessions"]]
        check_unavailable(browser.post("/revoke-session", {"id": ids[0]}))
        assert len(ids) == 2
    assert hasty.run(hasty.auth.database.count(User)) == 1
    for signed_in in (browser, other):
        assert signed_in.get("/get-session").status_code == 200
    assert browser.post("/revoke-other-sessions").json() == {"count": 1}
    assert hasty.browser().sign_up("grace@example.com").status_code == 200


# Tables that are not there


@pytest.mark.parametrize("table", ["session", "user"])
def test_a_table_is_gone(hasty: Site, path: Path, table: str) -> None:
    """Without its table a session is unknown, not absent: 503, not 401; with the table back, the
    old cookie works."""
    browser = hasty.browser()
    token = browser.sign_up().json()["token"]
    with renamed(path, table):
        for _ in range(2):
            check_unavailable(browser.get("/get-session"))
            check_unavailable(browser.get("/list-sessions"))
            check_unavailable(browser.post("/revoke-other-sessions"))
            check_unavailable(browser.post("/revoke-session", {"token": token}))
            check_unavailable(hasty.browser().sign_in())
        assert browser.get("/ok").status_code == 200
        assert hasty.client().get("/get-session").status_code == 401, (
            "asked nothing of the database"
        )
    assert browser.http.cookies[COOKIE] == token
    assert browser.get("/get-session").status_code == 200
    assert hasty.browser().sign_in().status_code == 200


def test_passwords_are_gone(hasty: Site, path: Path) -> None:
    """Without the table of passwords nobody signs in, known or unknown, and who is stays so."""
    browser = hasty.browser()
    browser.sign_up()
    with renamed(path, "account"):
        check_unavailable(hasty.browser().sign_in())
        check_unavailable(hasty.browser().sign_in("unknown@example.com"))
        assert browser.get("/get-session").status_code == 200
    assert hasty.browser().sign_in().status_code == 200


def test_a_column_is_gone(hasty: Site, path: Path) -> None:
    """A table that is not as it was is the database's fault, not the visitor's."""
    browser = hasty.browser()
    browser.sign_up()
    with another(path) as connection:
        connection.execute("ALTER TABLE session RENAME COLUMN user_agent TO elsewhere")
        check_unavailable(browser.get("/get-session"))
        check_unavailable(hasty.browser().sign_in())
        connection.execute("ALTER TABLE session RENAME COLUMN elsewhere TO user_agent")
    assert browser.get("/get-session").status_code == 200


def test_a_table_dropped_and_restored(hasty: Site, path: Path) -> None:
    """A table dropped by mistake and put back from a copy: everybody is who they were."""
    browser = hasty.browser()
    browser.sign_up()
    with another(path) as connection:
        (statement,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'session'")
        connection.execute("CREATE TABLE copy AS SELECT * FROM session")
        connection.execute("DROP TABLE session")
        check_unavailable(browser.get("/get-session"))
        connection.execute(statement[0])
        assert browser.get("/get-session").status_code == 401, "the table is there, and empty"
        connection.execute("INSERT INTO session SELECT * FROM copy")
    assert COOKIE in browser.http.cookies
    assert browser.get("/get-session").status_code == 200


# The application's own routes


@pytest.fixture
def own_app(clock: MovableClock, path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An application of one's own on the file, the library mounted in it."""
    monkeypatch.setattr(sqlite_backend, "BUSY_TIMEOUT", 0.5)
    app, auth = FastAPI(), make_auth(clock=clock, database=f"sqlite:///{path}")
    mount_auth(app, auth)

    @app.get("/me")
    async def me(session: CurrentSession) -> dict[str, str]:
        return {"id": session.user.id}

    @app.get("/maybe")
    async def maybe(session: OptionalSession) -> dict[str, bool]:
        return {"anybody": session is not None}

    @app.websocket("/ws")
    async def ws(socket: WebSocket, session: CurrentSession) -> None:
        await socket.accept()
        await socket.close()

    with ExitStack() as stack:
        keeper = LoopKeeper(app)
        origin = stack.enter_context(serve(keeper))
        assert keeper.loop is not None
        yield Site(auth, clock, origin, f"{origin}/auth", stack, keeper.loop)


@pytest.mark.parametrize("route", ["/me", "/maybe"])
@pytest.mark.parametrize("table", ["session", "user"])
def test_routes_with_a_session(own_app: Site, path: Path, route: str, table: str) -> None:
    """A route of the application's own answers the same 503: not 401, not 500, and where the
    session is optional, not as if nobody were there."""
    session = own_app.session(own_app.user())
    ways = (bearer(session.token), {"Cookie": f"{COOKIE}={session.token}"})
    with renamed(path, table):
        for headers in ways:
            check_unavailable(httpx.get(own_app.origin + route, headers=headers))
    for headers in ways:
        answer = httpx.get(own_app.origin + route, headers=headers)
        assert answer.json() in ({"id": session.user_id}, {"anybody": True})


def test_routes_while_locked(own_app: Site, path: Path) -> None:
    """The application's own routes do not wait for another program's lock."""
    headers = bearer(own_app.session(own_app.user()).token)
    with locked(path):
        check_at_once(lambda: httpx.get(f"{own_app.origin}/me", headers=headers))


def test_websockets(own_app: Site, path: Path) -> None:
    """A WebSocket is refused with the same 503."""
    headers = bearer(own_app.session(own_app.user()).token)
    url = own_app.origin.replace("http", "ws") + "/ws"
    with renamed(path, "session"):
        with pytest.raises(InvalidStatus) as refused, connect(url, additional_headers=headers):
            pass
    assert refused.value.response.status_code == 503
    assert int(refused.value.response.headers["retry-after"]) >= 1
    with connect(url, additional_headers=headers):
        pass


# A server of its own: what can only be done to a process


@contextmanager
def running(path: Path, *prefix: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``better-auth serve`` on the file; the process, and the origin it is reached at."""
    process = subprocess.Popen(
        [*prefix, COMMAND, "serve", "--port", "0", "--database", f"sqlite:///{path}"],
        cwd=path.parent,
        env=environment(BETTER_AUTH_SECRET=SECRET, BETTER_AUTH_RATE_LIMIT__ENABLED="false"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        printed = ""
        while "/list-sessions" not in printed:
            line = process.stdout.readline()
            assert line, "the server ended"
            printed += line
        yield process, url_in(printed).removesuffix("/auth")
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason="only Linux limits the files of another process"
)
def test_the_disk_is_full(path: Path) -> None:
    """Nothing more can be written to any file: 503 to who would have to write, and everybody who
    is signed in stays so; once there is room, everything works again."""
    with running(path) as (process, origin), closing(Browser(origin)) as browser:
        token = browser.sign_up().json()["token"]
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, hard))
        for _ in range(2):
            check_unavailable(httpx.post(f"{origin}/auth/sign-in/email", json=USER))
            other = USER | {"email": "grace@example.com"}
            check_unavailable(httpx.post(f"{origin}/auth/sign-up/email", json=other))
            check_unavailable(browser.post("/revoke-sessions"))
            for _ in range(5):
                assert browser.get("/get-session").status_code == 200
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert browser.http.cookies[COOKIE] == token
        assert browser.get("/get-session").status_code == 200
        assert httpx.post(f"{origin}/auth/sign-up/email", json=other).status_code == 200
        assert browser.post("/revoke-sessions").json() == {"count": 1}


def bound_by_permissions() -> list[str]:
    """What to put before a command so that file permissions bind it, even when root runs it."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("NOT TESTED: root may write read-only files, and there is no setpriv here")
    dropped = "-dac_override,-dac_read_search"
    return [setpriv, f"--bounding-set={dropped}", f"--inh-caps={dropped}"]


@contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """The database's files and folder while nobody may write them."""
    files = list(path.parent.glob(f"{path.name}*"))
    modes = [(file, file.stat().st_mode) for file in (*files, path.parent)]
    for file, mode in modes:
        file.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for file, mode in reversed(modes):
            file.chmod(mode)


def test_files_become_read_only(path: Path) -> None:
    """Files made read-only under a running server: whoever is signed in stays so, everybody else
    is let in or told 503, and once they may be written again all is as before."""
    with running(path, *bound_by_permissions()) as (_, origin), closing(Browser(origin)) as browser:
        browser.sign_up()
        with unwritable(path):

            def ask(number: int) -> httpx.Response:
                headers = bearer(browser.http.cookies[COOKIE])
                if number % 4:
                    return httpx.get(f"{origin}/auth/list-sessions", headers=headers)
                return httpx.post(f"{origin}/auth/sign-in/email", json=USER, timeout=30)

            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(ask, range(24)))
            for answer in answers:
                if answer.status_code != 200:
                    check_unavailable(answer)
            assert browser.get("/get-session").status_code == 200
        assert browser.get("/list-sessions").status_code == 200
        assert browser.sign_in().status_code == 200


# At start


def no_database(path: Path) -> None:
    """A file that is none."""
    path.write_bytes(os.urandom(100_000))


def a_folder(path: Path) -> None:
    """A folder in the file's place."""
    path.mkdir()


def elsewhere(path: Path) -> None:
    """A link to what is not there, below what is no folder."""
    file = path.parent / "file"
    file.write_text("not a folder")
    path.symlink_to(file / "auth.db")


def unreadable(path: Path) -> None:
    """A database nobody may read."""
    sqlite3.connect(path).close()
    path.chmod(0o000)


def read_only(path: Path) -> None:
    """A database without tables that nobody may write."""
    with another(path) as connection:
        connection.execute("CREATE TABLE other (id)")
    path.chmod(0o400)


def failed(path: Path, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """What a command said beside the database that it failed for."""
    done = subprocess.run(
        command,
        cwd=path.parent,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    return done


BROKEN = [no_database, a_folder, elsewhere, unreadable, read_only]


@pytest.mark.parametrize("broken", BROKEN)
def test_an_asgi_server_does_not_start(path: Path, broken: Callable[[Path], None]) -> None:
    """Without its database an application refuses to start, and says so without a trace."""
    broken(path)
    (path.parent / "own.py").write_text(
        "from better_auth import AuthConfig, BetterAuth\n"
        f"auth = BetterAuth(AuthConfig({SECRET!r}), database='sqlite:///{path}')\n"
    )
    command = (sys.executable, "-m", "uvicorn", "--port", "0", "--lifespan", "on", "own:auth")
    done = failed(path, *bound_by_permissions(), *command)
    assert "Application startup failed" in done.stderr
    assert "database" in done.stderr
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr


def test_a_framework_does_not_start(path: Path) -> None:
    """A framework that traces what keeps it from starting has nothing of a driver's to show."""
    a_folder(path)
    (path.parent / "own.py").write_text(
        "from fastapi import FastAPI\n"
        "from better_auth import AuthConfig, BetterAuth\n"
        "from better_auth.handlers import mount_auth\n"
        "app = FastAPI()\n"
        f"auth = BetterAuth(AuthConfig({SECRET!r}), database='sqlite:///{path}')\n"
        "mount_auth(app, auth)\n"
    )
    done = failed(path, sys.executable, "-m", "uvicorn", "--port", "0", "own:app")
    assert "database unavailable" in done.stderr
    assert done.stderr.count("Traceback") == 1
    assert "sqlalchemy" not in done.stderr


@pytest.mark.parametrize("broken", BROKEN)
def test_serve_promises_nothing(path: Path, broken: Callable[[Path], None]) -> None:
    """``better-auth serve`` without its database ends with an error, and never says it listens."""
    broken(path)
    command = (COMMAND, "serve", "--port", "0", "--database", f"sqlite:///{path}")
    done = failed(path, *bound_by_permissions(), *command, BETTER_AUTH_SECRET=SECRET)
    assert "Traceback" not in done.stderr
    assert "the database cannot be used" in done.stderr
    assert "listens" not in done.stdout
    assert SECRET not in done.stderr


def test_a_failed_start_may_be_tried_again(
    path: Path, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application started by its first request cannot start while the database is locked, and
    is started by the first request after that."""
    monkeypatch.setattr(sqlite_backend, "BUSY_TIMEOUT", 0.5)
    with another(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    auth = make_auth(clock=clock, database=f"sqlite:///{path}")
    with (
        serve(auth, lifespan="off", log_level="critical") as origin,
        closing(Browser(origin)) as browser,
    ):
        with locked(path):
            assert browser.get("/ok").status_code >= 500
        assert browser.sign_up().status_code == 200
        assert browser.get("/get-session").status_code == 200
