"""One-time tokens: a session carried to another place of the same application, such as another
domain or a desktop program, without its own token in a URL.

What is handed out is the session itself, not a copy: revoking it ends it in both places, and a
token generated before its session ended, was banned or got a new token opens nothing.
"""

from collections.abc import Iterable
from datetime import timedelta

from pydantic import Field

from better_auth.crypto import Purpose
from better_auth.errors import BadRequest, ConfigurationError
from better_auth.http.body import Input
from better_auth.http.call import Call, Context
from better_auth.http.endpoints import Endpoint, get, post
from better_auth.models import Fields, Principal, Session, User
from better_auth.plugins.base import Plugin

HEADER = b"set-ott"


class OneTimeToken(Fields):
    """Good once, and not for long."""

    token: str


class TokenToVerify(Input):
    """The token as it was generated."""

    token: str = Field(min_length=1, max_length=256, repr=False)


class CarriedSession(Fields):
    """The session that the token was generated for, and its user."""

    session: Session
    user: User


class OneTimeTokenPlugin(Plugin):
    """``GET /one-time-token/generate`` and ``POST /one-time-token/verify``.

    A token is good for ``expires_in``, once, and stored as a fingerprint.
    ``disable_client_request=True`` leaves generating to the application's own code (404 over
    HTTP). ``disable_set_session_cookie=True``: verifying answers the session and sets no cookie.
    ``set_ott_header_on_new_session=True`` sends a token with every sign-in, in the header
    ``set-ott``.
    """

    name = "One-time token"

    def __init__(
        self,
        *,
        expires_in: timedelta = timedelta(minutes=3),
        disable_client_request: bool = False,
        disable_set_session_cookie: bool = False,
        set_ott_header_on_new_session: bool = False,
    ) -> None:
        """Raises ``ConfigurationError`` for a token that would never be good."""
        if expires_in <= timedelta(0):
            raise ConfigurationError("OneTimeTokenPlugin: expires_in must be more than zero")
        self.expires_in = expires_in
        self.disable_client_request = disable_client_request
        self.disable_set_session_cookie = disable_set_session_cookie
        self.set_ott_header_on_new_session = set_ott_header_on_new_session

    def bind(self, context: Context) -> None:
        super().bind(context)
        if self.set_ott_header_on_new_session:
            context.hand_outs.append(self._send_along)

    def endpoints(self) -> Iterable[Endpoint]:
        for endpoint in super().endpoints():
            if endpoint.route.method != "GET" or not self.disable_client_request:
                yield endpoint

    @get("/one-time-token/generate", access="session")
    async def generate(self, call: Call) -> OneTimeToken:
        """Make a token that hands out the current session once."""
        return OneTimeToken(token=await self._token_for((await call.require()).session))

    @post("/one-time-token/verify", takes_credentials=True)
    async def verify(self, call: Call, body: TokenToVerify) -> CarriedSession:
        """Take up the session that a token was generated for."""
        session_token = await self.context.proofs.redeem(Purpose.ONE_TIME_TOKEN, body.token)
        if session_token is None:
            raise BadRequest("Invalid token", "INVALID_TOKEN")
        # Whether the session is still there and live is settled before any cookie is set.
        principal = await self.context.sessions.resolve(session_token)
        if principal is None:
            raise BadRequest("The session is over", "SESSION_NOT_FOUND")
        if not self.disable_set_session_cookie:
            await call.hand_out(principal)
        return CarriedSession.trusted({"session": principal.session, "user": principal.user})

    async def _token_for(self, session: Session) -> str:
        return await self.context.proofs.issue(
            Purpose.ONE_TIME_TOKEN, session.token, self.expires_in
        )

    async def _send_along(self, call: Call, principal: Principal, is_new: bool) -> None:
        if is_new:
            token = await self._token_for(principal.session)
            call.headers.append((HEADER, token.encode()))
            call.headers.append((b"access-control-expose-headers", HEADER))
