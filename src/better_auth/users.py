"""Users: made, found, changed and deleted in one place, whoever asks for it."""

import unicodedata
from collections.abc import Mapping
from typing import Any

import email_validator

from better_auth.adapters.base import DatabaseAdapter
from better_auth.clock import Clock
from better_auth.crypto import PasswordHasher
from better_auth.endings import Change
from better_auth.errors import BadRequest, UniqueViolation, UnprocessableEntity
from better_auth.events import (
    AccountCreated,
    EventBus,
    UserCreated,
    UserCreating,
    UserDeleted,
    UserDeleting,
    UserUpdated,
    UserUpdating,
)
from better_auth.models import Account, User
from better_auth.sessions import SessionManager

CREDENTIAL = "credential"
"""The provider id of the account that holds a user's password."""

LONGEST_PASSWORD = 4096
"""Characters looked at of any password; bounds the work that a request can ask for."""


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
        self.password_min_length = 8
        self.password_max_length = 128
        """Characters a new password must and may have."""
        self._passwords = passwords
        self._database = database
        self._sessions = sessions
        self._events = events
        self._clock = clock

    async def create(
        self,
        *,
        name: str,
        email: str,
        password_hash: str | None = None,
        email_verified: bool = False,
        image: str | None = None,
        fields: Mapping[str, Any] | None = None,
        account: Account | None = None,
    ) -> User:
        """Store a user and, with a ``password_hash``, the account that signs in with it.

        ``account`` is another way of signing in, which becomes the new user's.

        ``email`` is normalised here. Raises ``BadRequest`` (``INVALID_EMAIL``),
        ``UnprocessableEntity`` (``USER_ALREADY_EXISTS``) and what ``UserCreating`` handlers raise.
        """
        now = self._clock()
        user = self.model(
            name=name,
            email=normalize_email(email),
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
            raise UnprocessableEntity(
                "A user with this e-mail address exists already", "USER_ALREADY_EXISTS"
            ) from None
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

    def check_new_password(self, password: str) -> None:
        """Raises ``BadRequest`` for a password that is too short or too long
        (OWASP ASVS 5.0, 6.2.1 and 6.2.9)."""
        if len(password) < self.password_min_length:
            raise BadRequest(
                f"password: at least {self.password_min_length} characters", "PASSWORD_TOO_SHORT"
            )
        if len(password) > self.password_max_length:
            raise BadRequest(
                f"password: at most {self.password_max_length} characters", "PASSWORD_TOO_LONG"
            )

    async def check_password(self, user_id: str | None, password: str) -> bool:
        """Whether ``password`` is the user's; takes the same time for a user without one, or none.

        A hash of another kind or cost is replaced on the way.
        """
        password = password[:LONGEST_PASSWORD]
        account = await self.credential(user_id or "")
        if account is None or account.password_hash is None:
            await self._passwords.pretend(password)
            return False
        verified = await self._passwords.verify(password, account.password_hash)
        if verified.ok and verified.new_hash is not None:
            await self.set_password_hash(account, verified.new_hash)
        return verified.ok

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

    async def update(self, user: User, changes: Mapping[str, Any]) -> User:
        """Write ``changes`` (by field name) and return the user as it is then.

        Raises ``UnprocessableEntity`` where the new e-mail address is taken.
        """
        wanted = {**changes, "updated_at": self._clock()}
        wanted = (await self._events.emit(UserUpdating(user, wanted))).changes
        try:
            await self._database.update(User, wanted, id=user.id)
        except UniqueViolation:
            raise UnprocessableEntity(
                "A user with this e-mail address exists already", "USER_ALREADY_EXISTS"
            ) from None
        user = user.revised(wanted)
        await self._events.emit(UserUpdated(user, wanted))
        return user

    async def delete(self, user: User) -> bool:
        """Delete a user with all sessions and accounts; whether it was this call that did."""
        await self._events.emit(UserDeleting(user))
        await self._sessions.end_after(Change.DELETED, user.id)
        if not await self._database.delete(User, id=user.id):
            return False
        await self._events.emit(UserDeleted(user))
        return True
