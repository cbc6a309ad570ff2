"""A request and a response, belonging to no framework."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

Header = tuple[bytes, bytes]


class Headers:
    """The headers of a request as they came; what one says is found when somebody asks."""

    __slots__ = ("headers",)

    def __init__(self, headers: Sequence[Header]) -> None:
        self.headers = headers

    def header(self, name: bytes) -> str | None:
        """The value of the header ``name`` (lower case); None if absent.

        Several lines of one name are joined with ``", "`` (RFC 9110 section 5.3), cookies with
        ``"; "`` (RFC 6265 section 5.4).
        """
        found = None
        for key, value in self.headers:
            if key == name:
                if found is None:
                    found = value
                else:
                    found += (b"; " if name == b"cookie" else b", ") + value
        return None if found is None else found.decode("latin-1")

    def cookie_names(self) -> list[str]:
        """The names of all cookies that came, in their order."""
        header = self.header(b"cookie") or ""
        pairs = (pair.partition("=") for pair in header.split(";"))
        return list(dict.fromkeys(key.strip() for key, separator, _ in pairs if separator))

    def cookie(self, name: str) -> str | None:
        """The value of the first cookie called ``name``.

        Whatever else the header holds (JSON, spaces, quotes of other applications' cookies) is
        stepped over, never an error.
        """
        header = self.header(b"cookie")
        if header is None:
            return None
        before, _, after = header.partition(name)
        if after[:1] == "=" and (not before or before.endswith((";", "; "))):
            return _unquoted(after[1:].partition(";")[0])
        if not after:
            return None
        for pair in header.split(";"):  # the name is, or is also, part of something else
            key, separator, value = pair.partition("=")
            if separator and key.strip() == name:
                return _unquoted(value)
        return None


def _unquoted(value: str) -> str:
    """A cookie's value without the space and the quotes around it."""
    value = value.strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


class AuthRequest(Headers):
    """One request as it came; headers, cookies and body are read when somebody asks.

    ``path`` is relative to the mount (``/get-session``), which is ``base_path``, where one is
    known. ``peer`` is the other end of the connection, address and port; who the client behind it
    is, ``ClientAddress`` says.
    """

    __slots__ = (
        "base_path",
        "body",
        "method",
        "path",
        "path_params",
        "peer",
        "query_string",
        "scheme",
    )

    def __init__(
        self,
        method: str = "GET",
        path: str = "/",
        headers: Sequence[Header] = (),
        query_string: bytes = b"",
        body: bytes = b"",
        peer: tuple[str, int] | None = None,
        scheme: str = "http",
    ) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.query_string = query_string
        self.body = body
        self.peer = peer
        self.scheme = scheme
        self.path_params: dict[str, str] = {}
        self.base_path: str | None = None


@dataclass(slots=True)
class AuthResponse:
    """Status, headers and the bytes of the body."""

    status: int
    body: bytes = b""
    headers: list[Header] = field(default_factory=list)

    def header_values(self, name: bytes) -> Iterable[str]:
        """Every value of the header ``name`` (lower case)."""
        return (value.decode("latin-1") for key, value in self.headers if key == name)


@dataclass(slots=True)
class ErrorResponse(AuthResponse):
    """The answer to what went wrong; ``code`` is the one in its body."""

    code: str = ""


@dataclass(frozen=True, slots=True)
class Redirect:
    """An endpoint's result that sends a browser on (302). Not shown: it may carry a token.

    ``location`` must have been checked (``TrustedOrigins.check_redirect``).
    """

    location: str = field(repr=False)

    @classmethod
    def to(cls, url: str, **query: str) -> Self:
        """To ``url`` with ``query`` added to what it asks already, in place of the same names.

        >>> Redirect.to("/page?a=1", error="INVALID_TOKEN").location
        '/page?a=1&error=INVALID_TOKEN'
        """
        parts = urlsplit(url)
        kept = [pair for pair in parse_qsl(parts.query, True) if pair[0] not in query]
        asked = urlencode([*kept, *query.items()]) if query else parts.query
        location = urlunsplit(parts._replace(query=asked))
        return cls(quote(location, safe="!#$%&'()*+,/:;=?@[]~"))

    def response(self) -> AuthResponse:
        """The answer; nobody keeps it, and the next page is not told where it came from."""
        headers = [
            (b"location", self.location.encode("ascii")),
            (b"cache-control", b"no-store"),
            (b"referrer-policy", b"no-referrer"),
        ]
        return AuthResponse(302, b"", headers)


Finish = Callable[[AuthResponse | None], None]
"""Told what a request was answered with; None where the client hung up."""
