"""What tests share: a clock to move, applications to build, a real server to ask."""

import asyncio
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import uvicorn

from better_auth import AuthConfig, BetterAuth, PasswordConfig, User
from better_auth.mail import Letter
from better_auth.plugins import (
    AccountManagementPlugin,
    AdminPlugin,
    AnonymousPlugin,
    AuditPlugin,
    BearerPlugin,
    EmailOtpPlugin,
    EmailPasswordPlugin,
    EmailVerificationPlugin,
    MagicLinkPlugin,
    MultiSessionPlugin,
    OAuthPlugin,
    OneTimeTokenPlugin,
    OrganizationPlugin,
    PasswordManagementPlugin,
    SessionManagementPlugin,
    TelemetryPlugin,
    TwoFactorPlugin,
    UserManagementPlugin,
    UsernamePlugin,
)
from better_auth.plugins.oauth import preset

SECRET = "test-secret-of-more-than-32-characters"
PASSWORD = "correct horse battery"
COOKIE = "better-auth.session-token"
PATIENCE = 30
"""Seconds to wait for a database or an answer where no test is about that: the machine may stand
still for a while."""
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Shared by all clients: each making its own would load every root certificate anew."""


def environment(**more: str) -> dict[str, str]:
    """This process's environment without settings of ours, and ``more``."""
    return {k: v for k, v in os.environ.items() if not k.startswith("BETTER_AUTH_")} | more


class MovableClock:
    """The present, as the test has it."""

    def __init__(self) -> None:
        self.now = datetime(2024, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        """Move on by a ``timedelta``'s arguments: ``clock.move(days=1)``."""
        self.now += timedelta(**by)


def make_config(**settings: Any) -> AuthConfig:
    """A configuration for tests: no rate limit, cookies over plain http, much patience.

    ``session={...}`` adds to the session's settings.
    """
    session = {"cookie_secure": False, **settings.pop("session", {})}
    settings.setdefault("rate_limit", {"enabled": False})
    settings.setdefault("password", QUICK_PASSWORDS)
    settings.setdefault("database_patience", PATIENCE)
    return AuthConfig(SECRET if "secrets" not in settings else None, session=session, **settings)


QUICK_PASSWORDS = PasswordConfig.model_construct(memory_cost=64, time_cost=1, parallelism=1)
"""Hashes that take a hundredth of the time; no application may have them, but a test that is not
about hashes need not wait for them."""


def make_auth(
    *,
    plugins: list[Any] | None = None,
    database: Any = "sqlite://",
    clock: MovableClock | None = None,
    user_model: Any = None,
    mail: Any = None,
    **settings: Any,
) -> BetterAuth:
    """An application with e-mail sign-in and session management, in memory unless told."""
    if plugins is None:
        plugins = [EmailPasswordPlugin(), SessionManagementPlugin()]
    more = {
        key: value
        for key, value in {"clock": clock, "user_model": user_model, "mail": mail}.items()
        if value
    }
    return BetterAuth(make_config(**settings), database=database, plugins=plugins, **more)


def account_plugins(
    *,
    email_password: EmailPasswordPlugin | None = None,
    passwords: PasswordManagementPlugin | None = None,
    verification: EmailVerificationPlugin | None = None,
    users: UserManagementPlugin | None = None,
    accounts: AccountManagementPlugin | None = None,
) -> list[Any]:
    """Everything around the account and its sessions; what is given instead of the default."""
    return [
        email_password or EmailPasswordPlugin(),
        SessionManagementPlugin(),
        passwords or PasswordManagementPlugin(),
        verification or EmailVerificationPlugin(),
        users or UserManagementPlugin(),
        accounts or AccountManagementPlugin(),
    ]


def every_plugin() -> list[Any]:
    """One of each plugin there is."""

    async def send_nothing(user: User, code: str) -> None:
        """As if it had been sent."""

    async def ignore(letter: Letter) -> None:
        """As if it had been sent."""

    return [
        *account_plugins(
            passwords=PasswordManagementPlugin(send_reset=ignore),
            verification=EmailVerificationPlugin(send=ignore),
            users=UserManagementPlugin(send_deletion=ignore),
        ),
        TwoFactorPlugin(send_otp=send_nothing),
        AdminPlugin(),
        OrganizationPlugin(),
        AuditPlugin(),
        BearerPlugin(),
        TelemetryPlugin(),
        UsernamePlugin(),
        MultiSessionPlugin(),
        AnonymousPlugin(),
        OneTimeTokenPlugin(),
        MagicLinkPlugin(send=ignore),
        EmailOtpPlugin(send=ignore, enable_change_email=True),
        OAuthPlugin(
            [preset("x", client_id="app", client_secret="a secret of the client's")],
            transport=httpx.MockTransport(lambda request: httpx.Response(400, json={})),
        ),
    ]


@contextmanager
def serve(app: Any, **options: Any) -> Iterator[str]:
    """Serve an ASGI app by uvicorn on a free port of 127.0.0.1; yields its origin."""
    # The protocol is named so that asyncio turns off Nagle's delay, as for sockets of its own.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    options = {"log_level": "warning", "proxy_headers": False, "lifespan": "on", **options}
    server = PromptServer(uvicorn.Config(app, **options))
    thread = threading.Thread(target=lambda: server.run_on(listener), daemon=True)
    thread.start()
    try:
        server.begun.wait(60)
        assert server.started, "the server did not start"
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()
        thread.join(10)
        listener.close()


class PromptServer(uvicorn.Server):
    """uvicorn, which looks up ten times a second whether it shall end, told at once instead."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.begun = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = asyncio.Event()

    def run_on(self, listener: socket.socket) -> None:
        """Serve on ``listener`` until :meth:`stop`."""
        try:
            asyncio.run(self.serve(sockets=[listener]))
        finally:
            self.begun.set()

    def stop(self) -> None:
        """End soon; from any thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._over.set)

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self.on_tick(0)  # the Date header
        self.begun.set()
        await self._over.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        while state.connections or state.tasks:  # noqa: ASYNC110  (nobody tells)
            await asyncio.sleep(0.001)
        await self.lifespan.shutdown()


class LoopKeeper:
    """An ASGI app that knows the event loop it is served by, for tests to run things in it."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.loop = asyncio.get_running_loop()
        await self.app(scope, receive, send)


class Browser:
    """A client with a cookie jar that sends an Origin, as browsers do."""

    def __init__(self, origin: str, base_path: str = "/auth") -> None:
        self.http = httpx.Client(
            base_url=origin + base_path,
            headers={"Origin": origin},
            verify=NO_TLS,
            timeout=PATIENCE,
        )

    def sign_up(self, email: str = "ada@example.com", **more: Any) -> httpx.Response:
        """Sign up with the tests' password."""
        body = {"name": "Ada", "email": email, "password": PASSWORD, **more}
        return self.http.post("/sign-up/email", json=body)

    def sign_in(self, email: str = "ada@example.com", **more: Any) -> httpx.Response:
        """Sign in with the tests' password."""
        return self.http.post("/sign-in/email", json={"email": email, "password": PASSWORD, **more})

    def get(self, path: str, **more: Any) -> httpx.Response:
        """GET with the jar's cookies."""
        return self.http.get(path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """POST ``body`` as JSON (none: no body) with the jar's cookies."""
        return (
            self.http.post(path, json=body, **more)
            if body is not None
            else self.http.post(path, **more)
        )

    def close(self) -> None:
        """Close the connections."""
        self.http.close()


def bearer(token: str) -> dict[str, str]:
    """The Authorization header for ``token``."""
    return {"Authorization": f"Bearer {token}"}


def set_cookies(response: httpx.Response) -> list[dict[str, str]]:
    """Every Set-Cookie line as ``name``, ``value`` and its attributes in lower case."""
    cookies = []
    for line in response.headers.get_list("set-cookie"):
        pair, *attributes = line.split("; ")
        name, _, value = pair.partition("=")
        cookie = {"name": name, "value": value}
        for attribute in attributes:
            key, _, content = attribute.partition("=")
            cookie[key.lower()] = content
        cookies.append(cookie)
    return cookies


def session_cookie(response: httpx.Response, name: str = COOKIE) -> dict[str, str] | None:
    """The one Set-Cookie line of the session's cookie; None where there is none."""
    found = [cookie for cookie in set_cookies(response) if cookie["name"] == name]
    assert len(found) < 2, f"{name} is set {len(found)} times in one answer"
    return found[0] if found else None
