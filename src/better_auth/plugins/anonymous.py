"""Users without a name: signed in before they say who they are, and kept when they do.

Whoever signs in or up for real in a browser that holds an anonymous session takes over from the
anonymous user: the application is told of both (``AnonymousUserLinking``), to move what belongs
to them, and the anonymous user with all sessions is deleted.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeAlias
from uuid import uuid4

from better_auth.adapters import lt
from better_auth.errors import AuthError, BadRequest, ConfigurationError, Forbidden
from better_auth.events import (
    AccountCreated,
    AnonymousUserLinking,
    UserUpdating,
    on,
)
from better_auth.http.call import Call, Context
from better_auth.http.endpoints import post
from better_auth.models import Fields, Principal, User, impersonator
from better_auth.plugins.base import Plugin
from better_auth.users import normalize_email

logger = logging.getLogger("better_auth.anonymous")

PURGE_BATCH = 100

LinkAccount: TypeAlias = Callable[[AnonymousUserLinking], Awaitable[None] | None]


class AnonymousFields(Fields):
    """Whether nobody has said yet who this user is."""

    is_anonymous: bool = False


class SignedInAnonymously(Fields):
    """The session's token and its new user."""

    token: str
    user: User


class Deleted(Fields):
    """It was done."""

    success: bool


class AnonymousPlugin(Plugin):
    """``POST /sign-in/anonymous`` and ``POST /delete-anonymous-user``.

    ``email_domain`` is what the made-up addresses end with, where nobody may read mail; without,
    a domain that cannot exist.
    ``make_name`` names the new user. ``on_link_account`` is told (as a handler of
    ``AnonymousUserLinking``) who takes over from whom, before the anonymous user is deleted; if it
    raises, nothing is deleted and the sign-in stands. ``keep_linked_users=True`` deletes nobody
    then, ``enable_deletion=False`` refuses ``/delete-anonymous-user``.
    """

    name = "Anonymous"
    user_fields = AnonymousFields

    def __init__(
        self,
        *,
        email_domain: str | None = None,
        make_name: Callable[[], str] = lambda: "Anonymous",
        on_link_account: LinkAccount | None = None,
        keep_linked_users: bool = False,
        enable_deletion: bool = True,
    ) -> None:
        """Raises ``ConfigurationError`` for a domain that no address can have."""
        try:
            normalize_email(f"anonymous@{email_domain or 'example.com'}")
        except BadRequest:
            raise ConfigurationError("AnonymousPlugin: email_domain is not a domain") from None
        self.email_domain = email_domain
        self.make_name = make_name
        self.on_link_account = on_link_account
        self.keep_linked_users = keep_linked_users
        self.enable_deletion = enable_deletion

    def bind(self, context: Context) -> None:
        super().bind(context)
        context.users.refuse_required_fields(type(self).__name__)
        context.hand_outs.append(self._take_over)
        if self.on_link_account is not None:
            context.events.add(AnonymousUserLinking, self.on_link_account)

    @post("/sign-in/anonymous", takes_credentials=True, errors=(400,))
    async def sign_in(self, call: Call) -> SignedInAnonymously:
        """Begin a session as a new user without a name or password."""
        caller = await call.principal()
        if caller is not None and is_anonymous(caller.user):
            raise BadRequest(
                "Signed in anonymously already", "ANONYMOUS_USERS_CANNOT_SIGN_IN_AGAIN_ANONYMOUSLY"
            )
        user = await self.context.users.create(
            name=self.make_name(),
            email=self.email_domain and f"{uuid4().hex}@{self.email_domain}",
            fields={"is_anonymous": True},
        )
        session = await call.begin_session(user)
        return SignedInAnonymously(token=session.token, user=user)

    @post("/delete-anonymous-user", access="session", errors=(400, 403))
    async def delete(self, call: Call) -> Deleted:
        """Delete the current user, who is anonymous, with all sessions."""
        caller = await call.require()
        if not self.enable_deletion:
            raise BadRequest("Not to be deleted here", "DELETE_ANONYMOUS_USER_DISABLED")
        if not is_anonymous(caller.user):
            raise Forbidden("This user is not anonymous", "USER_IS_NOT_ANONYMOUS")
        await self.context.users.delete(caller.user)
        call.clear_session_cookie()
        return Deleted(success=True)

    async def purge(self, older_than: timedelta = timedelta(days=30)) -> int:
        """Delete the anonymous users made longer ago whose sessions are over, whom nobody can be
        any longer; how many. What ``UserDeleting`` handlers refuse to part with stays."""
        before = lt(self.context.clock() - older_than)
        where = {"is_anonymous": True, "created_at": before}
        gone = kept = 0
        while found := await self.context.database.find(
            User, order_by=("created_at", "id"), limit=PURGE_BATCH, offset=kept, **where
        ):
            for user in found:
                if await self._is_in_use(user):
                    kept += 1
                else:
                    gone += 1
        return gone

    async def _is_in_use(self, user: User) -> bool:
        """Whether ``user`` stays; deletes who does not."""
        if await self.context.sessions.list_for(user.id):
            return True
        try:
            await self.context.users.delete(user)
        except AuthError as error:
            logger.warning("an anonymous user is kept: %s", error.code)
            return True
        return False

    async def _take_over(self, call: Call, principal: Principal, is_new: bool) -> None:
        """Let whoever signed in take over from the anonymous user whose session they came with."""
        credential = call.wire.credential(call.request) if is_new else None
        before = await self.context.sessions.resolve(credential.token) if credential else None
        if before is None or not is_anonymous(before.user) or is_anonymous(principal.user):
            return
        if impersonator(before.session) is not None:
            return  # an admin looked in, and goes on as somebody else
        try:
            await self.context.events.emit(AnonymousUserLinking(before.user, principal.user))
            if not self.keep_linked_users:
                await self.context.users.delete(before.user)
        except AuthError as error:
            logger.warning("an anonymous user is kept: %s", error.code)
        except Exception:
            logger.exception("an anonymous user is kept: a handler failed")

    @on(AccountCreated)
    async def known_by_account(self, event: AccountCreated) -> None:
        """Whoever has a way to come back is anonymous no longer."""
        user = await self.context.users.find(event.account.user_id)
        if user is not None and is_anonymous(user):
            await self.context.users.update(user, {"is_anonymous": False})

    @on(UserUpdating)
    def known_by_address(self, event: UserUpdating) -> None:
        """Nor is who has proven an address."""
        if is_anonymous(event.user) and event.changes.get("email_verified"):
            event.changes["is_anonymous"] = False


def is_anonymous(user: User) -> bool:
    """Whether nobody has said yet who ``user`` is."""
    return isinstance(user, AnonymousFields) and user.is_anonymous
