"""What an application decides: secrets, addresses, the session's life, limits.

``AuthConfig`` is written in code, or read from the environment with :meth:`AuthConfig.from_env`.
Times are ``timedelta`` or seconds. A setting that is unknown, contradicts another or is unsafe is
refused with its name, before anything is served.
"""

import json
import os
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from better_auth.clock import parse_seconds
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

WireName: TypeAlias = Literal["native", "javascript"]
"""The looks there are; see ``better_auth.http.wire``."""

Duration = Annotated[timedelta, BeforeValidator(parse_seconds)]


def _split_list(value: object) -> object:
    """A comma-separated (or JSON) list, as an environment variable holds one."""
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            return json.loads(value)
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


StringList = Annotated[list[str], BeforeValidator(_split_list)]


class SameSite(StrEnum):
    """The cookie's SameSite attribute (RFC 6265bis section 5.6.7)."""

    STRICT = "Strict"
    LAX = "Lax"
    NONE = "None"

    @classmethod
    def _missing_(cls, value: object) -> "SameSite | None":
        return next((m for m in cls if m.value.lower() == str(value).lower()), None)


class Section(BaseModel):
    """A part of the configuration: unknown names are refused, assignments validated."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, validate_default=True)


class CacheConfig(Section):
    """Sessions in memory: checks without asking the database, and nobody let in who is out.

    After a change to a session or its user is acknowledged, no process accepts or shows the old
    state for longer than ``max_staleness``, even if the network between them is cut.
    """

    enabled: bool = False
    max_staleness: Duration = timedelta(seconds=1)
    """The promise; what a process has not heard confirmed for so long, it asks the database."""
    max_entries: int = Field(default=100_000, ge=1)
    max_bytes: int = Field(default=256 * 1024 * 1024, ge=1024)
    listen_url: str | None = Field(default=None, repr=False)
    """Where the database tells of changes, if not where it is asked: a ``postgresql://`` URL past
    a pooler in transaction mode."""

    @field_validator("max_staleness")
    @classmethod
    def _long_enough_to_prove(cls, value: timedelta) -> timedelta:
        if value < timedelta(milliseconds=100):
            raise ValueError("must be 0.1 seconds or more")
        return value


class StoreConfig(Section):
    """Sessions in Redis, instead of their table or beside it; see docs/databases.md."""

    url: str | None = Field(default=None, repr=False)
    """``redis://`` or ``rediss://``, also with ``+sentinel`` or ``+cluster``; None: no Redis."""
    keep_table: bool = False
    """Keep sessions in the table as well: losing Redis then loses none."""
    prefix: str = Field(default="better-auth:", pattern=r"^[A-Za-z0-9:._/-]+$", max_length=64)
    """What every key begins with."""


class SessionConfig(Section):
    """How long sessions live, and how their token travels and is kept."""

    expires_in: Duration = timedelta(days=7)
    """Lifetime of a session, counted anew at each refresh."""
    update_age: Duration = timedelta(days=1)
    """A session is refreshed when this long has passed since the last time; 0: at each use."""
    disable_refresh: bool = False
    """Never extend a session."""
    max_lifetime: Duration | None = None
    """Absolute lifetime that no refresh exceeds (OWASP ASVS 5.0, 7.3.2); None: none."""
    fresh_age: Duration = timedelta(days=1)
    """How long after credentials were proven a session counts as fresh; 0: always."""
    short_expires_in: Duration = timedelta(days=1)
    """Lifetime of a session begun with ``rememberMe: false``; it is never extended."""
    max_sessions_per_user: int | None = Field(default=None, ge=1)
    """How many live sessions a user may have; None: any number (OWASP ASVS 5.0, 7.1.2)."""
    max_sessions_policy: Literal["evict-oldest", "refuse"] = "evict-oldest"
    """At the limit: end the oldest session, or refuse the new one (403)."""
    token_storage: Literal["sealed", "plain"] = "sealed"
    """``plain`` keeps usable tokens in the database, to share it with other servers."""
    list_tokens: Literal["tokens", "handles"] = "tokens"
    """``handles``: a listing shows, for the other sessions, what revokes them and opens nothing."""
    purge_interval: Duration | None = timedelta(hours=1)
    """How often the server deletes expired rows; None: never."""

    store: StoreConfig = Field(default_factory=StoreConfig)
    cache: CacheConfig = Field(default_factory=CacheConfig)

    defer_refresh: bool = False
    """On the JavaScript wire: reading a session never extends it, ``POST /get-session`` does."""

    cookie_name: str = "better-auth.session-token"
    cookie_prefix: str = "better-auth"
    """What the names of all other cookies begin with: plugins', and the JavaScript wire's."""
    cookie_secure: bool = True
    cookie_http_only: bool = True
    cookie_same_site: SameSite = SameSite.LAX
    cookie_path: str = "/"
    cookie_domain: str | None = None

    @field_validator("expires_in", "short_expires_in", "max_lifetime", "purge_interval")
    @classmethod
    def _positive(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and value <= timedelta(0):
            raise ValueError("must be more than zero")
        return value

    @field_validator("update_age", "fresh_age")
    @classmethod
    def _not_negative(cls, value: timedelta) -> timedelta:
        if value < timedelta(0):
            raise ValueError("must not be negative")
        return value

    @field_validator("cookie_name", "cookie_prefix")
    @classmethod
    def _is_token(cls, value: str) -> str:
        if not value or not all(
            33 <= ord(c) < 127 and c not in '()<>@,;:\\"/[]?={}' for c in value
        ):
            raise ValueError("must be a cookie name (a token, RFC 6265 section 4.1.1)")
        return value

    @field_validator("cookie_path", "cookie_domain")
    @classmethod
    def _is_attribute(cls, value: str | None) -> str | None:
        if value is not None and not all(32 < ord(c) < 127 and c not in ";," for c in value):
            raise ValueError("must be a cookie attribute value (RFC 6265 section 4.1.1)")
        return value


class RateLimitConfig(Section):
    """How often one client (an IPv4 address, an IPv6 /64) may ask each endpoint."""

    enabled: bool = True
    limit: int = Field(default=100, ge=1)
    """Requests in ``window``."""
    window: Duration = timedelta(seconds=60)
    sign_in_limit: int = Field(default=3, ge=1)
    """The same for the endpoints that take credentials: sign-in and sign-up."""
    sign_in_window: Duration = timedelta(seconds=10)
    mail_limit: int = Field(default=3, ge=1)
    """The same for the endpoints that send mail."""
    mail_window: Duration = timedelta(seconds=60)
    storage: str = Field(default="memory://", repr=False)
    """Where counters live, as a URI of the ``limits`` library; memory counts in each process."""

    @field_validator("window", "sign_in_window", "mail_window")
    @classmethod
    def _whole_seconds(cls, value: timedelta) -> timedelta:
        if value < timedelta(seconds=1) or value % timedelta(seconds=1):
            raise ValueError("must be whole seconds, one or more")
        return value


class PasswordConfig(Section):
    """The cost of Argon2id; never weaker than OWASP's minimum."""

    memory_cost: int = Field(default=19456, ge=19456)
    """KiB."""
    time_cost: int = Field(default=2, ge=2)
    parallelism: int = Field(default=1, ge=1)


class MailConfig(Section):
    """Where mail goes out, unless ``BetterAuth(mail=...)`` says otherwise."""

    url: str | None = Field(default=None, repr=False)
    """``smtp://user:password@host``, ``smtps://...`` or ``console:``; None: no mail is sent."""
    sender: str | None = None
    """The address that mail comes from, or ``Name <address>``."""


class CorsConfig(Section):
    """Cross-origin access for browsers, by Starlette's middleware; off unless ``enabled``."""

    enabled: bool = False
    allow_origins: StringList = []
    """Empty: the trusted origins."""
    max_age: Duration = timedelta(minutes=10)


class AuthConfig(Section):
    """Everything an application decides about its authentication.

    >>> config = AuthConfig("a secret of at least 32 characters")
    >>> config.session.expires_in = timedelta(days=30)
    """

    secret: SecretStr | None = None
    """Signs and seals; 32 characters or more. Several, for rotation: ``secrets``."""
    secrets: Annotated[list[SecretStr], BeforeValidator(_split_list)] = []
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
    database_patience: Duration = timedelta(seconds=3)
    """How long a connection or statement may take before the database counts as unavailable."""
    database_names: Names = Field(default_factory=Names)
    """What tables and columns are called, where not as the library calls them."""
    share_database_with_typescript: bool = False
    """The database is also a better-auth server's in TypeScript: docs/databases.md."""
    migrate_at_start: bool = True
    """Bring the tables up to date when the application starts; off: refuse to start behind."""
    trusted_origins: StringList = []
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
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an http or https URL")
        return value.rstrip("/")

    @field_validator("trusted_origins")
    @classmethod
    def _are_origins(cls, values: list[str]) -> list[str]:
        for value in values:
            scheme, separator, host = value.partition("://")
            if not separator or not scheme or not host or "/" in host.rstrip("/"):
                raise ValueError(f"{value!r} is not an origin such as https://app.example.com")
        return [value.rstrip("/") for value in values]

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
        separated by commas. ``settings`` are defaults for what the environment leaves unsaid.
        Raises ``ConfigurationError`` naming the setting that is unknown or wrong.
        """
        for variable in os.environ:
            name = variable.upper()
            if name.startswith(ENVIRONMENT_PREFIX) and not _is_setting(
                name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
            ):
                raise ConfigurationError(f"{variable} is not a setting of better_auth")
        try:
            return EnvironmentConfig(**settings)
        except ValidationError as error:
            raise ConfigurationError(explain(error)) from None


class EnvironmentConfig(AuthConfig, BaseSettings):
    """``AuthConfig`` as :meth:`AuthConfig.from_env` reads it."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__", enable_decoding=False
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


def _is_setting(path: list[str], section: type[BaseModel] = AuthConfig) -> bool:
    """Whether ``path`` names a field, section by section."""
    name, *rest = path
    field = section.model_fields.get(name)
    if field is None:
        return False
    kind = field.annotation
    if not rest:
        return True
    return isinstance(kind, type) and issubclass(kind, BaseModel) and _is_setting(rest, kind)


def explain(error: ValidationError) -> str:
    """What is wrong with which setting, in one line each; never the value, which may be secret."""
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        name = ".".join(str(part) for part in problem["loc"])
        lines.append(f"{name or 'settings'}: {problem['msg'].removeprefix('Value error, ')}")
    return "; ".join(lines)
