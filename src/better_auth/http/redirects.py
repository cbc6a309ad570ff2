"""An endpoint's answer that sends a browser elsewhere."""

from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

_UNTOUCHED = "!#$%&'()*+,/:;=?@[]~"
"""What may stand in a URL as it is (RFC 3986 section 2); everything else is percent-encoded."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where the browser is to go next: 302 (303 after a POST) with ``Location``, no body.

    Cookies that the call has set go with it. ``url`` must be trusted already, by
    ``TrustedOrigins.check_redirect`` or by being configured.
    """

    url: str

    @classmethod
    def to(cls, url: str, **parameters: str | None) -> "Redirect":
        """To ``url``, with ``parameters`` added to its query (those that are not None).

        >>> Redirect.to("/welcome?a=1#top", error="no").url
        '/welcome?a=1&error=no#top'
        """
        given = {name: value for name, value in parameters.items() if value is not None}
        if not given:
            return cls(url)
        parts = urlsplit(url)
        query = "&".join(part for part in (parts.query, urlencode(given)) if part)
        return cls(urlunsplit(parts._replace(query=query)))

    @property
    def location(self) -> bytes:
        """The value of the header: ASCII, and one line whatever the URL holds."""
        return quote(self.url, safe=_UNTOUCHED).encode("ascii")


def redirect_status(method: str) -> int:
    """302, or after a POST 303, so that a GET follows (RFC 9110 section 15.4.4)."""
    return 303 if method == "POST" else 302
