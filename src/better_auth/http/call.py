"""A call of an endpoint: the request, who is asking, and what the answer will carry."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, TypeAlias
from urllib.parse import urlencode

from pydantic.fields import FieldInfo

from better_auth.adapters.base import DatabaseAdapter
from better_auth.clock import Clock
from better_auth.config import AuthConfig
from better_auth.crypto import Keyring, PasswordHasher
from better_auth.errors import Forbidden, Unauthorized
from better_auth.events import EventBus, SignInFailed
from better_auth.http.addresses import ClientAddress
from better_auth.http.cookies import SetCookie
from better_auth.http.endpoints import Endpoint
from better_auth.http.messages import AuthRequest, Finish, Header
from better_auth.http.origins import TrustedOrigins
from better_auth.http.wire import Credential, Wire
from better_auth.mail import Mailer
from better_auth.models import Fields, Principal, Session, User, impersonator
from better_auth.proofs import Proofs
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

AskToVerify: TypeAlias = "Callable[[Call, User, str | None, Occasion], None]"
"""Told that a user's address is not verified, with where they want to go, and when that showed."""

Occasion: TypeAlias = Literal["sign-up", "sign-in"]

HandOut: TypeAlias = "Callable[[Call, Principal, bool], Awaitable[None]]"
"""Told which session (and user) a call hands to its client, and whether it is a new sign-in."""

Observer: TypeAlias = "Callable[[AuthRequest, Endpoint], Finish]"
"""Told that a request begins, and by what it returns, that it ended; may not raise."""


@dataclass(frozen=True, slots=True)
class Context:
    """What an application is made of; every plugin and every call is handed it.

    ``own_user_fields`` are the fields of the application's own ``User``, without the library's,
    and those that plugins let a user set.
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
    mail: Mailer
    proofs: Proofs
    own_user_fields: Mapping[str, FieldInfo]
    second_steps: list[SecondStep] = field(default_factory=list)
    verifiers: list[AskToVerify] = field(default_factory=list)
    hand_outs: list[HandOut] = field(default_factory=list)
    observers: list[Observer] = field(default_factory=list)


class Call:
    """One call. The session is resolved when first asked for, and at most once."""

    __slots__ = (
        "_asked",
        "_credential",
        "_principal",
        "_resolved",
        "context",
        "cookies",
        "headers",
        "request",
        "wire",
    )

    def __init__(self, context: Context, request: AuthRequest, wire: Wire) -> None:
        self.context = context
        self.request = request
        self.wire = wire
        self.cookies: list[SetCookie] = []
        self.headers: list[Header] = []
        self._credential: Credential | None = None
        self._principal: Principal | None = None
        self._asked = self._resolved = False

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
        return self._principal if self._asked else self._ask()

    def _ask(self) -> Principal | None:
        credential = self._credential = self.wire.credential(self.request)
        if credential is not None:
            self._principal = self.context.sessions.at_hand(credential.token)
        self._asked, self._resolved = True, credential is None or self._principal is not None
        return self._principal

    async def principal(self, *, refresh: bool = True) -> Principal | None:
        """The live session and its user, or None.

        A session refreshed by this is sent again as a cookie to a client that came with one.
        ``refresh=False`` extends none; what is found so stays found for the rest of the call.
        """
        if not self._asked:
            self._ask()
        credential = self._credential
        if not self._resolved and credential is not None:
            look_up = self.context.sessions.look_up
            principal = self._principal = await look_up(credential.token, refresh=refresh)
            if principal is not None and principal.refreshed and credential.source == "cookie":
                self.set_session_cookie(principal.session)
            self._resolved = True  # only now: a look-up that failed found out nothing
        return self._principal

    async def require(self) -> Principal:
        """The live session and its user. Raises ``Unauthorized`` (401)."""
        principal = await self.principal()
        if principal is None:
            raise Unauthorized
        return principal

    async def require_own(self) -> Principal:
        """The live session and its user, who is nobody else: no admin who impersonates them.

        For what only they may do, whatever else they prove. Raises ``Unauthorized`` and
        ``Forbidden`` (``NOT_WHILE_IMPERSONATING``).
        """
        principal = await self.require()
        if impersonator(principal.session) is not None:
            raise Forbidden("An impersonator may not do this", "NOT_WHILE_IMPERSONATING")
        return principal

    async def require_fresh(self) -> Principal:
        """The live session and its user, whose credentials were proven within ``fresh_age``.

        For what changes how a user signs in, or cannot be undone (OWASP ASVS 5.0, 7.5.1). Raises
        ``Unauthorized``, and ``Forbidden``: ``SESSION_NOT_FRESH`` (prove a password again by
        ``/verify-password``, or sign in again) and ``NOT_WHILE_IMPERSONATING``.
        """
        principal = await self.require_own()
        if not self.context.sessions.is_fresh(principal.session):
            raise Forbidden("The session is not fresh: sign in again", "SESSION_NOT_FRESH")
        return principal

    def link(self, path: str, **query: str | None) -> str:
        """The URL of the endpoint at ``path``, for mail. Raises ``Forbidden``; see
        ``TrustedOrigins.public_base``."""
        mount = self.request.base_path  # where this wire, whose cookies it will be, is served
        mount = self.context.config.base_path if mount is None else mount
        base = self.context.origins.public_base(self.request) + mount
        asked = urlencode({name: text for name, text in query.items() if text is not None})
        return f"{base}{path}?{asked}" if asked else base + path

    def ask_to_verify(self, user: User, callback_url: str | None, at: Occasion) -> None:
        """Have whoever looks after that ask ``user``, at sign-up or when a sign-in is refused for
        it, to verify their address. ``callback_url`` must have been checked."""
        for ask in self.context.verifiers:
            ask(self, user, callback_url, at)

    async def second_step(self, user: User, *, remember: bool) -> Challenge | None:
        """What ``user``, who has proven a password, must still do; None: begin the session."""
        for step in self.context.second_steps:
            challenge = await step(self, user, remember)
            if challenge is not None:
                return challenge
        return None

    async def begin_session(
        self,
        user: User,
        *,
        remember: bool = True,
        fields: Mapping[str, Any] | None = None,
        unless: Callable[[], Awaitable[None]] | None = None,
    ) -> Session:
        """Sign ``user`` in: a new session from this client, and its cookie in the answer.

        ``unless`` is asked once the session stands, and by raising ends it again: for what may
        have been withdrawn while it was checked.
        """
        sessions = self.context.sessions
        session = await sessions.create(user, self.client, remember=remember, fields=fields)
        if unless is not None:
            try:
                await unless()
            except BaseException:
                await sessions.revoke(session)
                raise
        await self.hand_out(self.context.sessions.principal(session, user), is_new=True)
        return session

    async def renew_session(self, caller: Principal, *, authenticated: bool = False) -> Session:
        """The caller's session under a new token, and its cookie in the answer: for every change
        of privilege. ``authenticated``: credentials were proven, so it is fresh again."""
        session = await self.context.sessions.rotate(caller.session, authenticated=authenticated)
        await self.hand_out(self.context.sessions.principal(session, caller.user))
        return session

    async def hand_out(self, principal: Principal, *, is_new: bool = False) -> None:
        """Go on as ``principal``, whose session's cookie the answer carries; whoever wants to
        know of it (``Context.hand_outs``) is told."""
        self.set_session_cookie(principal.session)
        self._principal, self._asked, self._resolved = principal, True, True
        for told in self.context.hand_outs:
            await told(self, principal, is_new)

    async def sign_in_failed(self, method: str, reason: str, user_id: str | None = None) -> None:
        """Tell (``SignInFailed``) that whoever is calling did not get in."""
        client = self.client
        await self.context.events.emit(
            SignInFailed(method, reason, user_id, client.ip_address, client.user_agent)
        )

    def set_session_cookie(self, session: Session) -> None:
        """Have the answer hand ``session`` to the browser, in place of any other."""
        self.set_cookie(self.wire.session_cookie(session))

    def clear_session_cookie(self) -> None:
        """Have the answer take the session's cookie back, from whoever came with a credential."""
        self._take_back(self.wire.cleared_session_cookie())

    def cookie(self, name: str) -> str | None:
        """The value of the plugin's cookie ``name`` that came with the request."""
        return self.wire.plugin_value(self.request, name)

    def cookie_names(self, prefix: str) -> list[str]:
        """The names of the plugin's cookies that came with the request and begin so."""
        outside = self.wire.plugin_cookie(prefix).name
        names = self.request.cookie_names()
        return [prefix + name[len(outside) :] for name in names if name.startswith(outside)]

    def set_plugin_cookie(self, name: str, value: str, lifetime: timedelta | None) -> None:
        """Have the answer set a plugin's cookie, with the attributes of the session's.

        Without a ``lifetime`` it ends with the browser session.
        """
        self.set_cookie(self.wire.plugin_cookie(name, value, lifetime))

    def clear_plugin_cookie(self, name: str) -> None:
        """Have the answer take a plugin's cookie back, from whoever came with a credential."""
        self._take_back(self.wire.plugin_cookie(name))

    def _take_back(self, cleared: SetCookie) -> None:
        # From nobody else: what another site makes a browser send comes without the cookie
        # (SameSite), but the browser obeys the answer to a form, and would sign its user out.
        self.set_cookie(cleared)
        came_with = self.request.cookie(cleared.name), self.request.header(b"authorization")
        if came_with == (None, None):
            self.cookies.pop()

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
        """Says nothing before :meth:`principal` was asked, which tries each look in turn."""
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
            self.wire, self._asked = wire, False
            if await super().principal(refresh=refresh) is not None:
                break
        self._resolved = True
        return self._principal
