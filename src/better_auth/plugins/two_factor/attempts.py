"""What stands against guessing: every attempt is paid for before its code is looked at.

A pending sign-in allows five attempts, over all factors together. Ten wrong codes in a row, over
any number of sign-ins, lock the second factor for a while (OWASP ASVS 5.0, 6.6.3). Both counters
move by compare-and-set, so that no number of parallel requests buys an extra guess.
"""

import math
from datetime import datetime, timedelta

from better_auth.adapters.base import DatabaseAdapter, gt
from better_auth.errors import BadRequest, TooManyRequests, Unauthorized
from better_auth.plugins.two_factor.records import PendingSignIn, TwoFactor

ATTEMPTS_PER_SIGN_IN = 5
FAILURES_BEFORE_LOCK = 10
LOCKED_FOR = timedelta(minutes=15)


def challenge_gone() -> Unauthorized:
    """The pending sign-in is over: completed, expired, spent, or never there."""
    return Unauthorized("Sign in again to get a new challenge", "INVALID_TWO_FACTOR_COOKIE")


def spent() -> BadRequest:
    """The pending sign-in has no attempt left."""
    return BadRequest("Too many wrong codes. Sign in again.", "TOO_MANY_ATTEMPTS_REQUEST_NEW_CODE")


class Attempts:
    """Counts attempts at second factors."""

    def __init__(self, database: DatabaseAdapter) -> None:
        self._database = database

    async def factor(
        self, user_id: str, now: datetime, *, missing: str = "TWO_FACTOR_NOT_ENABLED"
    ) -> TwoFactor:
        """The user's second factor. Raises ``BadRequest`` (code ``missing``) where there is none
        and ``TooManyRequests`` while it is locked."""
        factor = await self._database.find_one(TwoFactor, user_id=user_id)
        if factor is None:
            raise BadRequest("Two-factor is not set up", missing)
        if factor.locked_until is not None and factor.locked_until > now:
            left = (factor.locked_until - now).total_seconds()
            raise TooManyRequests(
                math.ceil(left),
                "Too many wrong codes. Try again later.",
                "ACCOUNT_TEMPORARILY_LOCKED",
            )
        return factor

    async def pay(self, pending: PendingSignIn | None, user_id: str, now: datetime) -> TwoFactor:
        """Count one attempt and return the factor to check it against.

        Raises ``TooManyRequests`` while locked, ``BadRequest`` for a pending sign-in that has no
        attempt left, ``Unauthorized`` for one that is over. What was paid is given back by
        :func:`forgiven` when the code was right.
        """
        await self.factor(user_id, now)  # while it is locked, nothing is paid
        if pending is not None:
            await self._pay_for(pending, now)
        while True:
            factor = await self.factor(user_id, now)
            failures = (factor.failures if factor.locked_until is None else 0) + 1
            locked = now + LOCKED_FOR if failures >= FAILURES_BEFORE_LOCK else None
            paid = await self._database.update(
                TwoFactor,
                {"failures": failures, "locked_until": locked},
                id=factor.id,
                failures=factor.failures,
                locked_until=factor.locked_until,
            )
            if paid:
                return factor

    async def _pay_for(self, pending: PendingSignIn, now: datetime) -> None:
        while True:
            found = await self._database.find_one(PendingSignIn, id=pending.id, expires_at=gt(now))
            if found is None:
                raise challenge_gone()
            if found.attempts >= ATTEMPTS_PER_SIGN_IN:
                raise spent()  # not deleted: who has paid may still be right
            attempts = {"attempts": found.attempts + 1}
            if await self._database.update(
                PendingSignIn, attempts, id=found.id, attempts=found.attempts
            ):
                return


def forgiven() -> dict[str, object]:
    """What a right code makes of the counters."""
    return {"failures": 0, "locked_until": None}
