"""A call of an endpoint: the request, who is asking, and what the answer will carry."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeAlias

from pydantic.fields import FieldInfo

from better_auth.adapters.base import DatabaseAdapter
from better_auth.clock import Clock
from better_auth.config import AuthConfig
from better_auth.crypto import Keyring, PasswordHasher
from better_auth.errors import Unauthorized
from better_auth.events import EventBus
from better_auth.http.addresses import ClientAddress
from better_auth.http.cookies import SetCookie
from better_auth.http.endpoints import Endpoint
from better_auth.http.messages import AuthRequest, Finish
from better_auth.http.origins import TrustedOrigins
from better_auth.http.wire import Wire
from better_auth.models import Fields, Principal, Session, User
from better_auth.sessions import Client, SessionManager
from better_auth.users import UserManager


class Challenge(Fields):
    """What signing in answers where a second factor is due: no session yet.

    ``token`` (and a cookie) name the pending sign-in to the endpoints that complete it, and
    authenticate nothing.
    """

    two_factor_redirect: bool = True
    token: str
    two_factor_methods: list[str]


SecondStep: TypeAlias = "Callable[[Call, User, bool], Awaitable[Challenge | None]]"
"""Asked when a user has proven a password (and whether to be remembered): what else is due."""

Observer: TypeAlias = "Callable[[AuthRequest, Endpoint], Finish]"
"""Told that a request begins, and by what it returns, that it ended; may not raise."""


@dataclass(frozen=True, slots=True)
class Context:
    """What an application is made of; every plugin and every call is handed it.

    ``own_user_fields`` are the fields of the application's own ``User``, without the library's
    and the plugins'.
    """

    config: AuthConfig
    clock: Clock
    database: DatabaseAdapter
    keyring: Keyring
    passwords: PasswordHasher
    events: EventBus
    sessions: SessionManager
    users: UserManager
    origins: TrustedOrigins
    addresses: ClientAddress
    wire: Wire
    own_user_fields: Mapping[str, FieldInfo]
    second_steps: list[SecondStep] = field(default_factory=list)
    observers: list[Observer] = field(default_factory=list)


class Call:
    """One call. The session is resolved when first asked for, and at most once."""

    __slots__ = ("_principal", "_resolved", "context", "cookies", "request", "wire")

    def __init__(self, context: Context, request: AuthRequest, wire: Wire) -> None:
        self.context = context
        self.request = request
        self.wire = wire
        self.cookies: list[SetCookie] = []
        self._principal: Principal | None = None
        self._resolved = False

    @property
    def client(self) -> Client:
        """Address and user agent of whoever is calling."""
        address = self.context.addresses.of(self.request)
        return Client(address, self.request.header(b"user-agent") or None)

    @property
    def known_principal(self) -> Principal | None:
        """Who is asking, as far as this call has found out; looks nothing up."""
        return self._principal

    def at_hand(self) -> Principal | None:
        """The live session and its user, where they are known without waiting.

        None says nothing: ask :meth:`principal`.
        """
        if not self._resolved:
            credential = self.wire.credential(self.request)
            if credential is not None:
                self._principal = self.context.sessions.at_hand(credential.token)
            self._resolved = credential is None or self._principal is not None
        return self._principal

    async def principal(self, *, refresh: bool = True) -> Principal | None:
        """The live session and its user, or None.

        A session refreshed by this is sent again as a cookie to a client that came with one.
        ``refresh=False`` extends none; what is found so stays found for the rest of the call.
        """
        if self._resolved:
            return self._principal
        principal = None
        credential = self.wire.credential(self.request)
        if credential is not None:
            resolve = self.context.sessions.resolve
            token = credential.token
            principal = await (resolve(token) if refresh else resolve(token, refresh=False))
            if principal is not None and principal.refreshed and credential.source == "cookie":
                self.set_session_cookie(principal.session)
        self._principal, self._resolved = principal, True  # a look-up that failed found out nothing
        return self._principal

    async def require(self) -> Principal:
        """The live session and its user. Raises ``Unauthorized`` (401)."""
        principal = self.at_hand() or await self.principal()
        if principal is None:
            raise Unauthorized
        return principal

    async def second_step(self, user: User, *, remember: bool) -> Challenge | None:
        """What ``user``, who has proven a password, must still do; None: begin the session."""
        for step in self.context.second_steps:
            challenge = await step(self, user, remember)
            if challenge is not None:
                return challenge
        return None

    async def begin_session(
        self, user: User, *, remember: bool = True, fields: Mapping[str, Any] | None = None
    ) -> Session:
        """Sign ``user`` in: a new session from this client, and its cookie in the answer."""
        session = await self.context.sessions.create(
            user, self.client, remember=remember, fields=fields
        )
        self.set_session_cookie(session)
        self._principal, self._resolved = self.context.sessions.principal(session, user), True
        return session

    async def renew_session(self, caller: Principal) -> Session:
        """The caller's session under a new token, and its cookie in the answer: for every change
        of privilege."""
        session = await self.context.sessions.rotate(caller.session)
        self.set_session_cookie(session)
        self._principal = self.context.sessions.principal(session, caller.user)
        self._resolved = True
        return session

    def set_session_cookie(self, session: Session) -> None:
        """Have the answer hand ``session`` to the browser, in place of any other."""
        self.set_cookie(self.wire.session_cookie(session))

    def clear_session_cookie(self) -> None:
        """Have the answer take the session's cookie back."""
        self.set_cookie(self.wire.cleared_session_cookie())

    def cookie(self, name: str) -> str | None:
        """The value of the plugin's cookie ``name`` that came with the request."""
        return self.wire.plugin_value(self.request, name)

    def set_plugin_cookie(self, name: str, value: str, lifetime: timedelta) -> None:
        """Have the answer set a plugin's cookie, with the attributes of the session's."""
        self.set_cookie(self.wire.plugin_cookie(name, value, lifetime))

    def clear_plugin_cookie(self, name: str) -> None:
        """Have the answer take a plugin's cookie back."""
        self.set_cookie(self.wire.plugin_cookie(name))

    def set_cookie(self, cookie: SetCookie) -> None:
        """Have the answer carry ``cookie``, and no earlier one of that name."""
        self.cookies = [other for other in self.cookies if other.name != cookie.name]
        self.cookies.append(cookie)


class VisitCall(Call):
    """A call of one of the application's own routes, where any look's cookie counts.

    ``wire`` is in the end the look by which the session was recognised, so that what is sent
    back is in that form.
    """

    __slots__ = ("_wires",)

    def __init__(self, context: Context, request: AuthRequest, wires: Sequence[Wire]) -> None:
        super().__init__(context, request, wires[0])
        self._wires = wires

    def at_hand(self) -> Principal | None:
        if not self._resolved:
            for wire in self._wires:
                self.wire, self._resolved = wire, False
                if super().at_hand() is not None:
                    return self._principal
            self._resolved = False
        return self._principal

    async def principal(self, *, refresh: bool = True) -> Principal | None:
        if self._resolved:
            return self._principal
        tried: list[str] = []
        for wire in self._wires:
            credential = wire.credential(self.request)
            if credential is None or credential.token in tried:
                continue
            tried.append(credential.token)
            self.wire, self._resolved = wire, False
            if await super().principal(refresh=refresh) is not None:
                break
        self._resolved = True
        return self._principal
