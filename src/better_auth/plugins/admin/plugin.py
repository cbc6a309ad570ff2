"""Administration of users and their sessions."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from better_auth.adapters.base import contains, ends_with, eq, in_, le, ne, starts_with
from better_auth.endings import Change
from better_auth.errors import BadRequest, Forbidden, NotFound, UnprocessableEntity
from better_auth.events import SecurityChanged, SessionCreating, SessionsRevoked, on
from better_auth.http.call import Call, Challenge, Context
from better_auth.http.endpoints import Endpoint, get, post
from better_auth.models import Principal, Session, User, impersonator
from better_auth.plugins.access import AccessControl
from better_auth.plugins.admin.impersonation import Impersonations
from better_auth.plugins.admin.messages import (
    Allowed,
    Ban,
    Done,
    Ended,
    Find,
    Impersonation,
    NewUser,
    Permissions,
    Permitted,
    SessionPage,
    SessionToRevoke,
    SetPassword,
    SetRole,
    UserId,
    UserIdQuery,
    UserPage,
    UserResult,
    UserUpdate,
)
from better_auth.plugins.admin.records import (
    AdminUserFields,
    ImpersonationFields,
    is_banned,
    role_of,
)
from better_auth.plugins.admin.roles import DEFAULT_ROLES, REFUSALS, UNKNOWN_ROLE
from better_auth.plugins.base import Plugin
from better_auth.users import normalize_email

_SEARCH = {"contains": contains, "starts_with": starts_with, "ends_with": ends_with}
_FIELDS = {"createdAt": "created_at", "updatedAt": "updated_at", "emailVerified": "email_verified"}


class AdminPlugin(Plugin):
    """Roles, bans and impersonation; every endpoint asks for a permission of the caller's role.

    ``roles`` is the access control (``plugins.admin.roles.DEFAULT_ROLES`` unless given).
    ``impersonation_lifetime`` is how long an impersonation lasts, never extended.
    ``allow_impersonating_admins`` and ``show_impersonations`` (to the user impersonated, in
    their own listing) are relaxations. The first admin is made on the command line:
    ``better-auth users set-role``.
    """

    name = "Admin"
    user_fields = AdminUserFields
    session_fields = ImpersonationFields

    def __init__(
        self,
        *,
        roles: AccessControl = DEFAULT_ROLES,
        impersonation_lifetime: timedelta = timedelta(hours=1),
        allow_impersonating_admins: bool = False,
        show_impersonations: bool = False,
    ) -> None:
        self.roles = roles
        self.impersonation_lifetime = impersonation_lifetime
        self.allow_impersonating_admins = allow_impersonating_admins
        self.show_impersonations = show_impersonations

    def bind(self, context: Context) -> None:
        super().bind(context)
        self._impersonations = Impersonations(context, self.impersonation_lifetime)
        context.sessions.list_impersonations = self.show_impersonations
        context.sessions.bar(lambda user: is_banned(user, context.clock()))
        context.second_steps.insert(0, self._refuse_banned)

    # Who may

    async def _allowed(self, call: Call, resource: str, *actions: str) -> Principal:
        """The caller, whose role, as the database has it now, holds the permission.

        Raises ``Unauthorized`` and ``Forbidden``.
        """
        caller = await call.require()
        if not self.roles.allows(role_of(caller.user), {resource: actions}):
            code = REFUSALS.get((resource, actions[0]), "NOT_ALLOWED")
            raise Forbidden("Your role does not allow this", code)
        return caller

    async def _target(self, caller: Principal, user_id: str) -> User:
        """The user to act upon, who may do nothing the caller may not.

        Raises ``NotFound`` and ``Forbidden``.
        """
        user = await self._found(user_id)
        self._refuse_more_than(caller, role_of(user))
        return user

    async def _found(self, user_id: str) -> User:
        user = await self.context.users.find(user_id)
        if user is None:
            raise NotFound("There is no such user", "USER_NOT_FOUND")
        return user

    def _refuse_more_than(self, caller: Principal, role: str) -> None:
        if not self.roles.held_by(role) <= self.roles.held_by(role_of(caller.user)):
            raise Forbidden("That role may do more than yours", "NOT_ALLOWED")

    @staticmethod
    def _refuse_self(caller: Principal, user_id: str, code: str = "NOT_TO_ONESELF") -> None:
        if caller.user.id == user_id:
            raise BadRequest("Not to be done to oneself", code)

    @post("/admin/has-permission", access="session")
    async def has_permission(self, call: Call, body: Permissions) -> Permitted:
        """Tell whether the caller's role allows something."""
        caller = await call.require()
        return Permitted(success=self.roles.allows(role_of(caller.user), body.permissions))

    # Users

    @post("/admin/create-user", access="session", errors=(403, 422))
    async def create_user(self, call: Call, body: NewUser) -> UserResult:
        """Create a user, whose address counts as unverified."""
        caller = await self._allowed(call, "user", "create")
        fields = {}
        if body.role is not None:
            await self._allowed(call, "user", "set-role")
            fields["role"] = self.roles.checked(body.role, unknown=UNKNOWN_ROLE)
            self._refuse_more_than(caller, body.role)
        password_hash = None
        if body.password is not None:
            await self.context.users.check_new_password(body.password)
            password_hash = await self.context.passwords.hash(body.password)
        user = await self.context.users.create(
            name=body.name, email=body.email, password_hash=password_hash, fields=fields
        )
        return UserResult(user=user)

    @get("/admin/list-users", access="session", errors=(403,))
    async def list_users(self, call: Call, query: Find) -> UserPage:
        """Search, filter, sort and page through users."""
        await self._allowed(call, "user", "list")
        where: dict[str, Any] = {}
        if query.search_value:
            where[query.search_field] = _SEARCH[query.search_operator](query.search_value)
        if query.filter_field is not None and query.filter_value is not None:
            value: Any = query.filter_value
            if query.filter_field in ("banned", "emailVerified"):
                value = value.lower() == "true"
            name = _FIELDS.get(query.filter_field, query.filter_field)
            compare = eq if query.filter_operator == "eq" else ne
            if name in where:
                raise BadRequest("filterField: is searched already")
            where[name] = compare(value)
        sort = _FIELDS.get(query.sort_by, query.sort_by)
        sign = "-" if query.sort_direction == "desc" else ""
        users = await self.context.database.find(
            User,
            order_by=(f"{sign}{sort}", f"{sign}id"),
            limit=query.limit,
            offset=query.offset,
            **where,
        )
        total = await self.context.database.count(User, **where)
        return UserPage(users=users, total=total, limit=query.limit, offset=query.offset)

    @get("/admin/get-user", access="session", errors=(403, 404))
    async def get_user(self, call: Call, query: UserIdQuery) -> User:
        """Get one user."""
        await self._allowed(call, "user", "get")
        return await self._found(query.id)

    @post("/admin/update-user", access="session", errors=(403, 404, 422))
    async def update_user(self, call: Call, body: UserUpdate) -> User:
        """Change a user's name, address or picture; a new address ends their sessions."""
        caller = await self._allowed(call, "user", "update")
        changes = body.data.model_dump(exclude_unset=True)
        for name in ("name", "email", "email_verified"):
            if name in changes and changes[name] is None:
                raise BadRequest(f"data.{name}: must not be null", "VALIDATION_ERROR")
        if not changes:
            raise BadRequest("data: nothing to change", "NO_DATA_TO_UPDATE")
        user = await self._target(caller, body.user_id)
        if changes.get("email_verified"):
            self._refuse_self(caller, user.id)
        if "email" in changes:
            changes["email"] = normalize_email(changes["email"])
        moved = changes.get("email", user.email) != user.email
        if moved:
            changes.setdefault("email_verified", False)
        user = await self.context.users.update(user, changes)
        if moved:
            own = caller.session if caller.user.id == user.id else None
            await self.context.sessions.end_after(Change.EMAIL_CHANGED, user.id, current=own)
        return user

    @post("/admin/remove-user", access="session", errors=(403, 404))
    async def remove_user(self, call: Call, body: UserId) -> Allowed:
        """Delete a user, with everything that is theirs."""
        caller = await self._allowed(call, "user", "remove")
        self._refuse_self(caller, body.user_id, "YOU_CANNOT_REMOVE_YOURSELF")
        user = await self._target(caller, body.user_id)
        await self.context.users.delete(user)
        return Allowed(success=True)

    @post("/admin/set-role", access="session", errors=(403, 404))
    async def set_role(self, call: Call, body: SetRole) -> UserResult:
        """Give a user another role; their sessions end."""
        caller = await self._allowed(call, "user", "set-role")
        self._refuse_self(caller, body.user_id)
        role = self.roles.checked(body.role, unknown=UNKNOWN_ROLE)
        user = await self._target(caller, body.user_id)
        self._refuse_more_than(caller, role)
        return UserResult(user=await self.give_role(user, body.role))

    async def give_role(self, user: User, role: str) -> User:
        """Give ``user`` another role and end their sessions, without asking who wants it.

        For the application's own code and the command line. Raises ``BadRequest`` for an unknown
        role.
        """
        role = self.roles.checked(role)
        if role == role_of(user):
            return user
        user = await self.context.users.update(user, {"role": role})
        await self.context.sessions.end_after(Change.ROLE_CHANGED, user.id)
        return user

    @post("/admin/set-user-password", access="session", errors=(403, 404))
    async def set_user_password(self, call: Call, body: SetPassword) -> Done:
        """Set a user's password; their sessions end."""
        caller = await self._allowed(call, "user", "set-password")
        user = await self._target(caller, body.user_id)
        await self.context.users.check_new_password(body.new_password)
        password_hash = await self.context.passwords.hash(body.new_password)
        await self.context.users.give_password(user, password_hash)
        await self.context.sessions.end_after(Change.PASSWORD_RESET, user.id)
        return Done()

    # Bans

    @post("/admin/ban-user", access="session", errors=(403, 404))
    async def ban_user(self, call: Call, body: Ban) -> UserResult:
        """Keep a user out, for a time or for good; their sessions end."""
        caller = await self._allowed(call, "user", "ban")
        self._refuse_self(caller, body.user_id, "YOU_CANNOT_BAN_YOURSELF")
        user = await self._target(caller, body.user_id)
        seconds = body.ban_expires_in
        changes = {
            "banned": True,
            "ban_reason": body.ban_reason,
            "ban_expires": seconds and self.context.clock() + timedelta(seconds=seconds),
        }
        user = await self.context.users.update(user, changes)
        await self.context.sessions.end_after(Change.BANNED, user.id)
        return UserResult(user=user)

    @post("/admin/unban-user", access="session", errors=(403, 404))
    async def unban_user(self, call: Call, body: UserId) -> UserResult:
        """Let a user in again."""
        caller = await self._allowed(call, "user", "ban")
        user = await self._target(caller, body.user_id)
        return UserResult(user=await self.context.users.update(user, _NO_BAN))

    async def _refuse_banned(self, call: Call, user: User, remember: bool) -> Challenge | None:
        await self._admit(user)
        return None

    @on(SessionCreating)
    async def refuse_session(self, event: SessionCreating) -> None:
        """No session for the banned, by whatever way they come."""
        await self._admit(event.user)

    async def _admit(self, user: User) -> None:
        """Raises ``Forbidden`` for a banned user; a ban that has expired is lifted."""
        now = self.context.clock()
        if getattr(user, "banned", False) and not is_banned(user, now):
            is_over: dict[str, Any] = {"banned": True, "ban_expires": le(now)}
            try:
                await self.context.users.update(user, _NO_BAN, still=is_over)
            except UnprocessableEntity:  # lifted meanwhile, or banned anew
                user = await self.context.users.find(user.id) or user
        if is_banned(user, now):
            reason = getattr(user, "ban_reason", None)
            message = f"You have been banned: {reason}" if reason else "You have been banned"
            raise Forbidden(message, "BANNED_USER")

    # Sessions

    @post("/admin/list-user-sessions", access="session", errors=(403, 404))
    async def list_user_sessions(self, call: Call, body: UserId) -> SessionPage:
        """List a user's live sessions, impersonated ones included."""
        await self._allowed(call, "session", "list")
        user = await self._found(body.user_id)
        return SessionPage(sessions=await self.context.sessions.list_all_for(user.id))

    @post("/admin/revoke-user-session", access="session", errors=(403,))
    async def revoke_user_session(self, call: Call, body: SessionToRevoke) -> Ended:
        """End one session of whoever it is."""
        caller = await self._allowed(call, "session", "revoke")
        sessions = self.context.sessions
        where: dict[str, Any]
        if body.session_token is None:
            if body.id is None:
                raise BadRequest("give id or sessionToken")
            where = {"id": body.id}
        elif session_id := sessions.tokens.id_of_handle(body.session_token):
            where = {"id": session_id}
        else:
            where = {"token_key": in_(sessions.tokens.keys(body.session_token))}
        found = await self.context.database.find_one(Session, **where)
        if found is None:
            return Ended(success=True, count=0)
        await self._target(caller, found.user_id)
        ended = await sessions.revoke_id(found.user_id, found.id)
        self._forget(call, caller, ended)
        return Ended(success=True, count=len(ended))

    @post("/admin/revoke-user-sessions", access="session", errors=(403, 404))
    async def revoke_user_sessions(self, call: Call, body: UserId) -> Ended:
        """End all sessions of a user."""
        caller = await self._allowed(call, "session", "revoke")
        user = await self._target(caller, body.user_id)
        ended = await self.context.sessions.revoke_all(user.id)
        self._forget(call, caller, ended)
        return Ended(success=True, count=len(ended))

    @post("/admin/revoke-all-sessions", access="session", errors=(403,))
    async def revoke_all_sessions(self, call: Call) -> Ended:
        """End every session of everyone, the caller's own included: for an incident."""
        await self._allowed(call, "session", "revoke-all")
        count = await self.context.sessions.revoke_everyone()
        call.clear_session_cookie()
        return Ended(success=True, count=count)

    @staticmethod
    def _forget(call: Call, caller: Principal, ended: Sequence[Session]) -> None:
        if any(session.id == caller.session.id for session in ended):
            call.clear_session_cookie()

    # Impersonation

    @post("/admin/impersonate-user", access="session", errors=(403, 404))
    async def impersonate_user(self, call: Call, body: UserId) -> Impersonation:
        """Be another user for a while, in a session that says who is behind it."""
        caller = await self._allowed(call, "user", "impersonate")
        if impersonator(caller.session) is not None:
            raise Forbidden("End the other impersonation first", "ALREADY_IMPERSONATING")
        self._refuse_self(caller, body.user_id)
        user = await self._found(body.user_id)
        may_all = self.allow_impersonating_admins or self.roles.allows(
            role_of(caller.user), {"user": ("impersonate-admins",)}
        )
        if self.roles.held_by(role_of(user)) and not may_all:
            raise Forbidden("Admins cannot be impersonated", "YOU_CANNOT_IMPERSONATE_ADMINS")
        self._refuse_more_than(caller, role_of(user))
        session = await self._impersonations.begin(call, caller, user)
        return Impersonation(session=session, user=user)

    @post("/admin/stop-impersonating", access="session", errors=(400,))
    async def stop_impersonating(self, call: Call) -> Impersonation:
        """End an impersonation and return to one's own session, if that still stands.

        By cookie, one's own session comes back as the session's cookie. By Bearer, its token is
        where it always was, with the caller: the answer names the session and shows a handle.
        """
        caller = await call.require()
        if impersonator(caller.session) is None:
            raise BadRequest("You are not impersonating anyone", "NOT_IMPERSONATING")
        own = await self._impersonations.end(call, caller)
        if own is None or not self.roles.allows(role_of(own.user), {"user": ("impersonate",)}):
            call.clear_session_cookie()
            return Impersonation(session=None, user=None)
        self._impersonations.hand_back(call, own)
        return Impersonation(session=own.session, user=own.user)

    def around(self, endpoint: Endpoint) -> Endpoint:
        """Who signs out while being somebody else is nobody then."""
        return self._impersonations.around_sign_out(endpoint)

    @on(SecurityChanged)
    async def end_impersonations(self, event: SecurityChanged) -> None:
        """What ends all of an admin's sessions ends those in which they are someone else."""
        if event.ending.sessions == "all":
            await self._impersonations.end_all_by(event.user_id)

    @on(SessionsRevoked)
    async def end_what_was_begun(self, event: SessionsRevoked) -> None:
        """An impersonation does not outlive the session it was begun with, stolen perhaps."""
        own = [session for session in event.sessions if impersonator(session) is None]
        if own:
            await self._impersonations.end_all_by(event.user_id, begun_with=own)


_NO_BAN: dict[str, Any] = {"banned": False, "ban_reason": None, "ban_expires": None}
