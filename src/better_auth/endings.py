"""What ends what: the one table that says which sessions, pending sign-ins and trusted devices do
not survive a change to their user (OWASP ASVS 5.0, 7.4.1 to 7.4.3).

``SessionManager.end_after`` reads it; whoever keeps something else that must end listens to
``SecurityChanged``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Change(StrEnum):
    """Something that happens to a user and ends what was granted before."""

    SIGNED_OUT = "signed out"
    PASSWORD_CHANGED = "password changed"
    """By its owner, who knew the old one."""
    PASSWORD_RESET = "password reset"
    """By a link, or by an admin."""
    EMAIL_CHANGED = "e-mail address changed"
    EMAIL_VERIFIED = "e-mail address verified"
    """For the first time, by the link its user asked for."""
    EMAIL_CLAIMED = "e-mail address claimed"
    """Shown for the first time to be somebody's who may not be who made the user: accounts and
    second factors made before end too."""
    TWO_FACTOR_ENABLED = "two-factor enabled"
    TWO_FACTOR_DISABLED = "two-factor disabled"
    """Sessions end after either only where whoever makes the change asks for it."""
    BANNED = "banned"
    ROLE_CHANGED = "role changed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Ending:
    """``sessions``: none, this one (whose request made the change), the others, or all.

    ``challenges`` are sign-ins that wait for their second factor.
    """

    sessions: Literal["none", "this", "others", "all"]
    challenges: bool
    trusted_devices: bool


ENDS: Mapping[Change, Ending] = {
    Change.SIGNED_OUT: Ending("this", challenges=False, trusted_devices=False),
    Change.PASSWORD_CHANGED: Ending("others", challenges=True, trusted_devices=True),
    Change.PASSWORD_RESET: Ending("all", challenges=True, trusted_devices=True),
    Change.EMAIL_CHANGED: Ending("others", challenges=True, trusted_devices=False),
    Change.EMAIL_VERIFIED: Ending("others", challenges=True, trusted_devices=False),
    Change.EMAIL_CLAIMED: Ending("all", challenges=True, trusted_devices=True),
    Change.TWO_FACTOR_ENABLED: Ending("others", challenges=True, trusted_devices=True),
    Change.TWO_FACTOR_DISABLED: Ending("others", challenges=True, trusted_devices=True),
    Change.BANNED: Ending("all", challenges=True, trusted_devices=True),
    Change.ROLE_CHANGED: Ending("all", challenges=True, trusted_devices=False),
    Change.DELETED: Ending("all", challenges=True, trusted_devices=True),
}
