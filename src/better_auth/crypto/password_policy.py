"""Which passwords may be chosen: long enough, not the commonest, not known from a breach.

No rule about kinds of characters, no expiry (NIST SP 800-63B 3.1.1.2; OWASP ASVS 5.0, 6.2).
"""

import asyncio
import hashlib
import logging
import unicodedata
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.util import find_spec
from typing import Literal, TypeAlias

from better_auth.errors import BadRequest, MissingExtra, ServiceUnavailable

logger = logging.getLogger("better_auth.passwords")

COMMONEST = 10_000

IsBreached: TypeAlias = Callable[[str], Awaitable[bool]]
"""Whether a password is known from a breach."""


class PasswordPolicy:
    """What a new password must be.

    Lengths count characters. ``refuse_common`` refuses the 10,000 commonest passwords, whatever
    their case (ASVS 6.2.4); ``is_breached`` is asked of all others (ASVS 6.2.12):
    :class:`HaveIBeenPwned`, or a function of your own.
    """

    def __init__(
        self,
        *,
        min_length: int = 8,
        max_length: int = 128,
        refuse_common: bool = True,
        is_breached: IsBreached | None = None,
    ) -> None:
        self.min_length = min_length
        self.max_length = max_length
        self.refuse_common = refuse_common
        self.is_breached = is_breached

    async def check(self, password: str) -> None:
        """Raises ``BadRequest``: ``PASSWORD_TOO_SHORT``, ``PASSWORD_TOO_LONG`` (ASVS 6.2.1 and
        6.2.9), ``PASSWORD_TOO_COMMON``, ``PASSWORD_COMPROMISED``."""
        if len(password) < self.min_length:
            raise BadRequest(
                f"password: at least {self.min_length} characters", "PASSWORD_TOO_SHORT"
            )
        if len(password) > self.max_length:
            raise BadRequest(f"password: at most {self.max_length} characters", "PASSWORD_TOO_LONG")
        if self.refuse_common and _folded(password) in await asyncio.to_thread(commonest):
            raise BadRequest("password: among the first that are guessed", "PASSWORD_TOO_COMMON")
        if self.is_breached is not None and await self.is_breached(password):
            raise BadRequest("password: known from a data breach", "PASSWORD_COMPROMISED")


class HaveIBeenPwned:
    """Asks Have I Been Pwned by k-anonymity (extra ``breaches``): of a password's SHA-1 only the
    first five hexadecimal digits are sent, and what comes back is looked through here.

    ``when_unreachable`` says what becomes of a password that cannot be looked up within
    ``timeout`` seconds: ``accept`` it, or ``refuse`` it with 503. ``url`` is that of the range
    service, or of a copy of it.
    """

    def __init__(
        self,
        *,
        when_unreachable: Literal["accept", "refuse"] = "accept",
        timeout: float = 2.0,
        url: str = "https://api.pwnedpasswords.com/range/",
    ) -> None:
        if find_spec("httpx") is None:
            raise MissingExtra("HaveIBeenPwned", "breaches")
        self._refuses = when_unreachable == "refuse"
        self._timeout = timeout
        self._url = url.rstrip("/") + "/"

    async def __call__(self, password: str) -> bool:
        """Whether ``password`` is known. Raises ``ServiceUnavailable`` where that is refused."""
        import httpx  # an optional extra

        # SHA-1 is what the service is asked by; nothing is kept under it.
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
        try:
            async with httpx.AsyncClient(timeout=self._timeout) as client:
                # Padding hides from who sees only the length which prefix was asked for.
                answer = await client.get(self._url + digest[:5], headers={"Add-Padding": "true"})
            answer.raise_for_status()
        except httpx.HTTPError as error:
            logger.warning("Have I Been Pwned cannot be asked (%s)", type(error).__name__)
            if self._refuses:
                raise ServiceUnavailable from None
            return False
        lines = (line.strip().partition(":") for line in answer.text.splitlines())
        return any(suffix == digest[5:] and count != "0" for suffix, _, count in lines)


@cache
def commonest() -> frozenset[str]:
    """The 10,000 commonest passwords, in lower case, from zxcvbn's frequency list."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # slow to import

    return frozenset(_folded(word) for word in FREQUENCY_LISTS["passwords"][:COMMONEST])


def _folded(password: str) -> str:
    return unicodedata.normalize("NFKC", password).lower()
