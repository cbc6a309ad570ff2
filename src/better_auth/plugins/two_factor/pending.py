"""Whose second factor it is: a sign-in's that waits for it, or a live session's."""

from dataclasses import dataclass

from better_auth.adapters.base import Verbs
from better_auth.models import Principal, User
from better_auth.plugins.two_factor.attempts import challenge_gone
from better_auth.plugins.two_factor.records import PendingSignIn


@dataclass(frozen=True, slots=True)
class Pending:
    """Somebody who has proven a password and not yet a second factor."""

    sign_in: PendingSignIn
    user: User

    @property
    def id(self) -> str:
        """What a code that is sent to them is bound to."""
        return self.sign_in.id


@dataclass(frozen=True, slots=True)
class SignedInAlready:
    """The holder of a live session, who confirms a second factor."""

    principal: Principal

    @property
    def user(self) -> User:
        """Who they are."""
        return self.principal.user

    @property
    def id(self) -> str:
        """What a code that is sent to them is bound to."""
        return self.principal.session.id


async def answer(verbs: Verbs, sign_in: PendingSignIn) -> None:
    """Let nobody answer ``sign_in`` again. Raises ``Unauthorized`` where another request has.

    Its row stays until :func:`settle`: what ends it in between ends what it leads to.
    """
    answered = {"token_key": f"answered {sign_in.id}"}
    where = {"id": sign_in.id, "token_key": sign_in.token_key}
    if not await verbs.update(PendingSignIn, answered, **where):
        raise challenge_gone()


async def settle(verbs: Verbs, sign_in: PendingSignIn) -> None:
    """End a sign-in that was answered. Raises ``Unauthorized`` where something, such as another
    password, has ended it before."""
    if not await verbs.take(PendingSignIn, id=sign_in.id):
        raise challenge_gone()
