"""What users do with themselves: change what they are called, write on their session, leave."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from better_auth.crypto import Purpose
from better_auth.errors import AuthError, BadRequest, Unauthorized
from better_auth.events import SecurityChanged, on
from better_auth.http.body import Input
from better_auth.http.call import Call, Context
from better_auth.http.endpoints import Endpoint, get, post
from better_auth.http.messages import Redirect
from better_auth.mail import MailKind, Send
from better_auth.models import Fields, Record, Session, Settable, User
from better_auth.plugins.answers import Status
from better_auth.plugins.base import Plugin
from better_auth.plugins.email_password import not_blank
from better_auth.plugins.own_fields import settable_by_users, with_optional


def _without_defaults(schema: dict[str, Any]) -> None:
    """What is left out stays as it is: no default says what it becomes."""
    for field in schema.get("properties", {}).values():
        field.pop("default", None)


def _without_default(schema: dict[str, Any]) -> None:
    """Left out, a name stays as it is; the default here stands for that and is no name."""
    schema.pop("default", None)


class UpdateUser(Input):
    """What is to be different. An application's own ``User`` fields join these."""

    model_config = ConfigDict(extra="allow", json_schema_extra=_without_defaults)

    name: Annotated[str, AfterValidator(not_blank)] = Field(
        default="", min_length=1, max_length=255, json_schema_extra=_without_default
    )
    image: str | None = Field(default=None, max_length=2048)


class UpdateSession(Input):
    """What is to be different: the session fields that plugins let users set."""

    model_config = ConfigDict(extra="allow", json_schema_extra=_without_defaults)


class UpdatedSession(Fields):
    """The session as it is now."""

    session: Session


class DeleteUser(Input):
    """The password, or the token of the mail, where the session is not fresh."""

    password: str | None = Field(default=None, repr=False, json_schema_extra={"format": "password"})
    token: str | None = Field(default=None, repr=False, max_length=256)
    callback_url: str | None = Field(default=None, alias="callbackURL", max_length=2048)


class DeletionLink(Input):
    """What the link in the mail says."""

    token: str = Field(repr=False, max_length=256)
    callback_url: str | None = Field(default=None, alias="callbackURL", max_length=2048)


class Deleted(Fields):
    """Whether it was done, or mail sent with a link that does it."""

    success: bool = True
    message: str


class UserManagementPlugin(Plugin):
    """``/update-user``, ``/update-session``, ``/delete-user`` and ``GET /delete-user/callback``.

    ``enable_deletion=False`` takes the two deletions away. ``confirm_deletion`` has a deletion
    confirmed by a link in mail, good for ``deletion_lifetime``; it goes out by
    ``BetterAuth(mail=...)``, or by ``send_deletion`` (a function of a ``Letter``).
    """

    name = "Users"

    def __init__(
        self,
        *,
        enable_deletion: bool = True,
        confirm_deletion: bool = False,
        send_deletion: Send | None = None,
        deletion_lifetime: timedelta = timedelta(days=1),
    ) -> None:
        self.enable_deletion = enable_deletion
        self.confirm_deletion = confirm_deletion or send_deletion is not None
        self.send_deletion = send_deletion
        self.deletion_lifetime = deletion_lifetime
        self._session_fields: dict[str, FieldInfo] = {}

    def bind(self, context: Context) -> None:
        super().bind(context)
        needed_by = "UserManagementPlugin(confirm_deletion=True)" if self.confirm_deletion else None
        context.mail.route(MailKind.DELETE_ACCOUNT, self.send_deletion, needed_by=needed_by)
        self._session_fields = {
            name: field
            for name, field in context.sessions.model.model_fields.items()
            if any(isinstance(marker, Settable) for marker in field.metadata)
        }

    def endpoints(self) -> Iterable[Endpoint]:
        own = settable_by_users(self.context)
        for endpoint in super().endpoints():
            if endpoint.route.path.startswith("/delete-user") and not self.enable_deletion:
                continue
            if endpoint.body is UpdateUser:
                endpoint = replace(endpoint, body=with_optional(UpdateUser, own))
            if endpoint.body is UpdateSession:
                endpoint = replace(
                    endpoint, body=with_optional(UpdateSession, self._session_fields)
                )
            yield endpoint

    @post("/update-user", access="session", errors=(422,))
    async def update_user(self, call: Call, body: UpdateUser) -> Status:
        """Change one's name, image or own fields. The address is changed by ``/change-email``."""
        caller = await call.require()
        if "email" in (body.model_extra or {}):
            raise BadRequest("email: changed by /change-email", "EMAIL_CAN_NOT_BE_UPDATED")
        await self.context.users.update(caller.user, _wanted(body, self.context.users.model))
        return Status()

    @post("/update-session", access="session")
    async def update_session(self, call: Call, body: UpdateSession) -> UpdatedSession:
        """Change what plugins let users write on their own session.

        A session that has ended meanwhile is answered with 401, and its cookie cleared.
        """
        caller = await call.require()
        changes = _wanted(body, self.context.sessions.model)
        try:
            session = await self.context.sessions.update(caller.session, changes)
        except Unauthorized:
            call.clear_session_cookie()
            raise
        return UpdatedSession(session=session)

    @post("/delete-user", access="session", takes_credentials=True, errors=(404,))
    async def delete_user(self, call: Call, body: DeleteUser) -> Deleted:
        """Delete one's user with everything that belongs to it.

        Asks for the password, the token of the mail, or a fresh session. Where a deletion is to
        be confirmed and no token is given, mails a link.
        """
        caller = await call.require_own()
        self.context.origins.check_redirect(body.callback_url, call.request, "callbackURL")
        if body.password is not None:
            await self._check_password(call, caller.user, body.password)
        if body.token is not None:
            await self._redeem(caller.user, body.token)
        elif body.password is None:
            caller = await call.require_fresh()
        if self.confirm_deletion and body.token is None:
            link = call.link("/delete-user/callback", callbackURL=body.callback_url)
            self._send_link(caller.user, link)
            return Deleted(message="Verification email sent")
        return await self._delete(call, caller.user)

    @get("/delete-user/callback", access="session", errors=(403, 404), acts=True)
    async def delete_user_callback(self, call: Call, query: DeletionLink) -> Redirect | Deleted:
        """Follow the link in the mail, in a browser that is signed in: the user is deleted."""
        caller = await call.require_own()
        self.context.origins.check_redirect(query.callback_url, call.request, "callbackURL")
        await self._redeem(caller.user, query.token)
        deleted = await self._delete(call, caller.user)
        return Redirect.to(query.callback_url) if query.callback_url is not None else deleted

    @on(SecurityChanged)
    async def void_links(self, event: SecurityChanged) -> None:
        """A deletion asked for before something happened to the user needs asking again."""
        if event.ending.challenges:
            await self.context.proofs.revoke(Purpose.DELETE_ACCOUNT, event.user_id)

    def _send_link(self, user: User, link: str) -> None:
        async def send() -> None:
            if not await self.context.proofs.may_send(Purpose.DELETE_ACCOUNT, user.id):
                return
            token = await self.context.proofs.issue(
                Purpose.DELETE_ACCOUNT, user.id, self.deletion_lifetime, subject=user.id
            )
            url = Redirect.to(link, token=token).location
            self.context.mail.send(MailKind.DELETE_ACCOUNT, user.email, url=url, token=token)

        self.context.mail.later(MailKind.DELETE_ACCOUNT, send)

    async def _redeem(self, user: User, token: str) -> None:
        """Use the token up. Raises ``AuthError`` (404) for one that is not this user's, which
        stays good for them."""
        proofs = self.context.proofs
        if await proofs.look(Purpose.DELETE_ACCOUNT, token) != user.id or (
            await proofs.redeem(Purpose.DELETE_ACCOUNT, token) is None
        ):
            raise AuthError(404, "INVALID_TOKEN", "The link is not, or no longer, good")

    async def _check_password(self, call: Call, user: User, password: str) -> None:
        if not await self.context.users.check_password(user.id, password):
            await call.sign_in_failed("password", "wrong password", user.id)
            raise BadRequest("The password is wrong", "INVALID_PASSWORD")

    async def _delete(self, call: Call, user: User) -> Deleted:
        await self.context.users.delete(user)
        call.clear_session_cookie()
        return Deleted(message="User deleted")


def _wanted(body: BaseModel, record: type[Record]) -> dict[str, Any]:
    """The changes that ``body`` asks for, by field name.

    Raises ``BadRequest`` for a field of ``record`` that is not for users to set (what nobody knows
    is ignored), and where nothing is left.
    """
    extra = body.model_extra or {}
    for name, field in record.model_fields.items():
        for written in {name, field.alias or name} & extra.keys():
            raise BadRequest(f"{written} is not allowed to be set", "FIELD_NOT_ALLOWED")
    changes = {name: getattr(body, name) for name in body.model_fields_set if name not in extra}
    if not changes:
        raise BadRequest("No fields to update", "NO_FIELDS_TO_UPDATE")
    return changes
