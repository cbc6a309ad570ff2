"""Capabilities: the plugins that come with the library, and what your own are made of."""

from typing import TYPE_CHECKING, Any

from better_auth.events import on
from better_auth.http.body import Input
from better_auth.http.call import Call, Context
from better_auth.http.endpoints import get, post
from better_auth.http.messages import Redirect
from better_auth.plugins.access import AccessControl
from better_auth.plugins.admin import AdminPlugin
from better_auth.plugins.anonymous import AnonymousPlugin
from better_auth.plugins.audit import AuditPlugin
from better_auth.plugins.base import Plugin
from better_auth.plugins.email_password import EmailPasswordPlugin
from better_auth.plugins.multi_session import MultiSessionPlugin
from better_auth.plugins.organization import OrganizationPlugin
from better_auth.plugins.session_management import SessionManagementPlugin
from better_auth.plugins.username import UsernamePlugin

if TYPE_CHECKING:
    from better_auth.plugins.oauth import OAuthPlugin
    from better_auth.plugins.telemetry import TelemetryPlugin
    from better_auth.plugins.two_factor import TwoFactorPlugin

__all__ = [
    "AccessControl",
    "AdminPlugin",
    "AnonymousPlugin",
    "AuditPlugin",
    "Call",
    "Context",
    "EmailPasswordPlugin",
    "Input",
    "MultiSessionPlugin",
    "OAuthPlugin",
    "OrganizationPlugin",
    "Plugin",
    "Redirect",
    "SessionManagementPlugin",
    "TelemetryPlugin",
    "TwoFactorPlugin",
    "UsernamePlugin",
    "get",
    "on",
    "post",
]


def __getattr__(name: str) -> Any:
    """What needs an extra is imported when it is asked for."""
    if name == "TwoFactorPlugin":
        from better_auth.plugins.two_factor import TwoFactorPlugin

        return TwoFactorPlugin
    if name == "TelemetryPlugin":
        from better_auth.plugins.telemetry import TelemetryPlugin

        return TelemetryPlugin
    if name == "OAuthPlugin":
        from better_auth.plugins.oauth import OAuthPlugin

        return OAuthPlugin
    raise AttributeError(name)
