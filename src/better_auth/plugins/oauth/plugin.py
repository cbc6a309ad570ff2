"""Sign-in through others: the endpoints, and the way to a provider and back."""

import logging
import secrets
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Literal

import httpx

from better_auth.errors import AuthError, BadRequest, ConfigurationError, NotFound
from better_auth.http.call import Call, Challenge, Context
from better_auth.http.endpoints import get, post
from better_auth.http.messages import Redirect
from better_auth.models import Principal, User
from better_auth.plugins.base import Plugin
from better_auth.plugins.oauth.directory import Directory
from better_auth.plugins.oauth.errors import OAuthFailure
from better_auth.plugins.oauth.exchange import TokenEndpoint, authorization_url
from better_auth.plugins.oauth.given import Given
from better_auth.plugins.oauth.identities import Identities, Identity
from better_auth.plugins.oauth.linking import Accounts, Rules
from better_auth.plugins.oauth.messages import (
    AccessToken,
    AccountInfo,
    Callback,
    LinkSocial,
    RefreshedTokens,
    SelectAccount,
    SignInSocial,
    SocialLinked,
    SocialSession,
    SocialUrl,
)
from better_auth.plugins.oauth.outgoing import Outgoing
from better_auth.plugins.oauth.providers import Provider, is_secure_url
from better_auth.plugins.oauth.refusals import refusal
from better_auth.plugins.oauth.state import Attempt, States
from better_auth.plugins.oauth.tokens import Refresher, Storage, TokenStore

logger = logging.getLogger("better_auth.oauth")


class OAuthPlugin(Plugin):
    """Sign-in through OAuth 2 and OpenID Connect providers (extra ``oauth``).

    ``providers`` are made by ``preset("google", client_id=...)`` or, for any OpenID issuer,
    ``Provider(id=..., issuer=...)``. ``error_url`` is where a browser is sent with ``?error=``
    when a sign-in fails of which nothing else is known.

    Linking: ``allow_linking_by_email=False`` never joins a provider's account to a user by
    address, only by ``/link-social``; ``allow_different_emails`` lets that link an account with
    another address; ``update_user_on_link`` takes over name and picture.

    ``second_factor``: ``ask`` whoever has two-factor on, whichever way they come, or
    ``trust-provider``. ``second_factor_url`` is where a browser is sent to be asked (with
    ``?twoFactorRedirect=true``); None: where it wanted to go. ``store_tokens``: how providers'
    tokens are kept: ``sealed`` (None, but in a database shared with TypeScript), ``plain`` or
    ``none``. ``timeout`` bounds each request to a provider. ``allow_http`` lets providers be asked
    without TLS: for development only.
    """

    name = "OAuth"

    def __init__(
        self,
        providers: Sequence[Provider] = (),
        *,
        error_url: str = "/",
        allow_linking_by_email: bool = True,
        allow_different_emails: bool = False,
        update_user_on_link: bool = False,
        second_factor: Literal["ask", "trust-provider"] = "ask",
        second_factor_url: str | None = None,
        store_tokens: Storage | None = None,
        timeout: timedelta = timedelta(seconds=10),
        allow_http: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Raises ``ConfigurationError`` for two providers of one id, and for a URL without TLS.

        ``transport`` is httpx's, for tests and for proxies.
        """
        self.providers = {provider.id: provider for provider in providers}
        if len(self.providers) < len(providers):
            raise ConfigurationError("providers: an id is there twice")
        for provider in providers:
            for field, url in provider.urls():
                if not is_secure_url(url, allow_http=allow_http):
                    raise ConfigurationError(f"provider {provider.id}: {field} is no https URL")
        self.error_url = error_url
        self.second_factor = second_factor
        self.second_factor_url = second_factor_url
        self.store_tokens = store_tokens
        self.allow_http = allow_http
        self._rules = Rules(allow_linking_by_email, allow_different_emails, update_user_on_link)
        self._outgoing = Outgoing(timeout.total_seconds(), transport)

    def bind(self, context: Context) -> None:
        super().bind(context)
        clock = context.clock
        endpoint = TokenEndpoint(self._outgoing, clock)
        self._directory = Directory(self._outgoing, clock, allow_http=self.allow_http)
        self._identities = Identities(self._outgoing, self._directory, endpoint, clock)
        self._states = States(context)
        store = TokenStore(context, self._storage(context))
        refresher = Refresher(context, store, self._directory, endpoint)
        self._accounts = Accounts(context, store, self._rules)
        self._given = Given(context, self.providers, store, refresher, self._identities)

    def _storage(self, context: Context) -> Storage:
        is_shared = context.config.share_database_with_typescript
        if is_shared and self.store_tokens == "sealed":
            raise ConfigurationError(
                "share_database_with_typescript needs OAuthPlugin(store_tokens=...) plain or none"
            )
        return self.store_tokens or ("plain" if is_shared else "sealed")

    async def stop(self) -> None:
        await self._outgoing.close()

    # Going there

    @post("/sign-in/social", takes_credentials=True, errors=(401, 403, 404))
    async def sign_in_social(
        self, call: Call, body: SignInSocial
    ) -> SocialUrl | SocialSession | Challenge:
        """Begin to sign in with a provider, or sign in with an ID token that it gave the client."""
        provider = self._provider(body.provider)
        self._check_urls(call, body)
        if body.id_token is None:
            return await self._begin(call, provider, body)
        try:
            identity = await self._identities.by_id_token(provider, body.id_token)
            user, _ = await self._accounts.user_for(
                identity, may_sign_up=_may_sign_up(provider, body.request_sign_up)
            )
        except OAuthFailure as failure:
            await self._failed(call, failure)
            raise refusal(failure) from None
        entered = await self._enter(call, user, identity)
        if isinstance(entered, Challenge):
            return entered
        return SocialSession(token=entered, user=user)

    @post("/link-social", access="session", errors=(403, 404, 409))
    async def link_social(self, call: Call, body: LinkSocial) -> SocialUrl | SocialLinked:
        """Begin to link a provider's account to one's own, or link it by an ID token.

        Asks for a fresh session: the account opens the door from then on.
        """
        caller = await call.require_fresh()
        provider = self._provider(body.provider)
        self._check_urls(call, body)
        if body.id_token is None:
            return await self._begin(call, provider, body, caller)
        try:
            identity = await self._identities.by_id_token(provider, body.id_token)
            await self._accounts.link(caller.user, identity)
        except OAuthFailure as failure:
            logger.warning("linking failed: %s", failure.detail)
            raise refusal(failure) from None
        return SocialLinked()

    async def _begin(
        self,
        call: Call,
        provider: Provider,
        body: SignInSocial | LinkSocial,
        caller: Principal | None = None,
    ) -> SocialUrl:
        attempt = Attempt(
            provider_id=provider.id,
            redirect_uri=provider.redirect_uri or self._callback_uri(call, provider),
            code_verifier=secrets.token_urlsafe(48),
            nonce=secrets.token_urlsafe(24) if provider.nonce and provider.has_id_tokens else None,
            callback_url=body.callback_url or "/",
            error_url=body.error_callback_url or self.error_url,
            new_user_url=body.new_user_callback_url if isinstance(body, SignInSocial) else None,
            request_sign_up=body.request_sign_up,
            link_user_id=caller.user.id if caller else None,
            link_session_id=caller.session.id if caller else None,
        )
        try:
            endpoints = await self._directory.of(provider)
        except OAuthFailure as failure:
            logger.warning("sign-in cannot begin: %s", failure.detail)
            raise refusal(failure) from None
        url = authorization_url(
            provider,
            endpoints,
            state=await self._states.issue(call, attempt),
            redirect_uri=attempt.redirect_uri,
            code_verifier=attempt.code_verifier,
            nonce=attempt.nonce,
            scopes=body.scopes,
            login_hint=body.login_hint,
            additional=body.additional_params,
        )
        return SocialUrl(url=url, redirect=not body.disable_redirect)

    # Coming back

    @post("/callback/{provider}", takes_form=True, from_any_site=True)
    async def callback_form(self, call: Call, body: Callback) -> Redirect:
        """Take what a provider posts (``response_mode=form_post``) and have the browser GET it.

        The POST comes from the provider's site, so it brings no cookie that could be believed;
        the GET that follows does. Nothing is done here.
        """
        return Redirect.to("", **body.model_dump(exclude_none=True))

    @get("/callback/{provider}", acts=True)
    async def callback(self, call: Call, query: Callback) -> Redirect:
        """Complete what was begun: a session (or the link), and on to where the browser wanted.

        Whatever goes wrong sends it to the ``errorCallbackURL`` with ``?error=``.
        """
        error_url = self.error_url
        try:
            if query.state is None:
                raise OAuthFailure("state_not_found")
            provider_id = call.request.path_params.get("provider", "")
            provider = self.providers.get(provider_id)
            if provider is None:
                raise OAuthFailure("oauth_provider_not_found")
            attempt = await self._states.take(call, query.state, provider_id)
            error_url = attempt.error_url
            return await self._complete(call, provider, attempt, query)
        except OAuthFailure as failure:
            await self._failed(call, failure)
            return Redirect.to(error_url, error=failure.code)
        except AuthError as error:
            if error.status >= 500:
                raise
            return Redirect.to(error_url, error=_BROWSER_CODES.get(error.code, error.code))

    async def _complete(
        self, call: Call, provider: Provider, attempt: Attempt, answer: Callback
    ) -> Redirect:
        identity = await self._identities.by_code(provider, attempt, answer)
        if attempt.link_user_id is not None:
            await self._accounts.link(await self._accounts.who_asked(attempt), identity)
            return Redirect.to(attempt.callback_url)
        user, is_new = await self._accounts.user_for(
            identity, may_sign_up=_may_sign_up(provider, attempt.request_sign_up)
        )
        entered = await self._enter(call, user, identity)
        if isinstance(entered, Challenge):
            return Redirect.to(
                self.second_factor_url or attempt.callback_url,
                twoFactorRedirect="true",
                twoFactorMethods=",".join(entered.two_factor_methods),
            )
        return Redirect.to((attempt.new_user_url if is_new else None) or attempt.callback_url)

    async def _enter(self, call: Call, user: User, identity: Identity) -> Challenge | str:
        """Begin a session, unless something else is due first; its token, or what is due.

        Raises ``Unauthorized`` where the account was taken from the user meanwhile.
        """
        if self.second_factor == "ask":
            challenge = await call.second_step(user, remember=True)
            if challenge is not None:
                return challenge
        still_theirs = partial(self._accounts.refuse_taken, user, identity)
        return (await call.begin_session(user, unless=still_theirs)).token

    async def _failed(self, call: Call, failure: OAuthFailure) -> None:
        logger.warning("sign-in failed: %s", failure.detail)
        await call.sign_in_failed("oauth", failure.code.replace("_", " "), failure.user_id)

    # What was given

    @post("/get-access-token", access="session", errors=(403,))
    async def get_access_token(self, call: Call, body: SelectAccount) -> AccessToken:
        """Get an access token of one's account at a provider, refreshed if it has expired."""
        return await self._given.access_token(await call.require_own(), body)

    @post("/refresh-token", access="session", errors=(403,))
    async def refresh_token(self, call: Call, body: SelectAccount) -> RefreshedTokens:
        """Refresh the tokens of one's account at a provider now."""
        return await self._given.refreshed(await call.require_own(), body)

    @get("/account-info", access="session", errors=(403,))
    async def account_info(self, call: Call, query: SelectAccount) -> AccountInfo:
        """Ask a provider who one is there."""
        return await self._given.info(await call.require_own(), query)

    # Shared

    def _provider(self, provider_id: str) -> Provider:
        """Raises ``NotFound``."""
        provider = self.providers.get(provider_id)
        if provider is None:
            raise NotFound("Provider not found", "PROVIDER_NOT_FOUND")
        return provider

    def _check_urls(self, call: Call, body: SignInSocial | LinkSocial) -> None:
        """Raises ``Forbidden`` for a URL that no browser shall be sent to."""
        check = self.context.origins.check_redirect
        check(body.callback_url, call.request, "callbackURL")
        check(body.error_callback_url, call.request, "errorCallbackURL")
        if isinstance(body, SignInSocial):
            check(body.new_user_callback_url, call.request, "newUserCallbackURL")

    def _callback_uri(self, call: Call, provider: Provider) -> str:
        config = self.context.config
        base = config.base_url
        if base is None:
            host = call.request.header(b"host")
            if host is None:
                raise BadRequest("base_url is not configured", "BASE_URL_REQUIRED")
            base = f"{call.request.scheme}://{host}"
        mount = call.request.base_path  # where this wire, whose cookies it will be, is served
        path = config.base_path if mount is None else mount
        return f"{base}{path}/callback/{provider.id}"


_BROWSER_CODES = {"BANNED_USER": "banned", "ACCOUNT_NOT_LINKED": "account_not_linked"}
"""Codes that browsers are sent back with under another name."""


def _may_sign_up(provider: Provider, is_asked_for: bool) -> bool:
    if provider.disable_sign_up:
        return False
    return is_asked_for or not provider.disable_implicit_sign_up
