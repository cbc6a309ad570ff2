"""Query, list and revoke sessions: the endpoints of the session page."""

from collections.abc import Awaitable, Iterable

from pydantic import ConfigDict, Field, model_validator

from better_auth.endings import Change
from better_auth.errors import Unauthorized
from better_auth.http.body import Input
from better_auth.http.call import Call
from better_auth.http.endpoints import Endpoint, get, post
from better_auth.models import Fields, Principal, Session, User
from better_auth.plugins.base import Plugin


class CurrentSessionResult(Fields):
    """The session that asked, and its user; both null for nobody."""

    session: Session | None
    user: User | None


class SessionList(Fields):
    """Live sessions, newest first."""

    sessions: list[Session]


class Success(Fields):
    """Whether it was done."""

    success: bool


class Count(Fields):
    """How many live sessions were ended."""

    count: int


class RevokeSession(Input):
    """Which session to end: by ``token`` (or a listing's handle), or by ``id``."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["token"]}, {"required": ["id"]}]}
    )

    token: str | None = Field(default=None, max_length=512, repr=False)
    id: str | None = Field(default=None, max_length=64)

    @model_validator(mode="after")
    def _one_of_two(self) -> "RevokeSession":
        if (self.token is None) == (self.id is None):
            raise ValueError("give either token or id")
        return self


class SessionManagementPlugin(Plugin):
    """Endpoints for the holder of a session.

    ``enable_session_listing=False`` takes ``/list-sessions`` away, ``enable_session_revocation=
    False`` the three revoke endpoints (sign-out stays). With ``require_authentication=False`` an
    anonymous caller is answered with emptiness in place of 401.
    """

    name = "Sessions"

    def __init__(
        self,
        *,
        enable_session_listing: bool = True,
        enable_session_revocation: bool = True,
        require_authentication: bool = True,
    ) -> None:
        self.enable_session_listing = enable_session_listing
        self.enable_session_revocation = enable_session_revocation
        self.require_authentication = require_authentication

    def endpoints(self) -> Iterable[Endpoint]:
        for endpoint in super().endpoints():
            path = endpoint.route.path
            if path == "/list-sessions" and not self.enable_session_listing:
                continue
            if path.startswith("/revoke-") and not self.enable_session_revocation:
                continue
            yield endpoint

    def _caller(self, call: Call) -> Awaitable[Principal | None]:
        return call.require() if self.require_authentication else call.principal()

    @get("/get-session", access="session", is_lasting=True)
    @post("/get-session", access="session")
    async def get_session(self, call: Call) -> CurrentSessionResult:
        """Get the current session and its user."""
        caller = call.at_hand() or await self._caller(call)
        if caller is None:
            return CurrentSessionResult(session=None, user=None)
        return CurrentSessionResult.trusted({"session": caller.session, "user": caller.user})

    @post("/sign-out", access="session")
    async def sign_out(self, call: Call) -> Success:
        """Revoke the current session and clear its cookie.

        The cookie is cleared even where the session had ended already.
        """
        try:
            caller = await self._caller(call)
        except Unauthorized:
            call.clear_session_cookie()
            raise
        if caller is not None:
            await self.context.sessions.end_after(
                Change.SIGNED_OUT, caller.user.id, current=caller.session
            )
        call.clear_session_cookie()  # only now: a session that could not be ended keeps its cookie
        return Success(success=True)

    @get("/list-sessions", access="session")
    async def list_sessions(self, call: Call) -> SessionList:
        """List all live sessions of the current user, newest first."""
        caller = await self._caller(call)
        if caller is None:
            return SessionList(sessions=[])
        sessions = await self.context.sessions.list_for(caller.user.id, current=caller.session)
        return SessionList(sessions=sessions)

    @post("/revoke-session", access="session")
    async def revoke_session(self, call: Call, body: RevokeSession) -> Success:
        """Revoke one of the current user's sessions.

        What is not theirs, or not there, is answered the same and left alone.
        """
        caller = await self._caller(call)
        if caller is None:
            return Success(success=False)
        sessions, user_id = self.context.sessions, caller.user.id
        if body.token is not None:
            ended = await sessions.revoke_token(user_id, body.token)
        else:
            ended = await sessions.revoke_id(user_id, body.id or "")
        if any(session.id == caller.session.id for session in ended):
            call.clear_session_cookie()
        return Success(success=True)

    @post("/revoke-sessions", access="session")
    async def revoke_sessions(self, call: Call) -> Count:
        """Revoke all sessions of the current user, the current one included."""
        caller = await self._caller(call)
        if caller is None:
            return Count(count=0)
        ended = await self.context.sessions.revoke_all(caller.user.id)
        call.clear_session_cookie()
        return Count(count=len(ended))

    @post("/revoke-other-sessions", access="session")
    async def revoke_other_sessions(self, call: Call) -> Count:
        """Revoke all sessions of the current user but the current one."""
        caller = await self._caller(call)
        if caller is None:
            return Count(count=0)
        ended = await self.context.sessions.revoke_all(caller.user.id, except_id=caller.session.id)
        return Count(count=len(ended))
