"""What a provider gave with an account, for the account's owner."""

import logging

from better_auth.errors import BadRequest
from better_auth.http.call import Context
from better_auth.models import Account, Principal
from better_auth.plugins.oauth.errors import OAuthFailure
from better_auth.plugins.oauth.exchange import Tokens
from better_auth.plugins.oauth.identities import Identities
from better_auth.plugins.oauth.messages import (
    AccessToken,
    AccountInfo,
    ProviderAccount,
    ProviderProfile,
    RefreshedTokens,
    SelectAccount,
)
from better_auth.plugins.oauth.providers import Provider
from better_auth.plugins.oauth.refusals import refusal, token_refusal
from better_auth.plugins.oauth.tokens import Refresher, TokenStore

logger = logging.getLogger("better_auth.oauth")


class Given:
    """Tokens and profiles of the accounts of whoever asks."""

    def __init__(
        self,
        context: Context,
        providers: dict[str, Provider],
        store: TokenStore,
        refresher: Refresher,
        identities: Identities,
    ) -> None:
        self._context = context
        self._providers = providers
        self._store = store
        self._refresher = refresher
        self._identities = identities

    async def access_token(self, caller: Principal, wanted: SelectAccount) -> AccessToken:
        """An access token that is good now. Raises ``BadRequest`` and ``ServiceUnavailable``."""
        account, tokens, token = await self._fresh(*await self._selected(caller, wanted))
        return AccessToken(
            access_token=token,
            access_token_expires_at=account.access_token_expires_at,
            scopes=list(tokens.scopes),
            id_token=tokens.id_token,
        )

    async def refreshed(self, caller: Principal, wanted: SelectAccount) -> RefreshedTokens:
        """New tokens. Raises ``BadRequest`` and ``ServiceUnavailable``."""
        provider, account = await self._selected(caller, wanted)
        try:
            account = await self._refresher.refreshed(provider, account)
        except OAuthFailure as failure:
            logger.warning("refreshing failed: %s", failure.detail)
            raise token_refusal(
                failure, "FAILED_TO_REFRESH_ACCESS_TOKEN", "Failed to refresh access token"
            ) from None
        tokens = self._store.read(account)
        return RefreshedTokens(
            access_token=tokens.access_token or "",
            refresh_token=tokens.refresh_token,
            access_token_expires_at=tokens.access_token_expires_at,
            refresh_token_expires_at=tokens.refresh_token_expires_at,
            scope=account.scope,
            id_token=tokens.id_token,
            provider_id=account.provider_id,
            account_id=account.id,
        )

    async def info(self, caller: Principal, wanted: SelectAccount) -> AccountInfo:
        """Who the provider says the account's owner is. Raises ``AuthError``."""
        try:
            provider, account = await self._selected(caller, wanted)
        except BadRequest as error:
            if error.code == "PROVIDER_NOT_SUPPORTED":  # by which name it goes here
                raise BadRequest(error.message, "PROVIDER_NOT_CONFIGURED") from None
            raise
        account, tokens, token = await self._fresh(provider, account)
        try:
            profile = await self._identities.by_access_token(provider, tokens, token)
            if profile.account_id != account.account_id:
                raise OAuthFailure("unable_to_get_user_info", f"{provider.id}: another account")
        except OAuthFailure as failure:
            logger.warning("no account info: %s", failure.detail)
            raise refusal(failure) from None
        return AccountInfo(
            user=ProviderProfile(
                id=profile.account_id,
                name=profile.name,
                email=profile.email,
                image=profile.image,
                email_verified=profile.email_verified,
            ),
            data=dict(profile.raw),
            account=ProviderAccount(
                id=account.id, provider_id=account.provider_id, account_id=account.account_id
            ),
        )

    async def _fresh(self, provider: Provider, account: Account) -> tuple[Account, Tokens, str]:
        """``account``, its tokens, and an access token that has not expired."""
        try:
            account = await self._refresher.fresh(provider, account)
        except OAuthFailure as failure:
            logger.warning("refreshing failed: %s", failure.detail)
            raise token_refusal(
                failure, "FAILED_TO_GET_ACCESS_TOKEN", "Failed to get a valid access token"
            ) from None
        tokens = self._store.read(account)
        if tokens.access_token is None:
            raise BadRequest("Access token not found", "ACCESS_TOKEN_NOT_FOUND")
        return account, tokens, tokens.access_token

    async def _selected(self, caller: Principal, wanted: SelectAccount) -> tuple[Provider, Account]:
        """The caller's account that is meant, and its provider. Raises ``BadRequest``."""
        owned = await self._context.database.find(
            Account, user_id=caller.user.id, order_by="created_at"
        )
        found = [
            account
            for account in owned
            if wanted.account_id in (None, account.id, account.account_id)
            and wanted.provider_id in (None, account.provider_id)
        ]
        is_named = wanted.account_id is not None or wanted.provider_id is not None
        if not is_named or len(found) != 1:
            raise BadRequest("Account not found", "ACCOUNT_NOT_FOUND")
        provider = self._providers.get(found[0].provider_id)
        if provider is None:
            raise BadRequest(
                f"Provider {found[0].provider_id} is not supported.", "PROVIDER_NOT_SUPPORTED"
            )
        return provider, found[0]
