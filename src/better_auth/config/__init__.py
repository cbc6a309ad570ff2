"""What an application decides: secrets, addresses, the session's life, limits."""

from better_auth.config.application import (
    ENVIRONMENT_PREFIX,
    AuthConfig,
    explain,
    mount_path,
)
from better_auth.config.sections import (
    CacheConfig,
    CorsConfig,
    MailConfig,
    PasswordConfig,
    RateLimitConfig,
    SameSite,
    Section,
    SessionConfig,
    StoreConfig,
    WireName,
)

__all__ = [
    "ENVIRONMENT_PREFIX",
    "AuthConfig",
    "CacheConfig",
    "CorsConfig",
    "MailConfig",
    "PasswordConfig",
    "RateLimitConfig",
    "SameSite",
    "Section",
    "SessionConfig",
    "StoreConfig",
    "WireName",
    "explain",
    "mount_path",
]
