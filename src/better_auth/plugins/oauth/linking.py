"""Whose account at a provider is whose here: signing in, signing up, linking.

The rule: nobody gets into an existing user's account by an address that was not proven. A
provider's account is joined to a user with the same address only where the provider vouches for
the address and the user has proven it here too. A ``trusted`` provider's word proves it for both;
then whatever was made before that first proof (passwords, other links, sessions) may be an
impostor's, who signed up with somebody else's address, and does not survive.
"""

from dataclasses import dataclass
from typing import Any

from better_auth.adapters.base import gt
from better_auth.errors import Unauthorized, UniqueViolation
from better_auth.events import AccountCreated
from better_auth.http.call import Context
from better_auth.models import Account, Session, User, impersonator
from better_auth.plugins.oauth.errors import OAuthFailure
from better_auth.plugins.oauth.identities import Identity
from better_auth.plugins.oauth.state import Attempt
from better_auth.plugins.oauth.tokens import TokenStore, merged_scope
from better_auth.users import EmailTaken


@dataclass(frozen=True, slots=True)
class Rules:
    """The plugin's options about linking."""

    allow_linking_by_email: bool
    allow_different_emails: bool
    update_user_on_link: bool


class Accounts:
    """Finds, makes and links the accounts of providers."""

    def __init__(self, context: Context, store: TokenStore, rules: Rules) -> None:
        self._context = context
        self._store = store
        self._rules = rules

    async def user_for(self, identity: Identity, *, may_sign_up: bool) -> tuple[User, bool]:
        """Who signs in, and whether they are new.

        Raises ``OAuthFailure`` and what handlers of ``UserCreating`` refuse with.
        """
        for _ in range(2):  # a second time where the same person was faster in another tab
            account = await self._linked(identity)
            if account is not None:
                return await self._signed_in(account, identity), False
            if identity.profile.email is None:
                raise OAuthFailure("email_not_found", f"{identity.provider.id} told no address")
            user = await self._context.users.find_by_email(identity.profile.email)
            try:
                if user is None:
                    return await self._signed_up(identity, may_sign_up), True
                return await self._joined(user, identity), False
            except (UniqueViolation, EmailTaken):
                continue
        raise OAuthFailure("unable_to_link_account", "taken meanwhile")

    async def refuse_taken(self, user: User, identity: Identity) -> None:
        """Raise ``Unauthorized`` where the account is not ``user``'s any longer: whoever first
        proves the address takes from them all that was there before."""
        account = await self._linked(identity)
        if account is None or account.user_id != user.id:
            raise Unauthorized("The account is not linked any longer", "ACCOUNT_NOT_LINKED")

    async def link(self, user: User, identity: Identity) -> None:
        """Make the account one of ``user``'s, who asked for it. Raises ``OAuthFailure``."""
        existing = await self._linked(identity)
        if existing is not None:
            if existing.user_id != user.id:
                raise OAuthFailure("account_already_linked_to_different_user", user_id=user.id)
            await self._keep(existing, identity, granted=True)
        else:
            self._check_may_link(user, identity)
            try:
                await self._add(user, identity)
            except UniqueViolation:
                raise OAuthFailure("unable_to_link_account", "taken meanwhile") from None
        await self._update_user(user, identity)

    def _check_may_link(self, user: User, identity: Identity) -> None:
        """Raises ``OAuthFailure`` unless ``user`` may add this account to their own."""
        if not identity.provider.trusted and not identity.profile.email_verified:
            raise OAuthFailure("unable_to_link_account", "unverified address", user_id=user.id)
        if not self._rules.allow_different_emails and identity.profile.email != user.email:
            raise OAuthFailure("email_does_not_match", user_id=user.id)

    async def who_asked(self, attempt: Attempt) -> User:
        """The user whose session asked for the link, if it is still there.

        Raises ``OAuthFailure``.
        """
        user_id = attempt.link_user_id or ""
        session = await self._context.database.find_one(
            Session,
            id=attempt.link_session_id or "",
            user_id=user_id,
            expires_at=gt(self._context.clock()),
        )
        user = await self._context.users.find(user_id)
        if session is None or impersonator(session) is not None or user is None:
            raise OAuthFailure("unable_to_link_account", "session is over", user_id=user_id)
        return user

    async def _linked(self, identity: Identity) -> Account | None:
        return await self._context.database.find_one(
            Account, provider_id=identity.provider.id, account_id=identity.profile.account_id
        )

    async def _signed_in(self, account: Account, identity: Identity) -> User:
        user = await self._context.users.find(account.user_id)
        if user is None:
            raise OAuthFailure("unable_to_link_account", "the user is gone")
        await self._keep(account, identity)
        is_same = identity.profile.email == user.email
        if is_same and identity.profile.email_verified and not user.email_verified:
            return await self._context.users.claim_email(user, keep=[account.id])
        return user

    async def _signed_up(self, identity: Identity, may_sign_up: bool) -> User:
        if not may_sign_up:
            raise OAuthFailure("signup_disabled")
        profile = identity.profile
        return await self._context.users.create(
            name=profile.name,
            email=profile.email or "",
            email_verified=identity.proves_email,
            image=profile.image,
            account=self._new(identity, ""),
        )

    async def _joined(self, user: User, identity: Identity) -> User:
        """``user``, who has the same address, with this account added. Raises ``OAuthFailure``."""
        is_proven = user.email_verified or identity.provider.trusted
        if not (self._rules.allow_linking_by_email and identity.proves_email and is_proven):
            raise OAuthFailure("account_not_linked", user_id=user.id)
        user = await self._context.users.claim_email(user)
        await self._add(user, identity)
        return await self._update_user(user, identity)

    async def _add(self, user: User, identity: Identity) -> None:
        account = await self._context.database.insert(self._new(identity, user.id))
        await self._context.events.emit(AccountCreated(account))

    def _new(self, identity: Identity, user_id: str) -> Account:
        now = self._context.clock()
        account = Account(
            user_id=user_id,
            provider_id=identity.provider.id,
            account_id=identity.profile.account_id,
            scope=merged_scope(None, identity.tokens.scopes),
            created_at=now,
            updated_at=now,
        )
        return account.revised(self._store.columns(account.id, identity.tokens))

    async def _keep(self, account: Account, identity: Identity, *, granted: bool = False) -> None:
        """Write what the provider gave this time; scopes only where more were asked for."""
        changes: dict[str, Any] = self._store.columns(account.id, identity.tokens)
        if granted:
            changes["scope"] = merged_scope(account.scope, identity.tokens.scopes)
        if changes:
            changes["updated_at"] = self._context.clock()
            await self._context.database.update(Account, changes, id=account.id)

    async def _update_user(self, user: User, identity: Identity) -> User:
        """Take over name and picture, if that was decided; never the address."""
        if not self._rules.update_user_on_link:
            return user
        profile = identity.profile
        changes = {"name": profile.name}
        if profile.image is not None:
            changes["image"] = profile.image
        return await self._context.users.update(user, changes)
