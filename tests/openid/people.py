"""People with browsers, at a site that knows the provider under several ids."""

from contextlib import ExitStack
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from better_auth.clock import utc_now
from better_auth.models import Account
from better_auth.plugins import EmailPasswordPlugin, OAuthPlugin, SessionManagementPlugin
from better_auth.plugins.oauth import Provider
from tests import databases
from tests.conftest import Site, open_site
from tests.openid import APP, OpenIdProvider
from tests.support import NO_TLS, MovableClock


class RealClock(MovableClock):
    """The time it is, as the provider has it too, until it is moved."""

    def __init__(self) -> None:
        super().__init__()
        self._began = self.now

    def __call__(self) -> datetime:
        return utc_now() + (self.now - self._began)


class Person:
    """Somebody with a browser, known to the provider by a login."""

    def __init__(self, site: Site, provider: OpenIdProvider) -> None:
        self.site = site
        self.provider = provider
        self.browser = httpx.Client(verify=NO_TLS)
        site.stack.callback(self.browser.close)

    def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """POST to the application, as a page of its own does."""
        headers = {"Origin": APP, **more.pop("headers", {})}
        return self.browser.post(self.site.url + path, json=body or {}, headers=headers, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        """GET from the application."""
        return self.browser.get(self.site.url + path, **more)

    def begin(self, path: str = "/sign-in/social", provider: str = "acme", **body: Any) -> str:
        """Ask where to go; the provider's URL."""
        answer = self.post(path, {"provider": provider, **body})
        assert answer.status_code == 200, answer.text
        assert answer.json()["redirect"] is True
        return str(answer.json()["url"])

    def back(self, location: str) -> httpx.Response:
        """Follow the provider's redirection to the application."""
        assert location.startswith(APP)
        return self.browser.get(self.site.origin + location.removeprefix(APP))

    def at_provider(self, url: str, login: str = "ada") -> str:
        """Sign in there; where the browser is sent then."""
        return str(self.provider.sign_in(self.browser, url, login).headers["location"])

    def sign_in(self, login: str = "ada", provider: str = "acme", **body: Any) -> httpx.Response:
        """All of it."""
        return self.back(self.at_provider(self.begin(provider=provider, **body), login))

    def session(self) -> dict[str, Any]:
        """The current session and user."""
        answer = self.get("/get-session")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def asked(url: str) -> dict[str, str]:
    """The query of a URL."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def accounts(person: Person, **where: Any) -> list[Account]:
    """Rows of the table."""
    return person.site.run(person.site.auth.database.find(Account, **where))


def somebody(stack: ExitStack, provider: OpenIdProvider, kind: str, /, **options: Any) -> Person:
    """Somebody at a new site, whose plugin has ``options`` and its providers the fields in
    ``options["provider"]``."""
    fields = options.pop("provider", {})
    common = {"issuer": provider.issuer, **fields}
    secret = "a secret: with + and %"
    oauth = OAuthPlugin(
        [
            Provider(id="acme", client_id="app", client_secret=secret, **common),
            Provider(
                id="second",
                client_id="app-by-post",
                client_secret="another secret",
                token_auth="client_secret_post",
                **common,
            ),
            Provider(id="public", client_id="app-public", **common),
            Provider(
                id="posting",
                client_id="app",
                client_secret=secret,
                response_mode="form_post",
                **common,
            ),
        ],
        allow_http=True,
        **options,
    )
    site = open_site(
        stack,
        RealClock(),
        plugins=[EmailPasswordPlugin(), SessionManagementPlugin(), oauth],
        database=stack.enter_context(databases.new_database(kind)),
        base_url=APP,
    )
    return Person(site, provider)
