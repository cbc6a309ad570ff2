"""Set-Cookie (RFC 6265bis)."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from better_auth.config import SameSite, SessionConfig

LONGEST_LIFE = timedelta(days=400)
"""Browsers keep no cookie longer (RFC 6265bis section 5.5)."""


@dataclass(frozen=True, slots=True)
class SetCookie:
    """One Set-Cookie line. Without ``max_age`` the cookie ends with the browser session."""

    name: str
    value: str = field(repr=False)
    max_age: int | None = None
    expires: datetime | None = None
    path: str = "/"
    domain: str | None = None
    secure: bool = True
    http_only: bool = True
    same_site: SameSite = SameSite.LAX

    @classmethod
    def as_configured(
        cls,
        config: SessionConfig,
        name: str,
        value: str,
        *,
        max_age: int | None = None,
        expires: datetime | None = None,
    ) -> "SetCookie":
        """A cookie with the attributes that ``config`` gives to all of them."""
        return cls(
            name,
            value,
            max_age=max_age,
            expires=expires,
            path=config.cookie_path,
            domain=config.cookie_domain,
            secure=config.cookie_secure,
            http_only=config.cookie_http_only,
            same_site=config.cookie_same_site,
        )

    def render(self) -> str:
        """The value of the Set-Cookie header."""
        parts = [f"{self.name}={self.value}"]
        if self.max_age is not None:
            parts.append(f"Max-Age={self.max_age}")
        if self.expires is not None:
            parts.append(f"Expires={format_datetime(self.expires.astimezone(UTC), usegmt=True)}")
        if self.domain:
            parts.append(f"Domain={self.domain}")
        parts.append(f"Path={self.path}")
        if self.http_only:
            parts.append("HttpOnly")
        if self.secure:
            parts.append("Secure")
        parts.append(f"SameSite={self.same_site.value}")
        return "; ".join(parts)
