"""What a request must pass before an endpoint sees it: rate and origin."""

import logging
import math
import time
from ipaddress import IPv6Network
from typing import Any

from limits import RateLimitItemPerSecond
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError
from limits.storage import StorageTypes, storage_from_string

from better_auth.config import RateLimitConfig
from better_auth.errors import (
    ConfigurationError,
    Forbidden,
    ServiceUnavailable,
    TooManyRequests,
)
from better_auth.http.addresses import ClientAddress
from better_auth.http.endpoints import Endpoint
from better_auth.http.messages import AuthRequest
from better_auth.http.origins import TrustedOrigins, origin_of

logger = logging.getLogger("better_auth")

PATIENCE = 3.0
"""Seconds that a shared storage may take to count a request."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class RateLimiter:
    """So many requests in so many seconds from one client to one endpoint.

    A client is an IPv4 address or an IPv6 /64. Requests whose address nobody knows share one
    allowance: without an address the limit is tighter, never off.
    """

    def __init__(self, config: RateLimitConfig, addresses: ClientAddress) -> None:
        """Raises ``ConfigurationError`` for a storage that ``limits`` does not know."""
        self._addresses = addresses
        self._general = RateLimitItemPerSecond(config.limit, int(config.window.total_seconds()))
        self._sign_in = RateLimitItemPerSecond(
            config.sign_in_limit, int(config.sign_in_window.total_seconds())
        )
        self._sending = RateLimitItemPerSecond(
            config.mail_limit, int(config.mail_window.total_seconds())
        )
        self._uri = config.storage
        self._limiter = FixedWindowRateLimiter(_storage(self._uri))

    async def check(self, request: AuthRequest, endpoint: Endpoint) -> None:
        """Count this request. Raises ``TooManyRequests``, and ``ServiceUnavailable`` where nobody
        can count."""
        rule = self._sign_in if endpoint.route.takes_credentials else self._general
        if endpoint.route.sends_mail:
            rule = self._sending
        key = (endpoint.route.path, _network_of(self._addresses.of(request)))
        try:
            if await self._limiter.hit(rule, *key):
                return
            window = await self._limiter.get_window_stats(rule, *key)
        except StorageError as error:
            cause = error.storage_error
            logger.error("rate_limit.storage unavailable: %s: %s", type(cause).__name__, cause)
            raise ServiceUnavailable from error
        raise TooManyRequests(math.ceil(window.reset_time - time.time()))

    async def close(self) -> None:
        """Let Redis go: its connections belong to one event loop, and the next may be another."""
        if self._uri.startswith("redis"):
            client: Any = self._limiter.storage
            self._limiter = FixedWindowRateLimiter(_storage(self._uri))
            await client.bridge.storage.aclose()


def _storage(uri: str) -> StorageTypes:
    options: dict[str, Any] = {"wrap_exceptions": True}
    if uri.startswith("redis"):  # by the client that the extra ``redis`` brings, and not for ever
        options |= {"implementation": "redispy"}
        options |= {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}
    try:
        return storage_from_string(f"async+{uri}", **options)
    except Exception:
        raise ConfigurationError(
            "rate_limit.storage: not a storage that the limits library can use, or its client is "
            "not installed"
        ) from None  # whose message would repeat the URI, password included


def _network_of(address: str | None) -> str:
    if address is None:
        return "unknown"
    if ":" not in address:
        return address
    return str(IPv6Network((address, 64), strict=False).network_address)


class OriginGuard:
    """Refuses what another site makes a browser send (CSRF; OWASP ASVS 5.0, 3.5.1).

    A state-changing request that carries cookies must name a trusted origin. Sign-in and sign-up
    also refuse another site's request without cookies, which would sign the browser in as the
    attacker. A request with neither cookies nor a trace of a browser is a program's and passes.
    """

    def __init__(self, origins: TrustedOrigins) -> None:
        self._origins = origins

    def check(self, request: AuthRequest, endpoint: Endpoint) -> None:
        """Raises ``Forbidden``."""
        if request.method in SAFE_METHODS or endpoint.route.from_any_site:
            return
        has_cookies = request.header(b"cookie") is not None
        if not has_cookies and not endpoint.route.takes_credentials:
            return
        stated = request.header(b"origin")
        source = stated if stated is not None else request.header(b"referer")
        site = request.header(b"sec-fetch-site")
        if source is None or source == "null":
            if has_cookies or source == "null" or site == "cross-site":
                raise Forbidden("Missing or null Origin", "MISSING_OR_NULL_ORIGIN")
            return
        origin = origin_of(source)
        if origin is None or not self._origins.is_trusted(origin, request):
            raise Forbidden("Invalid origin", "INVALID_ORIGIN")
        if site == "cross-site":
            is_navigation = request.header(b"sec-fetch-mode") == "navigate"
            if is_navigation or stated is None or not self._origins.is_configured(origin):
                raise Forbidden("Cross-site request refused", "CROSS_SITE_REQUEST")


def check_socket(request: AuthRequest, origins: TrustedOrigins) -> None:
    """Refuse a WebSocket that a page of another origin opens with the browser's cookies: no CORS
    keeps that page from reading it (RFC 6455 section 10.2; OWASP ASVS 5.0, 4.4.2).

    Browsers always name the origin, and no page can have them send a Bearer token: who names none
    or comes with one is a program. Raises ``Forbidden``.
    """
    stated = request.header(b"origin")
    if stated is None or request.header(b"cookie") is None:
        return
    if (request.header(b"authorization") or "").lower().startswith("bearer "):
        return
    origin = origin_of(stated)
    if origin is None or not origins.is_trusted(origin, request):
        raise Forbidden("Invalid origin", "INVALID_ORIGIN")
