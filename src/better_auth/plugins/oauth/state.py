"""The ``state`` of a sign-in under way: what the browser carries to the provider and back.

What is in its row can be used once, within ten minutes, by the browser it was given to (which has
a cookie that says so) and with the provider it was meant for.
"""

import secrets
from datetime import timedelta

from pydantic import Field

from better_auth.adapters.base import in_
from better_auth.crypto import Purpose
from better_auth.http.call import Call, Context
from better_auth.models import Fields, Verification
from better_auth.plugins.browser_binding import BrowserBinding
from better_auth.plugins.oauth.errors import OAuthFailure

COOKIE = "oauth-state"
LIFETIME = timedelta(minutes=10)


class Attempt(Fields):
    """A sign-in, or the linking of an account, that is under way at a provider."""

    provider_id: str
    redirect_uri: str
    code_verifier: str = Field(repr=False)
    nonce: str | None = Field(default=None, repr=False)
    callback_url: str
    error_url: str
    new_user_url: str | None = None
    request_sign_up: bool = False
    link_user_id: str | None = None
    """Whose account it shall become; None: it is a sign-in."""
    link_session_id: str | None = None
    """The session that asked for it, which must still be there when the browser comes back."""
    browser_key: str = Field(default="", repr=False)


class States:
    """Issues and takes back the states of one application."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._browser = BrowserBinding(context, COOKIE, Purpose.OAUTH_BROWSER, LIFETIME)

    async def issue(self, call: Call, attempt: Attempt) -> str:
        """A state for ``attempt``, bound to the calling browser by a cookie in the answer."""
        attempt = attempt.model_copy(update={"browser_key": self._browser.bind(call)})
        state = secrets.token_urlsafe(32)
        keyring, now = self._context.keyring, self._context.clock()
        key = keyring.fingerprint(Purpose.OAUTH_STATE, state)
        value = keyring.seal(Purpose.OAUTH_STATE, attempt.model_dump_json(), bound_to=key)
        await self._context.database.insert(
            Verification(
                identifier=f"{Purpose.OAUTH_STATE}:{key}",
                value=value,
                expires_at=now + LIFETIME,
                created_at=now,
                updated_at=now,
            )
        )
        return state

    async def take(self, call: Call, state: str, provider_id: str) -> Attempt:
        """What ``state`` stands for, and its end, whatever is wrong with it.

        Raises ``OAuthFailure`` (``state_mismatch``): unknown, used, expired, another provider's,
        or another browser's.
        """
        keyring = self._context.keyring
        keys = keyring.fingerprints(Purpose.OAUTH_STATE, state)
        identifiers = in_([f"{Purpose.OAUTH_STATE}:{key}" for key in keys])
        taken = await self._context.database.take(Verification, identifier=identifiers)
        if not taken or taken[0].expires_at <= self._context.clock():
            raise OAuthFailure("state_mismatch", "unknown, used or expired")
        key = taken[0].identifier.rpartition(":")[2]
        opened = keyring.open(Purpose.OAUTH_STATE, taken[0].value, bound_to=key)
        if opened is None:
            raise OAuthFailure("state_mismatch", "cannot be opened")
        attempt = Attempt.model_validate_json(opened)
        if attempt.provider_id != provider_id:
            raise OAuthFailure("state_mismatch", f"of {attempt.provider_id}, not {provider_id}")
        if not self._browser.is_bound(call, attempt.browser_key):
            raise OAuthFailure("state_mismatch", "of another browser")
        return attempt
