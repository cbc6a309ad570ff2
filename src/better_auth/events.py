"""Typed events: what happens to users and sessions, told before and after.

A handler is an async (or plain) function that takes the event. Handlers of a *before* event
(``UserCreating``) may replace what the event carries or refuse by raising an ``AuthError``;
nothing has been written yet. Handlers of an *after* event (``UserCreated``) learn what is already
true; one that fails is logged and does not undo it.

    @auth.on(UserCreated)
    async def welcome(event: UserCreated) -> None:
        await mail(event.user.email, "Welcome")
"""

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from better_auth.endings import ENDS, Change, Ending
from better_auth.models import Account, Session, User

logger = logging.getLogger("better_auth.events")


@dataclass(slots=True)
class Event:
    """Something that is about to happen or has happened."""


@dataclass(slots=True)
class Before(Event):
    """About to happen: handlers may change it, or refuse it by raising an ``AuthError``."""


@dataclass(slots=True)
class After(Event):
    """Has happened and is stored."""


@dataclass(slots=True)
class UserCreating(Before):
    """A user is about to be stored; replace ``user`` to change it."""

    user: User


@dataclass(slots=True)
class UserCreated(After):
    """A user was stored."""

    user: User


@dataclass(slots=True)
class UserUpdating(Before):
    """``changes`` (by field name) are about to be written to ``user``."""

    user: User
    changes: dict[str, Any]


@dataclass(slots=True)
class UserUpdated(After):
    """``user`` is what it is now; ``changes`` what was written."""

    user: User
    changes: Mapping[str, Any]


@dataclass(slots=True)
class UserDeleting(Before):
    """A user, with all sessions and accounts, is about to be deleted."""

    user: User


@dataclass(slots=True)
class UserDeleted(After):
    """A user, with all sessions and accounts, is gone."""

    user: User


@dataclass(slots=True)
class AccountCreated(After):
    """A way of signing in was added to a user."""

    account: Account


@dataclass(slots=True)
class AccountsDeleted(After):
    """Ways of signing in were taken from a user."""

    user_id: str
    accounts: Sequence[Account]


@dataclass(slots=True)
class SignedUp(After):
    """``user`` signed up by themselves."""

    user: User


@dataclass(slots=True)
class SignedUpAgain(After):
    """Somebody tried to sign up with the address of ``user``, and was not told that it is."""

    user: User


@dataclass(slots=True)
class EmailVerified(After):
    """The address of ``user`` was shown to be theirs, for the first time."""

    user: User


@dataclass(slots=True)
class SessionCreating(Before):
    """A session is about to be stored; replace ``session`` to change it."""

    session: Session
    user: User


@dataclass(slots=True)
class SessionCreated(After):
    """A session was stored."""

    session: Session
    user: User


@dataclass(slots=True)
class SessionUpdating(Before):
    """``changes`` (by field name) are about to be written to ``session``."""

    session: Session
    changes: dict[str, Any]


@dataclass(slots=True)
class SessionUpdated(After):
    """``session`` is what it is now: refreshed, rotated, or with a plugin's field changed."""

    session: Session
    changes: Mapping[str, Any]


@dataclass(slots=True)
class SessionsRevoking(Before):
    """Live sessions of one user are about to be revoked."""

    user_id: str
    sessions: Sequence[Session]


@dataclass(slots=True)
class SessionsRevoked(After):
    """Live sessions of one user were ended, before their time, by request or by rule."""

    user_id: str
    sessions: Sequence[Session]


@dataclass(slots=True)
class SessionsExpired(After):
    """Sessions past their end were deleted by the purge."""

    count: int


@dataclass(slots=True)
class SecurityChanged(After):
    """Something happened to a user that ends what was granted before; ``ending`` says what.

    The sessions are ended already; whoever keeps challenges or trusted devices ends those now.
    """

    user_id: str
    change: Change

    @property
    def ending(self) -> Ending:
        """What of the user's ends with this."""
        return ENDS[self.change]


@dataclass(slots=True)
class ImpersonationStarted(After):
    """An admin is in a session of ``user_id`` from now on."""

    admin_id: str
    user_id: str
    session_id: str


@dataclass(slots=True)
class ImpersonationEnded(After):
    """An admin left a session of ``user_id``, or was put out of it."""

    admin_id: str
    user_id: str
    session_id: str


@dataclass(slots=True)
class AnonymousUserLinking(Before):
    """``user`` signed in where ``anonymous_user``, who is about to be deleted, was before.

    A handler that raises keeps the anonymous user; the sign-in stands in any case.
    """

    anonymous_user: User
    user: User


@dataclass(slots=True)
class SignInFailed(After):
    """Someone did not get in. ``user_id`` is None where there is no such user."""

    method: str
    reason: str
    user_id: str | None
    ip_address: str | None
    user_agent: str | None


E = TypeVar("E", bound=Event)
Handler = Callable[[E], Awaitable[None] | None]


@dataclass(slots=True)
class EventBus:
    """Who listens to what. Handlers of one event run in the order they were added."""

    _handlers: dict[type[Event], list[Handler[Any]]] = field(default_factory=dict)

    def add(self, event: type[E], handler: Handler[E]) -> None:
        """Call ``handler`` for every ``event`` from now on."""
        self._handlers.setdefault(event, []).append(handler)

    def listens(self, event: type[Event]) -> bool:
        """Whether anybody would hear ``event``; saves preparing one for nobody."""
        return event in self._handlers

    async def emit(self, event: E) -> E:
        """Tell the handlers and return the event, which a *before* handler may have changed.

        Raises what a *before* handler raises; what an *after* handler raises is logged.
        """
        for handler in self._handlers.get(type(event), ()):
            try:
                result = handler(event)
                if inspect.isawaitable(result):
                    await result
            except Exception:
                if isinstance(event, Before):
                    raise
                logger.exception("a handler of %s failed", type(event).__name__)
        return event


def on(event: type[Event]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Marks a plugin's method as a handler of ``event``."""

    def mark(method: Callable[..., Any]) -> Callable[..., Any]:
        method.__dict__.setdefault("__handles__", []).append(event)
        return method

    return mark
