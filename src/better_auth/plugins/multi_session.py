"""Several accounts in one browser: signing in as another keeps the ones before at hand.

Each session that a browser is given stands in a cookie of its own, named after the session's id,
whose value is the session's token. Whoever sends such a cookie holds that session already; the
name alone, or a token that belongs to another name, opens nothing. Everything here acts on what
the cookies prove, never on what a body claims.
"""

import re
from collections.abc import Awaitable
from dataclasses import replace
from hmac import compare_digest
from typing import Any

from pydantic import Field

from better_auth.endings import Change
from better_auth.errors import ConfigurationError, Unauthorized
from better_auth.http.body import Input
from better_auth.http.call import Call, Context
from better_auth.http.cookies import LONGEST_LIFE
from better_auth.http.endpoints import Endpoint, get, post
from better_auth.models import Fields, Principal, Session, User, impersonator
from better_auth.plugins.answers import Status
from better_auth.plugins.base import Plugin

PREFIX = "multi_session."
"""Every wire writes such a name the same way."""

_NAME = re.compile(re.escape(PREFIX) + r"[A-Za-z0-9_]{1,64}")


class DeviceSession(Fields):
    """One account that this browser is signed in to."""

    session: Session
    user: User


class WhichSession(Input):
    """Which of this browser's sessions: its token, or a listing's handle."""

    session_token: str = Field(max_length=512, repr=False)


class MultiSessionPlugin(Plugin):
    """``GET /multi-session/list-device-sessions``, ``POST /multi-session/set-active`` and
    ``POST /multi-session/revoke``.

    A browser keeps at most ``maximum_sessions`` accounts: the one signed in to longest ago is
    signed out for one more. Signing in to the same account again replaces its session here, and
    signing out ends all of them. An impersonated session is never kept.
    """

    name = "Several sessions"

    def __init__(self, *, maximum_sessions: int = 5) -> None:
        """Raises ``ConfigurationError`` for a maximum below one."""
        if maximum_sessions < 1:
            raise ConfigurationError("MultiSessionPlugin: maximum_sessions must be 1 or more")
        self.maximum_sessions = maximum_sessions

    def bind(self, context: Context) -> None:
        super().bind(context)
        context.hand_outs.append(self._keep)

    @get("/multi-session/list-device-sessions")
    async def list_device_sessions(self, call: Call) -> list[DeviceSession]:
        """List the accounts this browser is signed in to, first come first; no session is
        needed."""
        current = await call.principal()
        listed = []
        for held in await self._held(call):
            session = held.session
            if current is None or session.id != current.session.id:
                session = session.revised(token=self._shown(session))
            listed.append(DeviceSession.trusted({"session": session, "user": held.user}))
        return listed

    @post("/multi-session/set-active", errors=(401,))
    async def set_active(self, call: Call, body: WhichSession) -> DeviceSession:
        """Go on as another of this browser's accounts."""
        held = await self._chosen(call, body.session_token)
        call.set_session_cookie(held.session)
        return DeviceSession.trusted({"session": held.session, "user": held.user})

    @post("/multi-session/revoke", access="session")
    async def revoke(self, call: Call, body: WhichSession) -> Status:
        """Sign out of one of this browser's accounts; of the active one, another takes its
        place."""
        caller = await call.require()
        held = await self._chosen(call, body.session_token)
        await self._end(call, held)
        if held.session.id == caller.session.id:
            left = [
                other for other in await self._held(call) if other.session.id != held.session.id
            ]
            if left:
                call.set_session_cookie(left[0].session)
            else:
                call.clear_session_cookie()
        return Status()

    def around(self, endpoint: Endpoint) -> Endpoint:
        """Signing out signs out of every account of the browser."""
        if endpoint.route.path != "/sign-out":
            return endpoint
        function = endpoint.function

        async def sign_out_of_all(call: Call, **arguments: Any) -> Any:
            try:
                return await function(call, **arguments)
            finally:
                for held in await self._held(call):
                    await self._end(call, held)

        return replace(endpoint, function=sign_out_of_all)

    async def _keep(self, call: Call, principal: Principal, is_new: bool) -> None:
        """Keep the session that is handed out, and make room for it."""
        session = principal.session
        if impersonator(session) is not None:
            return
        others = [held for held in await self._held(call) if held.session.id != session.id]
        for held in [held for held in others if held.user.id == principal.user.id]:
            others.remove(held)
            await self._end(call, held)
        for held in others[: max(0, len(others) + 1 - self.maximum_sessions)]:
            await self._end(call, held)
        lifetime = LONGEST_LIFE if session.remember else None
        call.set_plugin_cookie(_cookie_of(session), session.token, lifetime)

    async def _held(self, call: Call) -> list[Principal]:
        """The live sessions that this browser proves to hold, the oldest first.

        Cookies that prove nothing are taken back. No more are looked at than a browser of ours
        could have, however many are sent.
        """
        current = await call.principal()
        found: dict[str, Principal] = {}
        names = [name for name in call.cookie_names(PREFIX) if _NAME.fullmatch(name)]
        for name in names[: 2 * self.maximum_sessions]:
            held = await self._proven(call.cookie(name) or "", current)
            if held is not None and _cookie_of(held.session) == name:
                found[name] = held
            else:
                call.clear_plugin_cookie(name)
        return sorted(found.values(), key=lambda held: (held.session.created_at, held.session.id))

    async def _proven(self, token: str, current: Principal | None) -> Principal | None:
        """Who holds ``token``; ``current`` is known, and not looked up again."""
        if current is not None and _is_same(current.session.token, token):
            return current
        return await self.context.sessions.resolve(token, refresh=False)

    async def _chosen(self, call: Call, text: str) -> Principal:
        """The one of this browser's sessions that ``text`` names. Raises ``Unauthorized``."""
        session_id = self.context.sessions.tokens.id_of_handle(text)
        for held in await self._held(call):
            if held.session.id == session_id or _is_same(held.session.token, text):
                return held
        raise Unauthorized("This browser holds no such session", "INVALID_SESSION_TOKEN")

    def _end(self, call: Call, held: Principal) -> Awaitable[object]:
        call.clear_plugin_cookie(_cookie_of(held.session))
        return self.context.sessions.end_after(
            Change.SIGNED_OUT, held.user.id, current=held.session
        )

    def _shown(self, session: Session) -> str:
        """What a listing shows as the token of a session that is not the active one."""
        if self.context.sessions.config.list_tokens == "handles":
            return self.context.sessions.tokens.handle(session.id)
        return session.token


def _cookie_of(session: Session) -> str:
    return PREFIX + session.id.replace("-", "")


def _is_same(one: str, other: str) -> bool:
    return compare_digest(one.encode(), other.encode("utf-8", "replace"))
