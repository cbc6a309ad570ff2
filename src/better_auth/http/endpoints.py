"""Endpoints are typed methods: the body type validates, the return type documents.

    class Greetings(Plugin):
        @post("/greet")
        async def greet(self, call: Call, body: Name) -> Greeting: ...

The same method is called by HTTP (through the table the application builds) and directly, in
process, with a ``Call`` made by ``BetterAuth.call``.
"""

import inspect
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_type_hints

from pydantic import BaseModel

from better_auth.errors import ConfigurationError

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])

Method = Literal["GET", "POST"]
Access = Literal["public", "session"]


@dataclass(frozen=True, slots=True)
class Route:
    """What a decorator notes about a method."""

    method: Method
    path: str
    access: Access
    takes_credentials: bool
    errors: tuple[int, ...]
    is_probe: bool = False
    takes_form: bool = False
    from_any_site: bool = False
    sends_mail: bool = False
    acts: bool = False
    is_lasting: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """One method and path, and the bound method that answers it.

    ``access`` is what the documentation says is needed (the method itself enforces it).
    ``takes_credentials`` marks sign-in and sign-up: a tighter rate limit, and no request from
    another site. ``sends_mail`` marks what makes the application write to somebody: a rate limit
    of its own. ``is_probe`` marks what machines that watch the application ask: no rate limit.
    ``acts`` marks a GET that does something, as a link in a mail must: HEAD, by which programs
    look at links, is refused.
    ``takes_form``: its body is a form, not JSON. ``from_any_site``: another site's page may send a
    browser there with a POST; such an endpoint must neither act nor believe any cookie. ``lasting``
    is the function, where what it answers follows from the caller's session and user alone, and is
    the same for as long as they are. ``tag`` groups the endpoints of one plugin.
    """

    route: Route
    function: Callable[..., Awaitable[Any]]
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    result: Any
    summary: str
    description: str
    tag: str
    lasting: Callable[..., Awaitable[Any]] | None = None

    @property
    def is_lasting(self) -> bool:
        """Whether one answer will do while the caller's session and user stay the same: no
        longer so once something else stands around the function."""
        return self.lasting is self.function

    @property
    def operation_id(self) -> str:
        """A unique name for generated clients: ``post_sign_in_email``."""
        path = re.sub(r"[^a-z0-9]+", "_", self.route.path.lower()).strip("_")
        return f"{self.route.method.lower()}_{path}"


def get(
    path: str,
    *,
    access: Access = "public",
    takes_credentials: bool = False,
    errors: tuple[int, ...] = (),
    is_probe: bool = False,
    acts: bool = False,
    is_lasting: bool = False,
) -> Callable[[F], F]:
    """Answer ``GET path`` (and HEAD). ``{name}`` in the path matches one segment.

    ``errors`` are the statuses the documentation adds to those every such endpoint may answer.
    See :class:`Endpoint` for the others.
    """
    return _route(
        Route(
            "GET",
            path,
            access,
            takes_credentials,
            errors,
            is_probe,
            acts=acts,
            is_lasting=is_lasting,
        )
    )


def post(
    path: str,
    *,
    access: Access = "public",
    takes_credentials: bool = False,
    sends_mail: bool = False,
    errors: tuple[int, ...] = (),
    takes_form: bool = False,
    from_any_site: bool = False,
) -> Callable[[F], F]:
    """Answer ``POST path``; see :func:`get` and :class:`Endpoint`."""
    return _route(
        Route(
            "POST",
            path,
            access,
            takes_credentials,
            errors,
            sends_mail=sends_mail,
            takes_form=takes_form,
            from_any_site=from_any_site,
        )
    )


def _route(route: Route) -> Callable[[F], F]:
    if not route.path.startswith("/") or route.path.endswith("/") or "//" in route.path:
        raise ConfigurationError(f"{route.path!r} is not an endpoint path such as /do-this")

    def mark(method: F) -> F:
        method.__dict__.setdefault("__routes__", []).append(route)
        return method

    return mark


def endpoints_of(owner: object, tag: str) -> Iterator[Endpoint]:
    """The endpoints among the methods of ``owner``, in the order they are written."""
    names = dict.fromkeys(name for kind in reversed(type(owner).__mro__) for name in vars(kind))
    for name in names:
        method = getattr(owner, name, None)
        for route in getattr(method, "__routes__", ()):
            yield _endpoint(route, method, tag)


def _endpoint(route: Route, method: Any, tag: str) -> Endpoint:
    hints = get_type_hints(method)
    unknown = set(inspect.signature(method).parameters) - {"call", "body", "query"}
    if unknown or "return" not in hints:
        raise ConfigurationError(
            f"{method.__qualname__}: an endpoint takes call, body, query and names its result"
        )
    summary, _, description = inspect.cleandoc(method.__doc__ or route.path).partition("\n\n")
    return Endpoint(
        route,
        method,
        body=hints.get("body"),
        query=hints.get("query"),
        result=hints["return"],
        summary=" ".join(summary.split()),
        description=description.strip(),
        tag=tag,
        lasting=method if route.is_lasting else None,
    )


class EndpointTable:
    """Endpoints by path and method; a static path is one look-up."""

    def __init__(self, endpoints: list[Endpoint]) -> None:
        """Raises ``ConfigurationError`` where two endpoints answer the same."""
        self.endpoints = endpoints
        self._static: dict[str, dict[str, Endpoint]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Endpoint]]] = []
        templates: dict[str, dict[str, Endpoint]] = {}
        for endpoint in endpoints:
            is_static = "{" not in endpoint.route.path
            methods = (self._static if is_static else templates).setdefault(endpoint.route.path, {})
            if endpoint.route.method in methods:
                raise ConfigurationError(
                    f"{endpoint.route.method} {endpoint.route.path} is brought by both "
                    f"{methods[endpoint.route.method].tag} and {endpoint.tag}"
                )
            methods[endpoint.route.method] = endpoint
            if endpoint.route.method == "GET" and not endpoint.route.acts:
                methods["HEAD"] = endpoint
        for path, methods in templates.items():
            segments = re.split(r"\{(\w+)\}", path)
            pattern = "".join(
                re.escape(part) if i % 2 == 0 else f"(?P<{part}>[^/]+)"
                for i, part in enumerate(segments)
            )
            self._patterns.append((re.compile(pattern), methods))

    def find(self, path: str) -> tuple[dict[str, Endpoint], dict[str, str]]:
        """The endpoints at ``path`` by method, and what the path's parameters are."""
        methods = self._static.get(path)
        if methods is not None:
            return methods, _NO_PARAMS
        for pattern, candidates in self._patterns:
            match = pattern.fullmatch(path)
            if match:
                return candidates, match.groupdict()
        return _NO_METHODS, _NO_PARAMS


_NO_PARAMS: dict[str, str] = {}
_NO_METHODS: dict[str, Endpoint] = {}
