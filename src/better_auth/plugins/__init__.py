"""Capabilities: the plugins that come with the library, and what your own are made of."""

from typing import TYPE_CHECKING, Any

from better_auth.crypto import HaveIBeenPwned
from better_auth.events import on
from better_auth.http.body import Input
from better_auth.http.call import Call, Context
from better_auth.http.endpoints import get, post
from better_auth.http.messages import Redirect
from better_auth.plugins.access import AccessControl
from better_auth.plugins.account_management import AccountManagementPlugin
from better_auth.plugins.admin import AdminPlugin
from better_auth.plugins.anonymous import AnonymousPlugin
from better_auth.plugins.audit import AuditPlugin
from better_auth.plugins.base import Plugin
from better_auth.plugins.email_otp import EmailOtpPlugin
from better_auth.plugins.email_password import EmailPasswordPlugin
from better_auth.plugins.email_verification import EmailVerificationPlugin
from better_auth.plugins.magic_link import MagicLinkPlugin
from better_auth.plugins.multi_session import MultiSessionPlugin
from better_auth.plugins.one_time_token import OneTimeTokenPlugin
from better_auth.plugins.organization import OrganizationPlugin
from better_auth.plugins.password_management import PasswordManagementPlugin
from better_auth.plugins.session_management import SessionManagementPlugin
from better_auth.plugins.user_management import UserManagementPlugin
from better_auth.plugins.username import UsernamePlugin

if TYPE_CHECKING:
    from better_auth.plugins.oauth import OAuthPlugin
    from better_auth.plugins.telemetry import TelemetryPlugin
    from better_auth.plugins.two_factor import TwoFactorPlugin

__all__ = [
    "AccessControl",
    "AccountManagementPlugin",
    "AdminPlugin",
    "AnonymousPlugin",
    "AuditPlugin",
    "Call",
    "Context",
    "EmailOtpPlugin",
    "EmailPasswordPlugin",
    "EmailVerificationPlugin",
    "HaveIBeenPwned",
    "Input",
    "MagicLinkPlugin",
    "MultiSessionPlugin",
    "OAuthPlugin",
    "OneTimeTokenPlugin",
    "OrganizationPlugin",
    "PasswordManagementPlugin",
    "Plugin",
    "Redirect",
    "SessionManagementPlugin",
    "TelemetryPlugin",
    "TwoFactorPlugin",
    "UserManagementPlugin",
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
