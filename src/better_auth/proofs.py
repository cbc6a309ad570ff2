"""Proofs: links and codes that show, once and for a while, that somebody reads an address.

A link carries 256 random bits, of which the database keeps a keyed fingerprint. A code is short
and so is bound to a subject and to few attempts, each paid for before the code is looked at.
What a proof stands for is sealed. Each has a purpose that is part of its keys: nothing minted for
one door opens another. They live in ``Verification`` rows, which the purge clears away.

    token = await proofs.issue("reset-password", user.id, timedelta(hours=1), subject=user.id)
    user_id = await proofs.redeem("reset-password", token)  # once; then None
"""

import math
import secrets
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from pydantic import Field

from better_auth.adapters.base import DatabaseAdapter
from better_auth.clock import Clock, UtcDatetime
from better_auth.crypto import Keyring
from better_auth.errors import BadRequest, TooManyRequests, UniqueViolation
from better_auth.models import Fields, Verification

CODE_DIGITS = 6
CODE_ATTEMPTS = 5
ATTEMPTS_WINDOW = timedelta(minutes=15)
"""How long attempts count against a subject, however many codes are sent meanwhile."""

_ID_LENGTH = 32
_LONGEST_TOKEN = 256


class _Stored(Fields):
    """What the ``value`` of a proof's row holds: nothing that opens anything.

    ``attempts`` and ``good_until`` are a code's, whose row stays longer to remember the attempts.
    """

    key: str = Field(repr=False)
    sealed: str = Field(repr=False)
    attempts: int = 0
    good_until: UtcDatetime

    @classmethod
    def of(cls, row: Verification) -> "_Stored":
        return cls.model_validate_json(row.value)

    def revised(self, *, attempts: int) -> "_Stored":
        return self.model_copy(update={"attempts": attempts})

    def text(self) -> str:
        return self.model_dump_json()


class Proofs:
    """Issues and redeems the proofs of one application."""

    def __init__(self, database: DatabaseAdapter, keyring: Keyring, clock: Clock) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock

    async def issue(
        self, purpose: str, value: str, lifetime: timedelta, *, subject: str | None = None
    ) -> str:
        """A token to put in a link, which stands for ``value`` until used or ``lifetime`` is over.

        With a ``subject`` (a user's id, an address) it takes the place of the earlier one of the
        same purpose; without, any number may be out at once.
        """
        secret = secrets.token_urlsafe(32)
        row_id, now = uuid4().hex, self._clock()
        stored = self._stored(purpose, secret, value, row_id, now + lifetime)
        row = self._row(purpose, subject or row_id, row_id, stored, now, now + lifetime)
        while True:
            if subject is not None:
                await self.revoke(purpose, subject)
            try:
                await self._database.insert(row)
            except UniqueViolation:
                continue  # another was issued to the same subject meanwhile: the last one counts
            return row_id + secret

    async def look(self, purpose: str, token: str) -> str | None:
        """What ``token`` stands for, without using it up; None if it is not, or no longer, good."""
        found = await self._by_token(purpose, token)
        return found and found[1]

    async def redeem(self, purpose: str, token: str) -> str | None:
        """What ``token`` stands for, and its end: of any number of callers one gets the value."""
        found = await self._by_token(purpose, token)
        if found is None:
            return None
        row, value = found
        return value if await self._database.take(Verification, id=row.id) else None

    async def revoke(self, purpose: str, subject: str) -> None:
        """Void whatever link or code is out for ``subject``."""
        for identifier in self._identifiers(purpose, subject):
            await self._database.delete(Verification, identifier=identifier)

    async def issue_code(
        self,
        purpose: str,
        subject: str,
        lifetime: timedelta,
        *,
        value: str = "",
        digits: int = CODE_DIGITS,
    ) -> str:
        """A numeric code for ``subject``, in place of the one sent before.

        Attempts made so far stay paid: asking for another code buys none.
        """
        code = "".join(secrets.choice("0123456789") for _ in range(digits))
        while True:
            now = self._clock()
            old = await self._by_subject(purpose, subject)
            row_id = uuid4().hex
            stored = self._stored(purpose, f"{subject}:{code}", value, row_id, now + lifetime)
            began = now
            if old is not None and now < old.created_at + ATTEMPTS_WINDOW:
                began = old.created_at
                stored = stored.revised(attempts=_Stored.of(old).attempts)
            ends = max(began + ATTEMPTS_WINDOW, now + lifetime)
            row = self._row(purpose, subject, row_id, stored, began, ends)
            try:
                if old is None:
                    await self._database.insert(row)
                    return code
                changes = dict(row)
                if await self._database.update(Verification, changes, id=old.id, value=old.value):
                    return code
            except UniqueViolation:
                continue  # another was sent to the same subject meanwhile: look again

    async def redeem_code(
        self, purpose: str, subject: str, code: str, *, attempts: int = CODE_ATTEMPTS
    ) -> str:
        """The ``value`` of the code that was sent to ``subject`` last, and its end.

        Raises ``BadRequest``: ``INVALID_OTP`` for a wrong code or none sent, ``OTP_EXPIRED``;
        ``TooManyRequests`` (``TOO_MANY_ATTEMPTS``) when ``attempts`` were made, the right code
        included. To tell nobody whose address is known, issue codes also to those who are not.
        """
        row, stored = await self._pay(purpose, subject, attempts)
        if not self._keyring.is_fingerprint(purpose, f"{subject}:{code}", stored.key):
            raise _wrong_code()
        if stored.good_until <= self._clock():
            raise _late_code()
        value = self._keyring.open(purpose, stored.sealed, bound_to=row.id)
        if value is None or not await self._database.take(Verification, id=row.id):
            raise _wrong_code()
        return value

    async def check_code(
        self, purpose: str, subject: str, code: str, *, attempts: int = CODE_ATTEMPTS
    ) -> None:
        """Raise what :meth:`redeem_code` would, and leave a right code as it is."""
        row, stored = await self._pay(purpose, subject, attempts)
        if not self._keyring.is_fingerprint(purpose, f"{subject}:{code}", stored.key):
            raise _wrong_code()
        if stored.good_until <= self._clock():
            raise _late_code()
        paid = stored.revised(attempts=stored.attempts + 1).text()
        # Given back, unless somebody else has paid since: then it stays paid.
        await self._database.update(Verification, {"value": row.value}, id=row.id, value=paid)

    async def may_send(
        self, purpose: str, subject: str, *, most: int = 5, window: timedelta = ATTEMPTS_WINDOW
    ) -> bool:
        """Whether ``subject`` may be written to once more: at most ``most`` times in ``window``,
        whoever asks and from wherever."""
        count_of = f"sent {purpose}"
        while True:
            now = self._clock()
            row = await self._by_subject(count_of, subject)
            if row is not None and row.expires_at > now:
                if int(row.value) >= most:
                    return False
                counted: dict[str, Any] = {"value": str(int(row.value) + 1), "updated_at": now}
            else:
                counted = {"value": "1", "created_at": now, "updated_at": now}
                counted["expires_at"] = now + window
            try:
                if row is None:
                    identifier = self._identifiers(count_of, subject)[0]
                    await self._database.insert(Verification(identifier=identifier, **counted))
                    return True
                still = {"value": row.value, "expires_at": row.expires_at}
                if await self._database.update(Verification, counted, id=row.id, **still):
                    return True
            except UniqueViolation:
                continue  # somebody else counted first: look again

    async def pay_to_send(self, purpose: str, subject: str) -> None:
        """The same where whoever asks may know: raises ``TooManyRequests``."""
        if not await self.may_send(purpose, subject):
            raise TooManyRequests(int(ATTEMPTS_WINDOW.total_seconds()))

    async def _pay(self, purpose: str, subject: str, limit: int) -> tuple[Verification, _Stored]:
        """Count one attempt, and return what to check the code against."""
        while True:
            now = self._clock()
            row = await self._by_subject(purpose, subject)
            if row is None or row.expires_at <= now:
                raise _wrong_code()
            stored = _Stored.of(row)
            if stored.attempts >= limit:
                left = row.created_at + ATTEMPTS_WINDOW - now
                raise TooManyRequests(
                    math.ceil(left.total_seconds()),
                    "Too many wrong codes. Ask for another later.",
                    "TOO_MANY_ATTEMPTS",
                )
            paid = stored.revised(attempts=stored.attempts + 1).text()
            if await self._database.update(
                Verification, {"value": paid}, id=row.id, value=row.value
            ):
                return row, stored

    def _stored(
        self, purpose: str, secret: str, value: str, row_id: str, good_until: datetime
    ) -> _Stored:
        return _Stored(
            key=self._keyring.fingerprint(purpose, secret),
            sealed=self._keyring.seal(purpose, value, bound_to=row_id),
            good_until=good_until,
        )

    def _row(
        self,
        purpose: str,
        subject: str,
        row_id: str,
        stored: _Stored,
        began: datetime,
        ends: datetime,
    ) -> Verification:
        return Verification(
            id=row_id,
            identifier=self._identifiers(purpose, subject)[0],
            value=stored.text(),
            expires_at=ends,
            created_at=began,
            updated_at=self._clock(),
        )

    async def _by_subject(self, purpose: str, subject: str) -> Verification | None:
        for identifier in self._identifiers(purpose, subject):
            row = await self._database.find_one(Verification, identifier=identifier)
            if row is not None:
                return row
        return None

    async def _by_token(self, purpose: str, token: str) -> tuple[Verification, str] | None:
        """The row that ``token`` names, live, and what it stands for."""
        row_id, secret = token[:_ID_LENGTH], token[_ID_LENGTH:]
        if not secret or len(token) > _LONGEST_TOKEN or not token.isascii() or "\x00" in token:
            return None
        row = await self._database.find_one(Verification, id=row_id)
        if row is None or not row.identifier.startswith(f"{purpose}:"):
            return None
        stored = _Stored.of(row)
        if not self._keyring.is_fingerprint(purpose, secret, stored.key):
            return None
        if row.expires_at <= self._clock():
            return None
        value = self._keyring.open(purpose, stored.sealed, bound_to=row.id)
        return None if value is None else (row, value)

    def _identifiers(self, purpose: str, subject: str) -> list[str]:
        """What the subject's row is found by, under each secret; it names nobody."""
        keys = self._keyring.fingerprints(f"subject of {purpose}", subject)
        return [f"{purpose}:{key}" for key in keys]


def _wrong_code() -> BadRequest:
    return BadRequest("The code is wrong", "INVALID_OTP")


def _late_code() -> BadRequest:
    return BadRequest("The code has expired; ask for another", "OTP_EXPIRED")
