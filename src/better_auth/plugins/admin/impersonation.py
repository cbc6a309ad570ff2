"""Impersonation: an admin in a session of someone else, and the way back.

The way back needs what only the admin has, their own token (kept in a cookie of its own while a
browser impersonates): whoever gets hold of the impersonated session's token gets no admin by it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from better_auth.adapters.base import gt, in_
from better_auth.endings import Change
from better_auth.errors import Unauthorized
from better_auth.events import ImpersonationEnded, ImpersonationStarted
from better_auth.http.call import Call, Context
from better_auth.http.endpoints import Endpoint
from better_auth.models import Principal, Session, User, impersonator

COOKIE = "admin-session"
_NEVER_PROVEN = datetime.fromtimestamp(0, UTC)
"""An impersonator has not proven the user's credentials: the session is not a fresh one."""


class Impersonations:
    """Begins and ends impersonations."""

    def __init__(self, context: Context, lifetime: timedelta) -> None:
        self._context = context
        self._lifetime = lifetime

    async def begin(self, call: Call, admin: Principal, user: User) -> Session:
        """A session of ``user`` with ``admin`` behind it, and its cookie in the answer.

        Raises ``Unauthorized`` where the admin's own session ended meanwhile.
        """
        session = await self._context.sessions.create(
            user,
            call.client,
            lifetime=self._lifetime,
            fields={
                "impersonated_by": admin.user.id,
                "impersonated_from": admin.session.id,
                "authenticated_at": _NEVER_PROVEN,
            },
        )
        if await self._begun_with(session) is None:  # what it was ended by, this came too late for
            await self._context.sessions.revoke(session)
            raise Unauthorized
        credential = call.wire.credential(call.request)
        if credential is not None and credential.source == "cookie":
            call.set_plugin_cookie(COOKIE, admin.session.token, self._lifetime)
        call.set_session_cookie(session)
        event = ImpersonationStarted(admin.user.id, user.id, session.id)
        await self._context.events.emit(event)
        return session

    async def end(self, call: Call, impersonation: Principal) -> Principal | None:
        """End it; the admin's own session and user, if both still stand.

        The session carries its token only if the request proved to know it by its cookie.
        """
        session = impersonation.session
        await self._context.sessions.revoke(session)
        await self._told_end(session)
        if call.cookie(COOKIE) is not None:
            return await self._by_cookie(call, session)
        return await self._without_token(session)

    async def _by_cookie(self, call: Call, impersonated: Session) -> Principal | None:
        """The admin's own session, by the cookie that kept it, which has served."""
        call.clear_plugin_cookie(COOKIE)
        own = await self._context.sessions.resolve(call.cookie(COOKIE) or "")
        return own if own and own.session.id == _origin(impersonated) else None

    def around_sign_out(self, endpoint: Endpoint) -> Endpoint:
        """Signing out of an impersonation signs the browser's admin out, whose token would stay
        behind in a cookie else."""
        if endpoint.route.path != "/sign-out":
            return endpoint
        function = endpoint.function

        async def sign_out(call: Call, **arguments: Any) -> Any:
            caller = await call.principal()
            result = await function(call, **arguments)
            if caller is not None and impersonator(caller.session) is not None:
                await self._told_end(caller.session)
                own = await self._by_cookie(call, caller.session)
                if own is not None:
                    end_after = self._context.sessions.end_after
                    await end_after(Change.SIGNED_OUT, own.user.id, current=own.session)
            return result

        return replace(endpoint, function=sign_out)

    async def _without_token(self, impersonated: Session) -> Principal | None:
        own = await self._begun_with(impersonated)
        if own is None:
            return None
        user = await self._context.users.find(own.user_id)
        if user is None:
            return None
        handle = self._context.sessions.tokens.handle(own.id)
        return self._context.sessions.principal(own.revised(token=handle), user)

    async def _begun_with(self, impersonated: Session) -> Session | None:
        """The admin's own session, if it is live."""
        return await self._context.database.find_one(
            Session, id=_origin(impersonated), expires_at=gt(self._context.clock())
        )

    def hand_back(self, call: Call, own: Principal) -> None:
        """Set the browser's session cookie to the admin's own session, or clear it."""
        if self._context.sessions.tokens.id_of_handle(own.session.token) is None:
            call.set_session_cookie(own.session)
        else:
            call.clear_session_cookie()

    async def end_all_by(
        self, admin_id: str, *, begun_with: Sequence[Session] | None = None
    ) -> None:
        """End every impersonation by one admin, or those begun with these sessions of theirs."""
        where: dict[str, Any] = {"impersonated_by": admin_id}
        if begun_with is not None:
            where["impersonated_from"] = in_([session.id for session in begun_with])
        for session in await self._context.database.find(Session, **where):
            if await self._context.sessions.revoke(session):
                await self._told_end(session)

    async def _told_end(self, session: Session) -> None:
        admin_id = impersonator(session) or ""
        await self._context.events.emit(ImpersonationEnded(admin_id, session.user_id, session.id))


def _origin(session: Session) -> str:
    """The id of the session an impersonation was begun with."""
    return getattr(session, "impersonated_from", None) or ""
