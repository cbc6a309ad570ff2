"""Which application a command works on: the user's own, or the standalone one."""

import importlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from better_auth.auth import BetterAuth
from better_auth.config import ENVIRONMENT_PREFIX, AuthConfig
from better_auth.development import development_secret
from better_auth.errors import ConfigurationError
from better_auth.plugins import (
    AccountManagementPlugin,
    AdminPlugin,
    AuditPlugin,
    EmailPasswordPlugin,
    EmailVerificationPlugin,
    OrganizationPlugin,
    PasswordManagementPlugin,
    Plugin,
    SessionManagementPlugin,
    TwoFactorPlugin,
    UserManagementPlugin,
)

DATA = Path(".better-auth")
"""Where the standalone application keeps its database and its development secret."""

JAVASCRIPT_PATH = "/api/auth"
"""Where the standalone application serves the official JavaScript client, which looks there."""

APPLICATION = "_BETTER_AUTH_APPLICATION"
"""How a server hands ``module:auth`` to its workers."""


def settle(
    application: str | None = None,
    *,
    database: str | None = None,
    base_url: str | None = None,
    mode: str | None = None,
    javascript_path: str | None = None,
) -> None:
    """Put a command's options into the environment, which workers inherit."""
    options = {
        "DATABASE_URL": database,
        "BASE_URL": base_url,
        "MODE": mode,
        "JAVASCRIPT_PATH": javascript_path,
    }
    for name, value in options.items():
        if value is not None:
            os.environ[ENVIRONMENT_PREFIX + name] = value
    if application is not None:
        os.environ[APPLICATION] = application


def load() -> BetterAuth[Any]:
    """The application settled on. Raises ``ConfigurationError``."""
    name = os.environ.get(APPLICATION)
    return standalone() if name is None else imported(name)


def imported(name: str) -> BetterAuth[Any]:
    """The ``BetterAuth`` that ``module:attribute`` names, the current directory included."""
    module_name, separator, attribute = name.partition(":")
    if not separator or not module_name or not attribute:
        raise ConfigurationError(f"{name!r} does not name an application: module:auth")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise
        raise ConfigurationError(f"there is no module {module_name!r}") from None
    except AttributeError:
        raise ConfigurationError(f"{module_name} has no {attribute!r}") from None
    if not isinstance(found, BetterAuth):
        raise ConfigurationError(f"{name} is no BetterAuth but a {type(found).__name__}")
    return found


def standalone() -> BetterAuth[Any]:
    """The application of those who bring none: every plugin, configured by the environment.

    It is traced and measured where OpenTelemetry's SDK has been set up before it.
    In development it makes its own secret and, on plain http, a cookie without Secure; in
    production both must be said.
    """
    given = AuthConfig.from_env()
    defaults: dict[str, Any] = {"database_url": f"sqlite:///{DATA / 'auth.db'}"}
    if given.wire == "native" and given.base_path != JAVASCRIPT_PATH:
        defaults["javascript_path"] = JAVASCRIPT_PATH
    if given.mode == "development":
        if not given.secret and not given.secrets:
            defaults["secret"] = development_secret(DATA)
        if not (given.base_url or "").startswith("https://"):
            defaults["session"] = {"cookie_secure": False}
    plugins: list[Plugin] = [
        EmailPasswordPlugin(),
        SessionManagementPlugin(),
        PasswordManagementPlugin(),
        UserManagementPlugin(),
        AccountManagementPlugin(),
        AdminPlugin(),
        OrganizationPlugin(),
        AuditPlugin(),
    ]
    if not given.share_database_with_typescript:  # whose second factors are sealed otherwise
        plugins.append(TwoFactorPlugin())
    if given.mail.url is not None:
        plugins.append(EmailVerificationPlugin())
    if "opentelemetry.sdk" in sys.modules:  # as `opentelemetry-instrument` has it
        from better_auth.plugins import TelemetryPlugin  # an optional extra

        plugins.append(TelemetryPlugin())
    if any(name.startswith("OAUTH_") for name in os.environ):
        from better_auth.plugins.oauth import OAuthPlugin, providers_from_env  # an optional extra

        plugins.append(OAuthPlugin(providers_from_env()))
    return BetterAuth(AuthConfig.from_env(**defaults), plugins=plugins)


@asynccontextmanager
async def opened() -> AsyncIterator[BetterAuth[Any]]:
    """The application settled on, its database open and up to date, nothing else started."""
    auth = load()
    await auth.open_database()
    try:
        yield auth
    finally:
        auth.context.passwords.close()
        await auth.database.close()
