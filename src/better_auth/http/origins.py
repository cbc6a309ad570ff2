"""Which origins are trusted: to send state-changing requests, and to be redirected to."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from better_auth.errors import Forbidden
from better_auth.http.messages import AuthRequest

_PATH = re.compile(
    r"/(?![/\\]|%2f|%5c)[\w\-.~+/@%]*(\?[\w\-.~+/=&%@:,;!*'()]*)?(#[\w\-.~/=&%]*)?", re.I | re.A
)
"""A path of this site; what browsers read as another host after the first slash is not one."""

_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via")
"""What a proxy says that it is one by."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


class TrustedOrigins:
    """``base_url``'s origin and the configured ones.

    Without a ``base_url`` an application's own origin is the host the request was sent to, asked
    of each request anew and never remembered.
    """

    def __init__(
        self, base_url: str | None, patterns: list[str], *, is_development: bool = True
    ) -> None:
        """``is_development``: whether mail may hold links to this machine."""
        self._base_url = base_url
        self._is_development = is_development
        self._own = origin_of(base_url) if base_url else None
        self._patterns = [pattern_of(pattern) for pattern in patterns]

    def is_trusted(self, origin: str, request: AuthRequest) -> bool:
        """Whether ``origin`` (scheme, host and port) is the application's own or configured."""
        return self.is_own(origin, request) or self.is_configured(origin)

    def is_own(self, origin: str, request: AuthRequest) -> bool:
        """Whether ``origin`` is where the application itself is reached."""
        if self._own is not None:
            return origin == self._own
        host = (request.header(b"host") or "").lower()
        scheme, _, authority = origin.partition("://")
        if not host or scheme not in _DEFAULT_PORTS:
            return False
        return _with_port(scheme, authority) == _with_port(scheme, host)

    def is_configured(self, origin: str) -> bool:
        """Whether ``origin`` is one of ``trusted_origins``."""
        return any(pattern.fullmatch(origin) for pattern in self._patterns)

    def public_base(self, request: AuthRequest) -> str:
        """Where the application is reached, to begin the links in mail with.

        ``base_url``; without one the host that was asked, if it is in ``trusted_origins``, or is
        this machine and asked from it, in development. Any other may have been made up by whoever
        asks for mail to somebody else: raises ``Forbidden`` (``UNTRUSTED_HOST``).
        """
        if self._base_url is not None:
            return self._base_url
        host = (request.header(b"host") or "").lower()
        for scheme in (request.scheme, "https"):
            origin = origin_of(f"{scheme}://{host}")
            if origin is None or scheme not in _DEFAULT_PORTS:
                continue
            if self.is_configured(origin):
                return origin
            if self._is_development and _is_local(origin) and _is_from_here(request):
                return origin
        raise Forbidden("Links to this host are not sent: set base_url", "UNTRUSTED_HOST")

    def check_redirect(self, url: str | None, request: AuthRequest, name: str) -> None:
        """Raises ``Forbidden`` unless ``url`` is a path of this site or of a trusted origin.

        ``name`` is the field it came in.
        """
        if url is None or _PATH.fullmatch(url):
            return
        origin = origin_of(url)
        is_odd = "\\" in url or not url.isprintable() or " " in url
        if origin is None or is_odd or not self.is_trusted(origin, request):
            raise Forbidden(f"{name}: not a trusted URL", _REDIRECT_CODES[name])


_REDIRECT_CODES = {
    "callbackURL": "INVALID_CALLBACK_URL",
    "errorCallbackURL": "INVALID_ERROR_CALLBACK_URL",
    "newUserCallbackURL": "INVALID_NEW_USER_CALLBACK_URL",
    "redirectTo": "INVALID_REDIRECT_URL",
}


def origins_pattern(patterns: list[str]) -> str:
    """A regular expression that matches the whole of each origin which ``patterns`` trust."""
    return "|".join(pattern_of(pattern).pattern for pattern in patterns)


def origin_of(url: str) -> str | None:
    """The origin of an absolute URL, lower case, default port left out (RFC 6454).

    Apps and browser extensions have schemes of their own, ``capacitor://localhost``.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.scheme or not parts.hostname or "@" in parts.netloc:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port is None or port == _DEFAULT_PORTS.get(parts.scheme):
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://{host}:{port}"


def _is_local(origin: str) -> bool:
    host = urlsplit(origin).hostname or ""
    return host == "localhost" or _is_loopback(host)


def _is_from_here(request: AuthRequest) -> bool:
    """Whether a program on this machine asks, and no proxy on it for somebody else."""
    host, port = request.peer or ("", 0)
    # A port of 0: a server took the address from a proxy's header.
    forwarded = any(request.header(name) is not None for name in _FORWARDED)
    return port != 0 and _is_loopback(host) and not forwarded


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _with_port(scheme: str, authority: str) -> str:
    has_port = re.search(r":\d+$", authority)
    return authority if has_port else f"{authority}:{_DEFAULT_PORTS[scheme]}"


def pattern_of(pattern: str) -> re.Pattern[str]:
    """``https://*.example.com``: the star stands for one host label, never for a scheme."""
    origin = origin_of(pattern.replace("*", "star-label")) or pattern
    return re.compile(re.escape(origin.lower()).replace(r"star\-label", r"[a-z0-9\-]+"))
