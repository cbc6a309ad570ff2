"""The ways of signing in that belong to a user: seen, and taken away."""

from pydantic import Field

from better_auth.clock import UtcDatetime
from better_auth.errors import BadRequest
from better_auth.events import AccountsDeleted
from better_auth.http.body import Input
from better_auth.http.call import Call
from better_auth.http.endpoints import get, post
from better_auth.models import Account, Fields, User
from better_auth.plugins.answers import Status
from better_auth.plugins.base import Plugin


class LinkedAccount(Fields):
    """One way of signing in; ``credential`` is e-mail address and password."""

    id: str
    provider_id: str
    account_id: str
    user_id: str
    scopes: list[str] = []
    created_at: UtcDatetime
    updated_at: UtcDatetime

    @classmethod
    def of(cls, account: Account) -> "LinkedAccount":
        """What the owner of ``account`` is shown of it."""
        shown = cls.model_fields.keys() & account.__dict__.keys()
        scopes = [scope for scope in (account.scope or "").split(",") if scope]
        return cls(**{name: getattr(account, name) for name in shown}, scopes=scopes)


class UnlinkAccount(Input):
    """Which account: its ``id`` as listed or the provider's, and where that is in doubt whose."""

    account_id: str | None = Field(default=None, min_length=1, max_length=255)
    provider_id: str | None = Field(default=None, min_length=1, max_length=64)


class AccountManagementPlugin(Plugin):
    """``GET /list-accounts`` and ``POST /unlink-account``.

    The last account cannot be unlinked, unless ``allow_unlinking_all``.
    """

    name = "Accounts"

    def __init__(self, *, allow_unlinking_all: bool = False) -> None:
        self.allow_unlinking_all = allow_unlinking_all

    @get("/list-accounts", access="session")
    async def list_accounts(self, call: Call) -> list[LinkedAccount]:
        """List the current user's ways of signing in, oldest first."""
        caller = await call.require()
        accounts = await self.context.database.find(
            Account, user_id=caller.user.id, order_by=("created_at", "id")
        )
        return [LinkedAccount.of(account) for account in accounts]

    @post("/unlink-account", access="session")
    async def unlink_account(self, call: Call, body: UnlinkAccount) -> Status:
        """Take a way of signing in away. Asks for a fresh session."""
        caller = await call.require_fresh()
        if body.account_id is None and body.provider_id is None:
            raise BadRequest("accountId or providerId is missing", "VALIDATION_ERROR")
        user_id = caller.user.id
        async with self.context.database.transaction() as verbs:
            await verbs.lock(User, user_id)  # of two at once, the second sees what the first left
            accounts = await verbs.find(Account, user_id=user_id, order_by=("created_at", "id"))
            meant = [account for account in accounts if _is_meant(account, body)]
            if len(meant) != 1:
                raise BadRequest("There is no such account", "ACCOUNT_NOT_FOUND")
            if len(accounts) == 1 and not self.allow_unlinking_all:
                raise BadRequest("The last account stays", "FAILED_TO_UNLINK_LAST_ACCOUNT")
            await verbs.delete(Account, id=meant[0].id)
        await self.context.events.emit(AccountsDeleted(user_id, meant))
        return Status()


def _is_meant(account: Account, body: UnlinkAccount) -> bool:
    if body.provider_id is not None and account.provider_id != body.provider_id:
        return False
    return body.account_id is None or body.account_id in (account.id, account.account_id)
