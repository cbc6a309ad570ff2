"""What another server on the same database has decided about its users, respected here.

Added by ``BetterAuth`` itself where ``share_database_with_typescript`` is on: whoever is banned
there is nobody here, and whoever has a second factor there is not let in here without it.
"""

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from better_auth.clock import UtcDatetime
from better_auth.errors import ConfigurationError, Forbidden
from better_auth.events import SessionCreating, on
from better_auth.http.call import Context
from better_auth.models import Fields, User, impersonator
from better_auth.plugins.base import Plugin


class OtherFactor(Fields):
    """Whether the user has a second factor at the other server."""

    two_factor_enabled: bool = Field(default=False, exclude=True)


class OtherBan(OtherFactor):
    """Whether the user is banned at the other server."""

    banned: bool = Field(default=False, exclude=True)
    ban_expires: UtcDatetime | None = Field(default=None, exclude=True)


class SharedDatabasePlugin(Plugin):
    """Lets nobody in whom the server in TypeScript would keep out."""

    name = "Shared database"

    def __init__(self, others: Sequence[Plugin]) -> None:
        """``others`` are the application's plugins.

        Raises ``ConfigurationError`` where one keeps what the other server keeps in a way of its
        own, so that each would take the other's users for unprotected.
        """
        known = {
            name: plugin.title
            for plugin in others
            if plugin.user_fields is not None
            for name in plugin.user_fields.model_fields
        }
        if "two_factor_enabled" in known:
            raise ConfigurationError(
                f"share_database_with_typescript: {known['two_factor_enabled']} cannot be shared; "
                "each server seals its secrets in its own way"
            )
        self._sees_to_bans = "banned" not in known
        self.user_fields = OtherBan if self._sees_to_bans else OtherFactor

    def bind(self, context: Context) -> None:
        super().bind(context)
        if self._sees_to_bans:
            context.sessions.bar(lambda user: _is_banned(user, context.clock()))

    @on(SessionCreating)
    async def refuse_session(self, event: SessionCreating) -> None:
        """No session for the banned, and none on a password alone where that is not enough."""
        user = event.user
        if self._sees_to_bans and _is_banned(user, self.context.clock()):
            raise Forbidden("You have been banned", "BANNED_USER")
        has_factor = isinstance(user, OtherFactor) and user.two_factor_enabled
        if has_factor and impersonator(event.session) is None:
            raise Forbidden(
                "This user has a second factor, which this server cannot check",
                "TWO_FACTOR_ELSEWHERE",
            )


def _is_banned(user: User, now: datetime) -> bool:
    if not isinstance(user, OtherBan) or not user.banned:
        return False
    return user.ban_expires is None or user.ban_expires > now
