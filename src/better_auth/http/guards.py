"""What a request must pass before an endpoint sees it: rate and origin."""

import asyncio
import logging
import math
import time
from importlib.util import find_spec
from ipaddress import IPv6Network
from typing import Any

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.storage.redis.redispy import RedispyBridge
from limits.aio.strategies import FixedWindowRateLimiter
from limits.storage import storage_from_string

from better_auth.config import RateLimitConfig
from better_auth.errors import ConfigurationError, Forbidden, MissingExtra, TooManyRequests
from better_auth.http.addresses import ClientAddress
from better_auth.http.endpoints import Endpoint
from better_auth.http.messages import AuthRequest
from better_auth.http.origins import TrustedOrigins, origin_of

logger = logging.getLogger("better_auth.rate_limit")

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

STORAGE_PATIENCE = 1.0
"""Seconds a shared storage has to answer."""

STORAGE_PAUSE = 5.0
"""Seconds for which it is not asked again where it did not."""


class RateLimiter:
    """So many requests in so many seconds from one client to one endpoint.

    A client is an IPv4 address or an IPv6 /64. Requests whose address nobody knows share one
    allowance: without an address the limit is tighter, never off. While a shared storage does not
    answer, each process counts for itself.
    """

    def __init__(self, config: RateLimitConfig, addresses: ClientAddress) -> None:
        """Raises ``ConfigurationError`` for a storage that ``limits`` does not know,
        ``MissingExtra`` for Redis without its client."""
        self._addresses = addresses
        self._general = RateLimitItemPerSecond(config.limit, int(config.window.total_seconds()))
        self._sign_in = RateLimitItemPerSecond(
            config.sign_in_limit, int(config.sign_in_window.total_seconds())
        )
        self._sending = RateLimitItemPerSecond(
            config.mail_limit, int(config.mail_window.total_seconds())
        )
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._shared = _shared_storage(config.storage)
        self._paused_until = float("-inf")

    async def check(self, request: AuthRequest, endpoint: Endpoint) -> None:
        """Count this request. Raises ``TooManyRequests``."""
        rule = self._sign_in if endpoint.route.takes_credentials else self._general
        if endpoint.route.sends_mail:
            rule = self._sending
        key = (endpoint.route.path, _network_of(self._addresses.of(request)))
        if self._shared is not None and time.monotonic() >= self._paused_until:
            try:
                async with asyncio.timeout(STORAGE_PATIENCE):
                    return await _count(self._shared, rule, key)
            except TooManyRequests:
                raise
            except Exception as error:  # of whichever client it is; a cluster's has no common base
                self._paused_until = time.monotonic() + STORAGE_PAUSE
                logger.warning(
                    "the storage does not answer, this process counts for itself: %s: %s",
                    type(error).__name__,
                    error,
                )
        await _count(self._own, rule, key)

    async def close(self) -> None:
        """Release the shared storage's connections."""
        bridge = getattr(self._shared and self._shared.storage, "bridge", None)
        if isinstance(bridge, RedispyBridge):
            client: Any = bridge.get_connection()
            await client.aclose()


def _shared_storage(uri: str) -> FixedWindowRateLimiter | None:
    """What several processes count in; None: each in its memory."""
    scheme = uri.partition(":")[0]
    if scheme == "memory":
        return None
    options: dict[str, Any] = {}
    if scheme.startswith("redis"):
        if find_spec("redis") is None:
            raise MissingExtra("rate_limit.storage", "redis")
        options["implementation"] = "redispy"  # as for sessions, not the client it has by default
    try:
        return FixedWindowRateLimiter(storage_from_string(f"async+{uri}", **options))
    except Exception:
        raise ConfigurationError(
            "rate_limit.storage: not a storage that the limits library can use, "
            "or its client is not installed"
        ) from None  # whose message would repeat the URI, password included


async def _count(
    limiter: FixedWindowRateLimiter, rule: RateLimitItemPerSecond, key: tuple[str, str]
) -> None:
    """Count a request of ``key``. Raises ``TooManyRequests``."""
    if not await limiter.hit(rule, *key):
        window = await limiter.get_window_stats(rule, *key)
        raise TooManyRequests(math.ceil(window.reset_time - time.time()))


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
