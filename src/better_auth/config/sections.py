"""The parts of the configuration: sessions, limits, passwords, mail, cross-origin access."""

import json
import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from better_auth.clock import parse_seconds

WireName: TypeAlias = Literal["native", "javascript"]
"""The looks there are; see ``better_auth.http.wire``."""


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be more than zero")
    return value


def _within_a_century(value: timedelta) -> timedelta:
    if value > timedelta(days=36_525):
        raise ValueError("must be 100 years or less")
    return value


Duration = Annotated[timedelta, BeforeValidator(parse_seconds), AfterValidator(_within_a_century)]
"""A time that ends before the calendar does, whenever it begins."""
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]


def split_list(value: object) -> object:
    """A comma-separated (or JSON) list, as an environment variable holds one."""
    if value is None:
        return []
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            return json.loads(value)
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


StringList = Annotated[list[str], BeforeValidator(split_list)]


_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._*-]+|\[[0-9a-f:.]+\])(:\d+)?/*", re.I)


def _origins(values: list[str]) -> list[str]:
    for value in values:
        if not _ORIGIN.fullmatch(value):
            raise ValueError(f"{value!r} is not an origin such as https://app.example.com")
    return [value.rstrip("/") for value in values]


OriginList = Annotated[list[str], BeforeValidator(split_list), AfterValidator(_origins)]
"""Origins; a star stands for one label of a host."""


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

    model_config = ConfigDict(
        extra="forbid",
        validate_assignment=True,
        validate_default=True,
        hide_input_in_errors=True,  # which may be a secret, or hold one
    )


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

    expires_in: PositiveDuration = timedelta(days=7)
    """Lifetime of a session, counted anew at each refresh."""
    update_age: Duration = timedelta(days=1)
    """A session is refreshed when this long has passed since the last time; 0: at each use."""
    disable_refresh: bool = False
    """Never extend a session."""
    max_lifetime: PositiveDuration | None = None
    """Absolute lifetime that no refresh exceeds (OWASP ASVS 5.0, 7.3.2); None: none."""
    fresh_age: Duration = timedelta(days=1)
    """How long after credentials were proven a session counts as fresh; 0: always."""
    short_expires_in: PositiveDuration = timedelta(days=1)
    """Lifetime of a session begun with ``rememberMe: false``; it is never extended."""
    max_sessions_per_user: int | None = Field(default=None, ge=1)
    """How many live sessions a user may have; None: any number (OWASP ASVS 5.0, 7.1.2)."""
    max_sessions_policy: Literal["evict-oldest", "refuse"] = "evict-oldest"
    """At the limit: end the oldest session, or refuse the new one (403)."""
    token_storage: Literal["sealed", "plain"] = "sealed"
    """``plain`` keeps usable tokens in the database, to share it with other servers."""
    list_tokens: Literal["tokens", "handles"] = "tokens"
    """``handles``: a listing shows, for the other sessions, what revokes them and opens nothing."""
    purge_interval: PositiveDuration | None = timedelta(hours=1)
    """How often the server deletes expired rows; None: never."""

    store: StoreConfig = Field(default_factory=StoreConfig)
    cache: CacheConfig = Field(default_factory=CacheConfig)

    defer_refresh: bool = False
    """On the JavaScript wire: reading a session never extends it, ``POST /get-session`` does."""

    require_signed_bearer: bool = False
    """On the JavaScript wire: a Bearer token counts only in its signed form."""

    cookie_name: str = "better-auth.session-token"
    cookie_prefix: str = "better-auth"
    """What the names of all other cookies begin with: plugins', and the JavaScript wire's."""
    cookie_secure: bool = True
    cookie_http_only: bool = True
    cookie_same_site: SameSite = SameSite.LAX
    cookie_path: str = "/"
    cookie_domain: str | None = None

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

    @field_validator("cookie_path")
    @classmethod
    def _is_absolute(cls, value: str) -> str:
        if not value.startswith("/"):  # browsers take the path of the request for it
            raise ValueError("must begin with /")
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
    allow_origins: OriginList = []
    """Empty: the trusted origins."""
    max_age: Duration = timedelta(minutes=10)
