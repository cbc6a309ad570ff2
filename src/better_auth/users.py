"""Users: made, found, changed and deleted in one place, whoever asks for it."""

import unicodedata
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias
from uuid import uuid4

import email_validator

from better_auth.adapters.base import DatabaseAdapter, Verbs, in_, ne
from better_auth.clock import Clock
from better_auth.crypto import PasswordHasher, PasswordPolicy
from better_auth.endings import Change
from better_auth.errors import (
    AuthError,
    BadRequest,
    ConfigurationError,
    UniqueViolation,
    UnprocessableEntity,
)
from better_auth.events import (
    AccountCreated,
    AccountsDeleted,
    EmailVerified,
    EventBus,
    UserCreated,
    UserCreating,
    UserDeleted,
    UserDeleting,
    UserUpdated,
    UserUpdating,
)
from better_auth.models import Account, Session, User
from better_auth.sessions import SessionManager

CREDENTIAL = "credential"
"""The provider id of the account that holds a user's password."""

NO_MAIL_DOMAIN = "placeholder.invalid"
"""Where the addresses of users without one are: it cannot exist (RFC 6761 section 6.4)."""

LONGEST_PASSWORD = 4096
"""Characters looked at of any password; bounds the work that a request can ask for."""


@lru_cache(maxsize=1024)
def normalize_email(text: str) -> str:
    """``text`` in the form in which e-mail addresses are stored and compared.

    NFKC first, so that a look-alike ``@`` or letter cannot pass for another address, then
    checked, then lower case. Raises ``BadRequest`` (``INVALID_EMAIL``).

    >>> normalize_email("Ada@Example.COM")
    'ada@example.com'
    """
    try:
        checked = email_validator.validate_email(
            unicodedata.normalize("NFKC", text),
            check_deliverability=False,
            globally_deliverable=False,
        )
    except email_validator.EmailNotValidError:
        raise BadRequest("email: not a valid e-mail address", "INVALID_EMAIL") from None
    return checked.normalized.lower()


Farewell: TypeAlias = Callable[[Verbs, User], Awaitable[None]]
"""What else is to be done, or found to be so, as a user is deleted; by raising it keeps them."""


class EmailTaken(UnprocessableEntity):
    """422: another user has this address. ``user`` is who is not there for that."""

    def __init__(self, user: User) -> None:
        super().__init__("A user with this e-mail address exists already", "USER_ALREADY_EXISTS")
        self.user = user


class UserManager:
    """The users of one application. ``model`` is its own ``User``, plugins' fields included."""

    def __init__(
        self,
        database: DatabaseAdapter,
        sessions: SessionManager,
        events: EventBus,
        clock: Clock,
        passwords: PasswordHasher,
        model: type[User],
    ) -> None:
        self.model = model
        self.password_policy = PasswordPolicy()
        """What a new password must be."""
        self.require_verified_email = False
        """Whether nobody may sign in with a password before their address is verified."""
        self.taken: dict[str, Callable[[], AuthError]] = {}
        """Plugins' unique fields of users: what is raised where a value is somebody else's."""
        self.farewells: list[Farewell] = []
        """Plugins' part in the transaction that deletes a user."""
        self._passwords = passwords
        self._database = database
        self._sessions = sessions
        self._events = events
        self._clock = clock

    @property
    def password_max_length(self) -> int:
        """Characters a password may have."""
        return self.password_policy.max_length

    def refuse_required_fields(self, who: str) -> None:
        """Raises ``ConfigurationError`` where ``who``, a plugin that asks for an address and no
        more, could not create a user, as one of the application's own fields has no default."""
        for name, field in self.model.model_fields.items():
            if field.is_required() and name not in User.model_fields:
                raise ConfigurationError(f"{who}: users need {name}; give it a default")

    async def create(
        self,
        *,
        name: str,
        email: str | None,
        password_hash: str | None = None,
        email_verified: bool = False,
        image: str | None = None,
        fields: Mapping[str, Any] | None = None,
        account: Account | None = None,
    ) -> User:
        """Store a user and, with a ``password_hash``, the account that signs in with it.

        ``account`` is another way of signing in, which becomes the new user's.

        ``email`` is normalised here; without one, the user gets an address that nobody can have
        (below ``NO_MAIL_DOMAIN``). Raises ``BadRequest`` (``INVALID_EMAIL``), ``EmailTaken``
        (``USER_ALREADY_EXISTS``) and what ``UserCreating`` handlers raise.
        """
        now = self._clock()
        user = self.model(
            name=name,
            email=normalize_email(email) if email else f"{uuid4().hex}@{NO_MAIL_DOMAIN}",
            email_verified=email_verified,
            image=image,
            created_at=now,
            updated_at=now,
            **(fields or {}),
        )
        user = (await self._events.emit(UserCreating(user))).user
        accounts = [account.revised(user_id=user.id)] if account else []
        if password_hash:
            accounts.append(
                Account(
                    user_id=user.id,
                    provider_id=CREDENTIAL,
                    account_id=user.id,
                    password_hash=password_hash,
                    created_at=now,
                    updated_at=now,
                )
            )
        try:
            async with self._database.transaction() as verbs:
                await verbs.insert(user)
                for new in accounts:
                    await verbs.insert(new)
        except UniqueViolation:
            raise await self._conflict(user) from None
        await self._events.emit(UserCreated(user))
        for new in accounts:
            await self._events.emit(AccountCreated(new))
        return user

    async def find_by_email(self, email: str) -> User | None:
        """The user with this (normalised) address."""
        return await self._database.find_one(User, email=email)

    async def find(self, user_id: str) -> User | None:
        """The user with this id."""
        return await self._database.find_one(User, id=user_id)

    async def credential(self, user_id: str) -> Account | None:
        """The account that holds the user's password hash."""
        return await self._database.find_one(
            Account, user_id=user_id, provider_id=CREDENTIAL, account_id=user_id
        )

    async def check_new_password(self, password: str) -> None:
        """Raises ``BadRequest`` for a password that ``password_policy`` does not allow."""
        await self.password_policy.check(password)

    async def check_password(self, user_id: str | None, password: str) -> bool:
        """Whether ``password`` is the user's; takes the same time for a user without one, or none.

        A hash of another kind or cost is replaced on the way.
        """
        return await self.proven_credential(user_id, password) is not None

    async def proven_credential(self, user_id: str | None, password: str) -> Account | None:
        """The account whose password this is, with the hash that showed it (or took its place);
        None, as :meth:`check_password` is false."""
        password = password[:LONGEST_PASSWORD]
        account = await self.credential(user_id or "")
        if account is None or account.password_hash is None:
            await self._passwords.pretend(password)
            return None
        verified = await self._passwords.verify(password, account.password_hash)
        if not verified.ok:
            return None
        if verified.new_hash is None:
            return account
        if not await self.set_password_hash(account, verified.new_hash):
            return await self.proven_credential(user_id, password)  # somebody else replaced it
        return account.revised(password_hash=verified.new_hash)

    async def refuse_replaced(self, proven: Account, refusal: AuthError) -> None:
        """Raise ``refusal`` where the password is not what it was when ``proven`` showed it."""
        account = await self.credential(proven.user_id)
        if account is None or account.password_hash != proven.password_hash:
            raise refusal

    async def set_password_hash(self, account: Account, password_hash: str) -> bool:
        """Replace the hash, unless it was changed since ``account`` was read; whether it was."""
        changes = {"password_hash": password_hash, "updated_at": self._clock()}
        return bool(
            await self._database.update(
                Account, changes, id=account.id, password_hash=account.password_hash
            )
        )

    async def give_password(self, user: User, password_hash: str) -> None:
        """Make this the hash of ``user``'s password, whether or not there was one."""
        now = self._clock()
        changes = {"password_hash": password_hash, "updated_at": now}
        where = {"user_id": user.id, "provider_id": CREDENTIAL}
        if await self._database.update(Account, changes, **where):
            return
        account = Account(
            user_id=user.id,
            provider_id=CREDENTIAL,
            account_id=user.id,
            password_hash=password_hash,
            created_at=now,
            updated_at=now,
        )
        try:
            await self._database.insert(account)
        except UniqueViolation:  # somebody else gave the first one meanwhile
            await self._database.update(Account, changes, **where)
        else:
            await self._events.emit(AccountCreated(account))

    async def verify_email(self, user: User, *, current: Session | None = None) -> User:
        """Note that the address of ``user`` is theirs, by the link they asked for.

        The first time, sessions begun before end, but for ``current``: theirs who followed the
        link. Raises ``UnprocessableEntity`` (``USER_CHANGED``) where the address was verified, or
        changed, meanwhile.
        """
        if user.email_verified:
            return user
        unproven = {"email": user.email, "email_verified": False}
        user = await self.update(user, {"email_verified": True}, still=unproven)
        await self._sessions.end_after(Change.EMAIL_VERIFIED, user.id, current=current)
        await self._events.emit(EmailVerified(user))
        return user

    async def claim_email(self, user: User, *, keep: Sequence[str] = ()) -> User:
        """Note that the address of ``user`` is theirs who come with a proof of their own: a
        magic link, a code, another provider's word, a reset of the password.

        While nobody had proven it, anybody may have made the user and waited for its owner. So
        the first proof ends all sessions, and takes every account (password included) but those
        with an id in ``keep``. Nothing changes for an address that was proven before. Raises
        ``UnprocessableEntity`` (``USER_CHANGED``) where the address was changed meanwhile.
        """
        unproven = {"email": user.email, "email_verified": False}
        if user.email_verified or not await self._database.count(User, id=user.id, **unproven):
            return await self._claimed(user)
        changes = await self._changes(user, {"email_verified": True})
        # First, so that who is interrupted between leaves an address that is still unproven.
        await self._sessions.revoke_all(user.id)
        async with self._database.transaction() as verbs:
            is_first = await verbs.update(User, changes, id=user.id, **unproven)
            accounts = await verbs.find(Account, user_id=user.id) if is_first else []
            others = [account for account in accounts if account.id not in keep]
            await verbs.delete(Account, id=in_([account.id for account in others]))
        if not is_first:  # somebody else came first, with a proof too
            return await self._claimed(user)
        user = user.revised(changes)
        await self._events.emit(UserUpdated(user, changes))
        await self._sessions.end_after(Change.EMAIL_CLAIMED, user.id)
        if others:
            await self._events.emit(AccountsDeleted(user.id, others))
        await self._events.emit(EmailVerified(user))
        # What else of the impostor's ended, a second factor, is in the row alone.
        return await self.find(user.id) or user

    async def _claimed(self, user: User) -> User:
        """``user`` as they are, whose address was proven before."""
        found = user if user.email_verified else await self.find(user.id)
        if found is None or found.email != user.email or not found.email_verified:
            raise _changed()
        return found

    async def update(
        self, user: User, changes: Mapping[str, Any], *, still: Mapping[str, Any] | None = None
    ) -> User:
        """Write ``changes`` (by field name) and return the user as it is then.

        Raises ``UnprocessableEntity`` where the new e-mail address is taken, or where ``still``
        (by field name) is not true any more (``USER_CHANGED``), and what plugins' unique fields
        raise.
        """
        wanted = await self._changes(user, changes)
        try:
            changed = await self._database.update(User, wanted, id=user.id, **(still or {}))
        except UniqueViolation:
            raise await self._conflict(user.revised(wanted)) from None
        if still and not changed:
            raise _changed()
        user = user.revised(wanted)
        await self._events.emit(UserUpdated(user, wanted))
        return user

    async def _changes(self, user: User, changes: Mapping[str, Any]) -> dict[str, Any]:
        """What is to be written of ``user``, as handlers of ``UserUpdating`` have it."""
        wanted = {**changes, "updated_at": self._clock()}
        return (await self._events.emit(UserUpdating(user, wanted))).changes

    async def _conflict(self, user: User) -> AuthError:
        """What to say of ``user``, of whom the database holds a value for another already."""
        for name, error in self.taken.items():
            where = {name: getattr(user, name), "id": ne(user.id)}
            if where[name] is not None and await self._database.count(User, **where):
                return error()
        return EmailTaken(user)

    async def delete(self, user: User) -> bool:
        """Delete a user with all sessions and accounts; whether it was this call that did."""
        await self._events.emit(UserDeleting(user))
        await self._sessions.end_after(Change.DELETED, user.id)
        async with self._database.transaction() as verbs:
            for farewell in self.farewells:
                await farewell(verbs, user)
            is_gone = await verbs.delete(User, id=user.id)
        if not is_gone:
            return False
        await self._events.emit(UserDeleted(user))
        return True


def _changed() -> UnprocessableEntity:
    return UnprocessableEntity("The user was changed meanwhile", "USER_CHANGED")
