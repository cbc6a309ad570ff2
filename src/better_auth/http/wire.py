"""How requests carry a session and results look outside.

Endpoints take a credential and return domain results; which cookie, which header and which JSON
that is, only this module knows. :class:`NativeWire` is the contract of the session page.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from json.encoder import encode_basestring
from typing import Any, Literal, Protocol

from pydantic import BaseModel, PlainSerializer, WrapSerializer
from pydantic_core import to_json
from typing_extensions import TypeIs

from better_auth.clock import Clock, render_time
from better_auth.config import SessionConfig
from better_auth.http.cookies import LONGEST_LIFE, SetCookie
from better_auth.http.messages import AuthRequest
from better_auth.models import RENDERED, Record, Session

_LONG_AGO = datetime.fromtimestamp(0, UTC)


@dataclass(slots=True)
class Credential:
    """A session token as a request presented it, and by which way.

    Not frozen, which would take longer to make than to find; one is made for every request.
    """

    token: str = field(repr=False)
    source: Literal["bearer", "cookie"]


class Wire(Protocol):
    """One outside look of the library."""

    def credential(self, request: AuthRequest) -> Credential | None:
        """What the request presents to be recognised by."""
        ...

    def session_cookie(self, session: Session) -> SetCookie:
        """The cookie that hands ``session`` to a browser."""
        ...

    def cleared_session_cookie(self) -> SetCookie:
        """The cookie that takes it back, with the same attributes."""
        ...

    def plugin_cookie(
        self, name: str, value: str = "", lifetime: timedelta | None = timedelta(0)
    ) -> SetCookie:
        """A plugin's cookie ``name``; without a ``value``, the one that takes it back.

        Without a ``lifetime`` it ends with the browser session.
        """
        ...

    def render(self, result: object) -> bytes:
        """An endpoint's result as a JSON body."""
        ...


class NativeWire:
    """The look of the session page: Bearer or ``better-auth.session-token``, plain JSON."""

    def __init__(self, config: SessionConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        match = re.match(r"__(Host|Secure)-", config.cookie_name)
        self._prefix = match.group() if match else ""

    def credential(self, request: AuthRequest) -> Credential | None:
        """Bearer wins, and a wrong Bearer does not fall back to the cookie.

        Another scheme (Basic, for a proxy in front) is not ours to judge: the cookie counts then.
        """
        authorization = request.header(b"authorization")
        if authorization is not None:
            scheme, _, token = authorization.strip().partition(" ")
            if scheme.lower() == "bearer":
                return Credential(token.strip(), "bearer")
        token = request.cookie(self._config.cookie_name) or ""
        return Credential(token, "cookie") if token else None

    def session_cookie(self, session: Session) -> SetCookie:
        if not session.remember:
            return self._cookie(session.token)
        now = self._clock()
        left = min(session.expires_at - now, LONGEST_LIFE)
        return self._cookie(
            session.token, max_age=max(1, round(left.total_seconds())), expires=now + left
        )

    def cleared_session_cookie(self) -> SetCookie:
        return self._cookie("", max_age=0, expires=_LONG_AGO)

    def plugin_cookie(
        self, name: str, value: str = "", lifetime: timedelta | None = timedelta(0)
    ) -> SetCookie:
        if lifetime is None:
            cookie = self._cookie(value)
        else:
            expires = self._clock() + lifetime if value else _LONG_AGO
            max_age = round(lifetime.total_seconds())
            cookie = self._cookie(value, max_age=max_age, expires=expires)
        return replace(cookie, name=f"{self._prefix}better-auth.{name}", http_only=True)

    def _cookie(
        self, value: str, *, max_age: int | None = None, expires: datetime | None = None
    ) -> SetCookie:
        config = self._config
        return SetCookie(
            config.cookie_name,
            value,
            max_age=max_age,
            expires=expires,
            path=config.cookie_path,
            domain=config.cookie_domain,
            secure=config.cookie_secure,
            http_only=config.cookie_http_only,
            same_site=config.cookie_same_site,
        )

    def render(self, result: object) -> bytes:
        return render_json(result).encode()


def render_json(value: object) -> str:
    """``value`` as JSON text: records and results by their aliases, without excluded fields.

    Several times faster than the general serializer on what every session check returns.
    """
    kind = type(value)
    encode = _ENCODERS.get(kind)
    if encode is None:
        encode = _model_encoder(kind) if _is_plain(kind) else _general
        _ENCODERS[kind] = encode
    return encode(value)


def _general(value: object) -> str:
    return to_json(value, by_alias=True).decode()


def _is_plain(kind: type[Any]) -> TypeIs[type[BaseModel]]:
    """Whether ``kind`` is a model that leaves the look of its fields to their types."""
    if not issubclass(kind, BaseModel):
        return False
    decorators = kind.__pydantic_decorators__
    if decorators.field_serializers or decorators.model_serializers or kind.model_computed_fields:
        return False
    return not any(
        isinstance(marker, (PlainSerializer, WrapSerializer))
        for field in kind.model_fields.values()
        for marker in field.metadata
        if field.annotation is not datetime
    )


def _model_encoder(kind: type[BaseModel]) -> Callable[[Any], str]:
    shown = {
        name: field.serialization_alias or field.alias or name
        for name, field in kind.model_fields.items()
        if not field.exclude
    }
    template = "{" + ",".join(f'"{alias}":%s' for alias in shown.values()) + "}"
    types = [kind.model_fields[name].annotation or object for name in shown]
    encoders = [
        (name, _LEAVES.get(type, render_json)) for name, type in zip(shown, types, strict=True)
    ]

    def encode(model: BaseModel) -> str:
        values = model.__dict__
        return template % tuple([encode(values[name]) for name, encode in encoders])

    def encode_once(model: BaseModel) -> str:
        text: str | None = model.__dict__.get(RENDERED)
        if text is None:
            text = model.__dict__[RENDERED] = encode(model)
        return text

    is_immutable = issubclass(kind, Record) and _IMMUTABLE.issuperset(types)
    return encode_once if is_immutable else encode


def _list(values: list[Any]) -> str:
    return "[" + ",".join([render_json(value) for value in values]) + "]"


def _time(moment: datetime) -> str:
    return f'"{render_time(moment)}"'


_LEAVES: dict[Any, Callable[[Any], str]] = {
    str: encode_basestring,
    str | None: lambda text: "null" if text is None else encode_basestring(text),
    type(None): lambda _: "null",
    bool: lambda value: "true" if value else "false",
    int: str,
    datetime: _time,
    list: _list,
}
"""What a field's declared type alone decides; a field declared as a model may hold a subclass."""

_IMMUTABLE = frozenset(_LEAVES) - {list}

_ENCODERS = dict(_LEAVES)
"""How each type met so far is written."""
