"""The tokens of providers that are kept with accounts: sealed, and refreshed once at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

from better_auth.adapters.base import gt, le
from better_auth.crypto import Purpose
from better_auth.errors import DatabaseUnavailable, ServiceUnavailable, UniqueViolation
from better_auth.http.call import Context
from better_auth.models import Account, Verification
from better_auth.plugins.oauth.directory import Directory
from better_auth.plugins.oauth.errors import OAuthFailure
from better_auth.plugins.oauth.exchange import TokenEndpoint, Tokens
from better_auth.plugins.oauth.providers import Provider

Storage = Literal["sealed", "plain", "none"]

EARLY = timedelta(seconds=5)
"""An access token that expires so soon counts as expired."""

LEASE = timedelta(seconds=30)
"""How long one process may take to refresh before another tries."""

_SECRETS = ("access_token", "refresh_token", "id_token")
_WAIT = 0.05


class TokenStore:
    """Writes and reads providers' tokens in account rows.

    ``storage``: ``sealed``; ``plain``, to share a database with servers in other languages; or
    ``none``, for applications that only want to know who somebody is.
    """

    def __init__(self, context: Context, storage: Storage) -> None:
        self._context = context
        self._storage = storage

    def columns(self, account_id: str, tokens: Tokens) -> dict[str, Any]:
        """What to write into the row ``account_id``: what the provider gave, nothing else."""
        if self._storage == "none":
            return {}
        columns: dict[str, Any] = {}
        for name in _SECRETS:
            token = getattr(tokens, name)
            if token is not None:
                columns[name] = self._closed(account_id, name, token)
        if tokens.access_token is not None:
            columns["access_token_expires_at"] = tokens.access_token_expires_at
        if tokens.refresh_token_expires_at is not None:
            columns["refresh_token_expires_at"] = tokens.refresh_token_expires_at
        return columns

    def read(self, account: Account) -> Tokens:
        """The tokens in ``account``; what cannot be opened (any more) counts as absent."""
        secrets = {name: self._open(account, name) for name in _SECRETS}
        return Tokens(
            **secrets,
            access_token_expires_at=account.access_token_expires_at,
            refresh_token_expires_at=account.refresh_token_expires_at,
            scopes=split_scope(account.scope),
        )

    def _closed(self, account_id: str, name: str, token: str) -> str:
        if self._storage == "plain":
            return token
        bound_to = f"{account_id}:{name}"
        return self._context.keyring.seal(Purpose.PROVIDER_TOKEN, token, bound_to=bound_to)

    def _open(self, account: Account, name: str) -> str | None:
        stored: str | None = getattr(account, name)
        if stored is None or self._storage == "plain":
            return stored
        bound_to = f"{account.id}:{name}"
        return self._context.keyring.open(Purpose.PROVIDER_TOKEN, stored, bound_to=bound_to)


class Refresher:
    """Refreshes access tokens, of any number of callers and processes one at a time.

    A provider that rotates refresh tokens takes a second use of one for theft and voids them all.
    """

    def __init__(
        self, context: Context, store: TokenStore, directory: Directory, endpoint: TokenEndpoint
    ) -> None:
        self._context = context
        self._store = store
        self._directory = directory
        self._endpoint = endpoint

    async def fresh(self, provider: Provider, account: Account) -> Account:
        """``account`` with an access token that is not about to expire, refreshed if need be."""
        expires_at = account.access_token_expires_at
        if expires_at is None or expires_at - self._context.clock() > EARLY:
            return account
        if account.refresh_token is None:
            return account
        return await self.refreshed(provider, account)

    async def refreshed(self, provider: Provider, account: Account) -> Account:
        """``account`` with new tokens: by this call, or by another that was about it already.

        Raises ``OAuthFailure`` and ``ServiceUnavailable``.
        """
        async with self._lease(account.id) as is_ours:
            current = await self._context.database.find_one(Account, id=account.id)
            if current is None:
                raise OAuthFailure("account_not_found")
            if current.access_token != account.access_token:
                return current  # somebody else's refresh
            if not is_ours:
                raise OAuthFailure("invalid_refresh_token", "another's refresh failed")
            return await self._refresh(provider, current)

    async def _refresh(self, provider: Provider, account: Account) -> Account:
        refresh_token = self._store.read(account).refresh_token
        if refresh_token is None:
            raise OAuthFailure("refresh_token_not_found")
        endpoints = await self._directory.of(provider)
        tokens = await self._endpoint.refresh(provider, endpoints, refresh_token)
        if tokens.access_token is None:
            raise OAuthFailure("invalid_refresh_token", f"{provider.id}: gave no access token")
        changes = self._store.columns(account.id, tokens)
        changes["updated_at"] = self._context.clock()
        database = self._context.database
        seen = {"refresh_token": account.refresh_token}
        if await database.update(Account, changes, id=account.id, **seen):
            return account.revised(changes)
        # Signed in anew meanwhile: those tokens are the younger ones.
        return await database.find_one(Account, id=account.id) or account

    @asynccontextmanager
    async def _lease(self, account_id: str) -> AsyncIterator[bool]:
        """Enter as the one who refreshes (True), or after the one who did (False)."""
        identifier = f"{Purpose.PROVIDER_TOKEN}:{account_id}"
        lease = await self._leased(identifier, self._context.clock())
        if lease is None:
            await self._until_free(identifier)
            yield False
            return
        try:
            yield True
        finally:
            # The row stays, until the purge: rows that come and go deadlock on MySQL.
            now = self._context.clock()
            await self._context.database.update(
                Verification, {"expires_at": now}, identifier=identifier, value=lease
            )

    async def _leased(self, identifier: str, now: datetime) -> str | None:
        """The lease, if nobody else has it: one conditional statement, or an insert that fails."""
        database, lease = self._context.database, str(uuid4())
        held: dict[str, Any] = {"value": lease, "expires_at": now + LEASE, "updated_at": now}
        try:
            if await database.update(Verification, held, identifier=identifier, expires_at=le(now)):
                return lease
            await database.insert(Verification(identifier=identifier, created_at=now, **held))
        except (UniqueViolation, DatabaseUnavailable):
            return None  # somebody else was faster; MySQL may call it a deadlock
        return lease

    async def _is_leased(self, identifier: str) -> bool:
        live = gt(self._context.clock())
        return bool(
            await self._context.database.count(Verification, identifier=identifier, expires_at=live)
        )

    async def _until_free(self, identifier: str) -> None:
        try:
            async with asyncio.timeout(LEASE.total_seconds()):
                # Whoever refreshes may be another process: there is no event to wait for.
                while await self._is_leased(identifier):  # noqa: ASYNC110
                    await asyncio.sleep(_WAIT)
        except TimeoutError:
            raise ServiceUnavailable from None


def split_scope(scope: str | None) -> tuple[str, ...]:
    """The scopes in a row, where commas separate them."""
    return tuple(part for part in (scope or "").split(",") if part)


def merged_scope(scope: str | None, granted: tuple[str, ...]) -> str | None:
    """The scopes in a row with newly granted ones added."""
    return ",".join(dict.fromkeys([*split_scope(scope), *granted])) or None
