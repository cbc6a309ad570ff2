"""Authentication for Python web applications, with the session at its heart.

from better_auth import AuthConfig, BetterAuth
from better_auth.plugins import EmailPasswordPlugin, SessionManagementPlugin

auth = BetterAuth(
    AuthConfig("a secret of at least 32 characters"),
    database="sqlite:///app.db",
    plugins=[EmailPasswordPlugin(), SessionManagementPlugin()],
)
"""

from better_auth.auth import BetterAuth
from better_auth.config import (
    AuthConfig,
    CorsConfig,
    PasswordConfig,
    RateLimitConfig,
    SameSite,
    SessionConfig,
)
from better_auth.errors import AuthError, ConfigurationError
from better_auth.models import (
    Account,
    AuthUser,
    Column,
    Principal,
    ReadOnly,
    Session,
    User,
    Verification,
)

__all__ = [
    "Account",
    "AuthConfig",
    "AuthError",
    "AuthUser",
    "BetterAuth",
    "Column",
    "ConfigurationError",
    "CorsConfig",
    "PasswordConfig",
    "Principal",
    "RateLimitConfig",
    "ReadOnly",
    "SameSite",
    "Session",
    "SessionConfig",
    "User",
    "Verification",
]
