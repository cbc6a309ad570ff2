"""What is told to whom: before it has words (a letter) and after (a message)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias, runtime_checkable


class MailKind(StrEnum):
    """The occasions on which the library writes to somebody; each has a template of its name."""

    WELCOME = "welcome"
    VERIFY_EMAIL = "verify-email"
    EMAIL_TAKEN = "email-taken"
    """To the owner of an address with which somebody tried to sign up again."""
    CHANGE_EMAIL = "change-email"
    """To the new address, which the link confirms."""
    EMAIL_CHANGED = "email-changed"
    """To the old address, afterwards."""
    RESET_PASSWORD = "reset-password"
    PASSWORD_CHANGED = "password-changed"
    DELETE_ACCOUNT = "delete-account"
    MAGIC_LINK = "magic-link"
    SIGN_IN_CODE = "sign-in-code"
    VERIFY_EMAIL_CODE = "verify-email-code"
    RESET_PASSWORD_CODE = "reset-password-code"
    CHANGE_EMAIL_CODE = "change-email-code"
    TWO_FACTOR_CODE = "two-factor-code"
    INVITATION = "invitation"


@dataclass(frozen=True, slots=True)
class Letter:
    """``kind`` (a :class:`MailKind` or a name of your own) to the address ``to``.

    ``url`` is a link to follow, ``code`` one to type in: whoever has them is let in, so neither
    shows in a ``repr``. ``token`` is the bare secret of the link, for applications that make
    their own. ``details`` are what else the words may name (``organization``, ``inviter``).
    """

    kind: str
    to: str
    url: str | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    details: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class MailMessage:
    """A letter in words, for a provider to deliver. ``html`` is None where there is only text."""

    to: str
    subject: str
    text: str = field(repr=False)
    html: str | None = field(repr=False)
    kind: str
    url: str | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)


Send: TypeAlias = Callable[[Letter], Awaitable[None] | None]
"""An application's own way of telling somebody something; what it raises is tried again."""

Render: TypeAlias = Callable[[Letter], MailMessage]
"""Finds the words for a letter. Runs in a thread, never in the event loop."""


@runtime_checkable
class MailProvider(Protocol):
    """Delivers messages: SMTP, an HTTP service, a queue."""

    async def send(self, message: MailMessage) -> None:
        """Hand ``message`` over. Raises ``MailRefused`` for what trying again cannot help, and
        anything else for what it can."""
        ...


class MailRefused(Exception):
    """This message will never be delivered (an address that does not exist): try no more."""
