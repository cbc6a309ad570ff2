"""Fixtures: an application behind a real server, a clock, browsers."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from better_auth import BetterAuth
from tests.support import Browser, MovableClock, make_auth, serve


@dataclass
class Site:
    """A served application, the clock it runs on, and ways to ask it."""

    auth: BetterAuth
    clock: MovableClock
    origin: str
    url: str
    stack: ExitStack

    def browser(self) -> Browser:
        """A new browser, signed in as nobody."""
        browser = Browser(self.origin, self.auth.config.base_path)
        self.stack.callback(browser.close)
        return browser

    def client(self) -> httpx.Client:
        """A program without a cookie jar: send the Authorization header yourself."""
        client = httpx.Client(base_url=self.url)
        client.cookies.jar.set_policy(_NoCookies())
        self.stack.callback(client.close)
        return client


class _NoCookies(httpx.Cookies().jar._policy.__class__):  # type: ignore[misc]
    def set_ok(self, cookie: object, request: object) -> bool:
        return False


@pytest.fixture
def clock() -> MovableClock:
    """A clock at the start of 2024 that stands still until moved."""
    return MovableClock()


@pytest.fixture
def site_with(clock: MovableClock) -> Iterator[Callable[..., Site]]:
    """Makes a served application with the settings given; see ``make_auth``."""
    with ExitStack() as stack:

        def make(**settings: Any) -> Site:
            auth = make_auth(clock=clock, **settings)
            origin = stack.enter_context(serve(auth))
            return Site(auth, clock, origin, origin + auth.config.base_path, stack)

        yield make


@pytest.fixture
def site(site_with: Callable[..., Site]) -> Site:
    """A served application with the default settings."""
    return site_with()
