"""Everything an application decides, as one record, in code or from the environment.

``AuthConfig`` is written in code, or read from the environment with :meth:`AuthConfig.from_env`.
Times are ``timedelta`` or seconds. A setting that is unknown, contradicts another or is unsafe is
refused with its name, before anything is served.
"""

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from better_auth.config.sections import (
    CorsConfig,
    MailConfig,
    OriginList,
    PasswordConfig,
    PositiveDuration,
    RateLimitConfig,
    SameSite,
    Section,
    SessionConfig,
    StringList,
    WireName,
    split_list,
)
from better_auth.errors import ConfigurationError
from better_auth.names import Names

ENVIRONMENT_PREFIX = "BETTER_AUTH_"

KNOWN_SECRETS = frozenset(
    {
        "better-auth-secret-12345678901234567890",
        "better-auth-secret-123456789012345678901234567890",
        "change-me-change-me-change-me-change-me",
        "your-secret-key-here-at-least-32-characters",
    }
)
"""Secrets that stand in public documentation, and so are none."""

MINIMUM_SECRET_LENGTH = 32


class AuthConfig(Section):
    """Everything an application decides about its authentication.

    >>> config = AuthConfig("a secret of at least 32 characters")
    >>> config.session.expires_in = timedelta(days=30)
    """

    secret: SecretStr | None = None
    """Signs and seals; 32 characters or more. Several, for rotation: ``secrets``."""
    secrets: Annotated[list[SecretStr], BeforeValidator(split_list)] = []
    """The current secret first, then older ones that are still recognised."""
    mode: Literal["development", "production"] = "development"
    """``production`` turns every helpful fallback of the server into a refusal to start."""
    wire: WireName = "native"
    """How cookies and answers look: the session page's way, or as the official JavaScript client
    expects."""
    base_path: str = "/auth"
    """``/api/auth`` where ``wire`` is ``javascript`` and nothing else is said."""
    javascript_path: str | None = None
    """Where the JavaScript wire is served besides ``base_path``; None (or empty): nowhere."""
    base_url: str | None = None
    """Where browsers reach the application, for example ``https://app.example.com``."""
    database_url: str | None = Field(default=None, repr=False)
    database_pool_size: int = Field(default=10, ge=1)
    """Connections for reading, and as many for writing; SQLite has its own numbers."""
    database_patience: PositiveDuration = timedelta(seconds=3)
    """How long a connection or statement may take before the database counts as unavailable."""
    database_names: Names = Field(default_factory=Names)
    """What tables and columns are called, where not as the library calls them."""
    share_database_with_typescript: bool = False
    """The database is also a better-auth server's in TypeScript: docs/databases.md."""
    migrate_at_start: bool = True
    """Bring the tables up to date when the application starts; off: refuse to start behind."""
    audit_retention: PositiveDuration = timedelta(days=365)
    """How long ``AuditPlugin`` keeps an event."""
    trusted_origins: OriginList = []
    """Origins besides ``base_url``'s whose pages may call; ``*`` stands for one host label."""
    trusted_proxies: StringList = []
    """Addresses or networks whose ``X-Forwarded-For`` is believed; none by default."""
    max_body_size: int = Field(default=1024 * 1024, ge=1024)
    """Bytes."""
    disable_csrf_check: bool = False
    """Accept state-changing requests from any origin. Only for servers no browser can reach."""
    session: SessionConfig = Field(default_factory=SessionConfig)
    rate_limit: RateLimitConfig = Field(default_factory=RateLimitConfig)
    password: PasswordConfig = Field(default_factory=PasswordConfig)
    mail: MailConfig = Field(default_factory=MailConfig)
    cors: CorsConfig = Field(default_factory=CorsConfig)

    def __init__(self, secret: str | None = None, /, **settings: Any) -> None:
        if secret is not None:
            settings["secret"] = secret
        super().__init__(**settings)

    @field_validator("javascript_path", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @field_validator("base_path", "javascript_path")
    @classmethod
    def _is_path(cls, value: str | None) -> str | None:
        return None if value is None else mount_path(value)

    @model_validator(mode="after")
    def _path_of_wire(self) -> Self:
        if "base_path" not in self.model_fields_set:
            self.__dict__["base_path"] = "/api/auth" if self.wire == "javascript" else "/auth"
        return self

    @field_validator("base_url")
    @classmethod
    def _is_origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        is_plain = re.fullmatch(r"[^\s@?#]+", value) and (parts.port is None or parts.port > 0)
        if parts.scheme not in ("http", "https") or not parts.hostname or not is_plain:
            raise ValueError("must be an http or https URL")
        return value.rstrip("/")

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, values: list[str]) -> list[str]:
        for value in values:
            ip_network(value, strict=False)
        return values

    @model_validator(mode="after")
    def _one_list_of_secrets(self) -> Self:
        if self.secret and self.secrets and self.secret != self.secrets[0]:
            raise ValueError("secret contradicts secrets[0]; give one of the two")
        return self

    def secret_values(self) -> list[str]:
        """The secrets, current one first.

        Raises ``ConfigurationError`` where there is none, or one is short or publicly known.
        """
        listed = self.secrets or ([self.secret] if self.secret else [])
        values = [secret.get_secret_value() for secret in listed]
        if not values:
            raise ConfigurationError(
                f"secret is missing: set {ENVIRONMENT_PREFIX}SECRET or AuthConfig(secret=...); "
                "`better-auth secret` makes one"
            )
        for value in values:
            if len(value) < MINIMUM_SECRET_LENGTH:
                raise ConfigurationError(
                    f"secret is too short: {MINIMUM_SECRET_LENGTH} characters or more"
                )
            if value in KNOWN_SECRETS:
                raise ConfigurationError("secret is publicly known: `better-auth secret` makes one")
        return values

    def proxy_networks(self) -> list[IPv4Network | IPv6Network]:
        """``trusted_proxies`` as networks."""
        return [ip_network(value, strict=False) for value in self.trusted_proxies]

    def check(self) -> None:
        """Refuse what is contradictory across settings; called when ``BetterAuth`` is built.

        Raises ``ConfigurationError``.
        """
        self.secret_values()
        if self.javascript_path == self.base_path:
            raise ConfigurationError("javascript_path and base_path are the same")
        session = self.session
        if self.share_database_with_typescript:
            if (
                "sealed"
                in session.model_dump(include={"token_storage"}, exclude_unset=True).values()
            ):
                raise ConfigurationError(
                    "share_database_with_typescript needs session.token_storage plain"
                )
            session.token_storage = "plain"
            if session.store.url is not None and not session.store.keep_table:
                raise ConfigurationError(
                    "share_database_with_typescript needs session.store.keep_table: the other "
                    "server's sessions are in the table"
                )
        if session.cookie_same_site is SameSite.NONE and not session.cookie_secure:
            raise ConfigurationError(
                "session.cookie_same_site None needs session.cookie_secure: browsers drop it else"
            )
        if session.cookie_name.startswith("__Secure-") and not session.cookie_secure:
            raise ConfigurationError("session.cookie_name __Secure- needs session.cookie_secure")
        if session.cookie_name.startswith("__Host-") and (
            not session.cookie_secure or session.cookie_domain or session.cookie_path != "/"
        ):
            raise ConfigurationError(
                "session.cookie_name __Host- needs session.cookie_secure, cookie_path / and no "
                "cookie_domain"
            )

    @classmethod
    def from_env(cls, **settings: Any) -> "AuthConfig":
        """The configuration in ``BETTER_AUTH_*`` variables, nested with ``__``.

        ``BETTER_AUTH_SESSION__EXPIRES_IN=3600`` sets ``session.expires_in`` in seconds; lists are
        separated by commas; an empty variable is None. ``settings`` are defaults for what the
        environment leaves unsaid.
        Raises ``ConfigurationError`` naming the setting that is unknown or wrong.
        """
        known = list(_variables())
        for variable in os.environ:
            name = variable.upper()
            if name.startswith(ENVIRONMENT_PREFIX) and name not in known:
                hint = "".join(f"; {close} is" for close in get_close_matches(name, known, 1, 0.8))
                raise ConfigurationError(f"{variable} is not a setting of better_auth{hint}")
        try:
            return EnvironmentConfig(**settings)
        except ValidationError as error:
            raise ConfigurationError(explain(error)) from None


class EnvironmentConfig(AuthConfig, BaseSettings):
    """``AuthConfig`` as :meth:`AuthConfig.from_env` reads it."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
        env_parse_none_str="",
        enable_decoding=False,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first: what is given in code are defaults."""
        return env_settings, init_settings


def mount_path(text: str) -> str:
    """``text`` as the path that endpoints are below: with a slash before it and none after, empty
    for the root. Raises ``ValueError``."""
    path = "/" + text.strip("/")
    if "//" in path or any(c in path for c in "?#{}"):
        raise ValueError("must be a plain path such as /auth")
    return "" if path == "/" else path


def _variables(
    section: type[BaseModel] = AuthConfig, prefix: str = ENVIRONMENT_PREFIX
) -> Iterator[str]:
    """Every variable, section by section."""
    for name, field in section.model_fields.items():
        variable, kind = prefix + name.upper(), field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _variables(kind, f"{variable}__")
        else:
            yield variable


def explain(error: ValidationError) -> str:
    """What is wrong with which setting, in one line each; never the value, which may be secret."""
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        name = ".".join(str(part) for part in problem["loc"])
        lines.append(f"{name or 'settings'}: {problem['msg'].removeprefix('Value error, ')}")
    return "; ".join(lines)
