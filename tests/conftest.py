"""Fixtures: an application behind a real server, a clock, browsers."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Hashable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from better_auth import BetterAuth, Session, User
from tests import databases
from tests.support import NO_TLS, PATIENCE, Browser, LoopKeeper, MovableClock, make_auth, serve

T = TypeVar("T")


@dataclass
class Site:
    """A served application, the clock it runs on, and ways to ask it."""

    auth: BetterAuth
    clock: MovableClock
    origin: str
    url: str
    stack: ExitStack
    loop: asyncio.AbstractEventLoop

    def browser(self) -> Browser:
        """A new browser, signed in as nobody."""
        browser = Browser(self.origin, self.auth.config.base_path)
        self.stack.callback(browser.close)
        return browser

    def client(self) -> httpx.Client:
        """A program without a cookie jar: send the Authorization header yourself."""
        client = httpx.Client(base_url=self.url, verify=NO_TLS, timeout=PATIENCE)
        client.cookies.jar.set_policy(_NoCookies())
        self.stack.callback(client.close)
        return client

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What ``work`` returns, run in the server's own event loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def user(self, email: str = "ada@example.com", **more: Any) -> User:
        """A user without a password, which costs no hash."""
        return self.run(self.auth.users.create(name="Ada", email=email, **more))

    def session(self, user: User, **options: Any) -> Session:
        """A session of ``user``, its token in the open."""
        return self.run(self.auth.sessions.create(user, **options))


def open_site(stack: ExitStack, clock: MovableClock, **settings: Any) -> Site:
    """A served application that lives as long as ``stack``; see ``make_auth``."""
    auth = make_auth(clock=clock, **settings)
    served = LoopKeeper(auth)
    origin = stack.enter_context(serve(served))
    assert served.loop is not None
    return Site(auth, clock, origin, origin + auth.config.base_path, stack, served.loop)


class _NoCookies(httpx.Cookies().jar._policy.__class__):  # type: ignore[misc]
    def set_ok(self, cookie: object, request: object) -> bool:
        return False


@pytest.fixture
def clock() -> MovableClock:
    """A clock at the start of 2024 that stands still until moved."""
    return MovableClock()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests of a served application run on every kind of database, but where they themselves
    (``@pytest.mark.databases``) or their module (``DATABASES``) name those they are about; with
    ``is_cached``, with sessions in memory as well where that can be."""
    if "database_kind" not in metafunc.fixturenames:
        return
    kinds = databases.kinds_for(metafunc.module.__name__)
    marker = metafunc.definition.get_closest_marker("databases")
    listed = marker.args if marker else getattr(metafunc.module, "DATABASES", kinds)
    if "is_cached" in metafunc.fixturenames:
        ways = [(kind, is_cached) for kind in listed for is_cached in (False, True)]
        ways = [way for way in ways if way != ("mysql", True)]
        ids = [f"{kind}, cached" if is_cached else kind for kind, is_cached in ways]
        metafunc.parametrize(("database_kind", "is_cached"), ways, scope="session", ids=ids)
    else:
        metafunc.parametrize("database_kind", listed, scope="session")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Says loudly which databases nothing was tested on, and what else was not there."""
    for kind in set(databases.KINDS) - set(databases.kinds()):
        terminalreporter.write_line(f"NOT TESTED on {kind}: no server", red=True, bold=True)
    skipped = {str(report.longrepr[2]) for report in terminalreporter.getreports("skipped")}
    for reason in sorted(reason for reason in skipped if "NOT TESTED" in reason):
        terminalreporter.write_line(reason.removeprefix("Skipped: "), red=True, bold=True)


@pytest.fixture
def database_url(database_kind: str, tmp_path: Path) -> Iterator[str]:
    """An empty database that outlives the applications on it; several may open it."""
    with databases.kept_database(database_kind, tmp_path) as url:
        yield url


@pytest.fixture
def site_with(
    clock: MovableClock, database_kind: str, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Site]]:
    """Makes a served application with the settings given; see ``make_auth``. Those on one
    database are one deployment: they have their sessions in common."""
    of_deployment: defaultdict[str, dict[str, Any]] = defaultdict(
        lambda: databases.session_settings(database_kind)
    )
    with ExitStack() as stack:

        def make(**settings: Any) -> Site:
            if "database" not in settings:
                settings["database"] = stack.enter_context(
                    databases.lent_database(database_kind, _shape(settings))
                    if databases.keeps_tables(request.module.__name__)
                    else databases.new_database(database_kind)
                )
                session = databases.session_settings(database_kind)
            else:
                url = str(settings["database"])
                if url.startswith("sqlite") and database_kind in ("postgresql", "mysql"):
                    pytest.fail(f"this tests SQLite and says it were {database_kind}")
                session = of_deployment[url]
            settings["session"] = {**session, **settings.get("session", {})}
            return open_site(stack, clock, **settings)

        yield make


@pytest.fixture(scope="module")
def shared_site_with(database_kind: str) -> Iterator[Callable[..., Site]]:
    """As ``site_with``, for several tests that leave nothing in each other's way."""
    with ExitStack() as stack:

        def make(**settings: Any) -> Site:
            database = stack.enter_context(databases.new_database(database_kind))
            session = databases.session_settings(database_kind)
            return open_site(stack, MovableClock(), database=database, session=session, **settings)

        yield make


def _shape(settings: dict[str, Any]) -> Hashable:
    """What decides which tables an application has."""
    plugins = settings.get("plugins")
    return (
        None if plugins is None else tuple(type(plugin) for plugin in plugins),
        settings.get("user_model"),
        repr(settings.get("session", {}).get("cache")),
        settings.get("share_database_with_typescript"),
    )


@pytest.fixture
def site(site_with: Callable[..., Site]) -> Site:
    """A served application with the default settings."""
    return site_with()
