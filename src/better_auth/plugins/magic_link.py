"""Signing in, or up, by a link that is sent to one's address.

A link works once. Mail scanners and browsers that fetch links ahead of their reader would use it
up: a HEAD request and a fetch that says it is ahead of time do not count, and with
``confirm_page`` the link leads to a page of the application's own, which asks for a click before
it calls ``/magic-link/verify``.
"""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from pydantic import Field

from better_auth.crypto import Purpose
from better_auth.errors import (
    AuthError,
    BadRequest,
    ConfigurationError,
    Forbidden,
    MethodNotAllowed,
)
from better_auth.events import SignedUp
from better_auth.http.body import Input
from better_auth.http.call import Call, Challenge, Context
from better_auth.http.endpoints import get, post
from better_auth.http.messages import Redirect
from better_auth.mail import MailKind, Send
from better_auth.models import Fields, Session, User
from better_auth.plugins.answers import Status, refused_at
from better_auth.plugins.base import Plugin
from better_auth.plugins.browser_binding import BrowserBinding
from better_auth.users import EmailTaken, normalize_email

VERIFY = "/magic-link/verify"
COOKIE = "magic-link"


class SignInMagicLink(Input):
    """Who is to be sent a link, what to call them if they are new, and where it leads then."""

    email: str = Field(min_length=1, max_length=320, json_schema_extra={"format": "email"})
    name: str | None = Field(default=None, max_length=255)
    callback_url: str | None = Field(default=None, alias="callbackURL", max_length=2048)
    new_user_callback_url: str | None = Field(
        default=None, alias="newUserCallbackURL", max_length=2048
    )
    error_callback_url: str | None = Field(default=None, alias="errorCallbackURL", max_length=2048)


class FollowLink(Input):
    """What stands in the link."""

    token: str = Field(max_length=256, repr=False)
    callback_url: str | None = Field(default=None, alias="callbackURL", max_length=2048)
    new_user_callback_url: str | None = Field(
        default=None, alias="newUserCallbackURL", max_length=2048
    )
    error_callback_url: str | None = Field(default=None, alias="errorCallbackURL", max_length=2048)


class SignedInByLink(Fields):
    """The session, its token and its user."""

    token: str
    user: User
    session: Session


class _Stored(Fields):
    """What a link stands for; ``browser_key`` is of the browser it is for, if not for any."""

    email: str
    name: str
    browser_key: str | None = Field(default=None, repr=False)


class MagicLinkPlugin(Plugin):
    """``POST /sign-in/magic-link`` and ``GET /magic-link/verify``.

    Links go out by the application's mail, or by ``send``. Each is good for ``expires_in``, once,
    and stored as a fingerprint; an address is sent at most five in 15 minutes. ``disable_sign_up``
    sends them only to users there are. ``confirm_page`` (a path or trusted URL) is where links
    lead instead of straight to ``/magic-link/verify``, with the same query. ``bind_to_browser``
    makes a link good only in the browser that asked for it, which a cookie tells: nobody can then
    be signed in as somebody else by a link that was passed on to them.
    ``skip_second_factor=True`` trusts the mailbox as if it were two factors.
    """

    name = "Magic link"

    def __init__(
        self,
        *,
        send: Send | None = None,
        expires_in: timedelta = timedelta(minutes=5),
        disable_sign_up: bool = False,
        confirm_page: str | None = None,
        bind_to_browser: bool = False,
        skip_second_factor: bool = False,
    ) -> None:
        """Raises ``ConfigurationError`` for a link that would never be good."""
        if expires_in <= timedelta(0):
            raise ConfigurationError("MagicLinkPlugin: expires_in must be more than zero")
        self.send = send
        self.expires_in = expires_in
        self.disable_sign_up = disable_sign_up
        self.confirm_page = confirm_page
        self.bind_to_browser = bind_to_browser
        self.skip_second_factor = skip_second_factor

    def bind(self, context: Context) -> None:
        super().bind(context)
        purpose = Purpose.MAGIC_LINK_BROWSER
        self._browser = BrowserBinding(context, COOKIE, purpose, self.expires_in)
        context.mail.route(MailKind.MAGIC_LINK, self.send, needed_by=type(self).__name__)
        if not self.disable_sign_up:
            context.users.refuse_required_fields(type(self).__name__)

    @post("/sign-in/magic-link", takes_credentials=True, sends_mail=True, errors=(403,))
    async def sign_in(self, call: Call, body: SignInMagicLink) -> Status:
        """Send a link to sign in with.

        Nobody is told whether there is such a user: everything else happens after the answer.
        """
        self._check_redirects(call, body)
        email = normalize_email(body.email)
        page = self.confirm_page or call.link(VERIFY)
        asked = {
            "callbackURL": body.callback_url or "/",
            "newUserCallbackURL": body.new_user_callback_url,
            "errorCallbackURL": body.error_callback_url,
        }
        query = {key: value for key, value in asked.items() if value is not None}
        browser_key = self._browser.bind(call) if self.bind_to_browser else None

        async def send() -> None:
            if not await self._may_send(email):
                return
            link = _Stored(email=email, name=body.name or "", browser_key=browser_key)
            token = await self.context.proofs.issue(
                Purpose.MAGIC_LINK, link.model_dump_json(), self.expires_in
            )
            url = f"{page}{'&' if '?' in page else '?'}{urlencode({'token': token, **query})}"
            self.context.mail.send(MailKind.MAGIC_LINK, email, url=url, token=token)

        self.context.mail.later(MailKind.MAGIC_LINK, send)
        return Status()

    async def _may_send(self, email: str) -> bool:
        if self.disable_sign_up and await self.context.users.find_by_email(email) is None:
            return False
        return await self.context.proofs.may_send(Purpose.MAGIC_LINK, email)

    @get(VERIFY, takes_credentials=True, errors=(401, 403, 405, 422))
    async def verify(self, call: Call, query: FollowLink) -> SignedInByLink | Challenge | Redirect:
        """Sign in, or up, by the link that was sent.

        With a ``callbackURL`` the browser is sent on: there, to ``newUserCallbackURL`` if it is a
        new user, or with ``?error=`` to ``errorCallbackURL``.
        """
        self._check_redirects(call, query)
        _refuse_ahead_of_time(call)
        try:
            user, is_new = await self._redeemed(call, query.token)
            challenge = (
                None if self.skip_second_factor else await call.second_step(user, remember=True)
            )
            if challenge is not None:
                return _to_second_factor(challenge, query.callback_url)
            session = await call.begin_session(user)
        except AuthError as error:
            if error.status >= 500:
                raise
            return refused_at(query.error_callback_url or query.callback_url, error)
        if query.callback_url is None:
            return SignedInByLink(token=session.token, user=user, session=session)
        return Redirect.to((is_new and query.new_user_callback_url) or query.callback_url)

    async def _redeemed(self, call: Call, token: str) -> tuple[User, bool]:
        """Whose link it is, and whether they are new. Raises ``BadRequest``."""
        link = await self._taken(call, token)
        users = self.context.users
        user = await users.find_by_email(link.email)
        if user is None:
            if self.disable_sign_up:
                raise BadRequest("There is no such user", "new_user_signup_disabled")
            try:
                user = await users.create(name=link.name, email=link.email, email_verified=True)
            except EmailTaken:  # by another link to the same address, meanwhile
                user = await users.find_by_email(link.email)
                if user is None:
                    raise
            else:
                await self.context.events.emit(SignedUp(user))
                return user, True
        return await users.claim_email(user), False

    async def _taken(self, call: Call, token: str) -> _Stored:
        """What the link stands for, and its end. Raises ``BadRequest``.

        In another browser than its own it is left for that one.
        """
        proofs = self.context.proofs
        value = await proofs.look(Purpose.MAGIC_LINK, token)
        if value is not None:
            link = _Stored.model_validate_json(value)
            key = link.browser_key
            if key is not None and not self._browser.is_bound(call, key):
                await call.sign_in_failed("magic link", "another browser's link")
                raise BadRequest("Open the link in the browser that asked for it", "OTHER_BROWSER")
            if await proofs.redeem(Purpose.MAGIC_LINK, token) is not None:
                return link
        await call.sign_in_failed("magic link", "not a good link")
        raise BadRequest("The link has expired or was used", "INVALID_TOKEN")

    def _check_redirects(self, call: Call, asked: SignInMagicLink | FollowLink) -> None:
        check: Any = self.context.origins.check_redirect
        check(asked.callback_url, call.request, "callbackURL")
        check(asked.new_user_callback_url, call.request, "newUserCallbackURL")
        check(asked.error_callback_url, call.request, "errorCallbackURL")


def _refuse_ahead_of_time(call: Call) -> None:
    """Leave the link for its reader where something fetches it before them.

    Raises ``MethodNotAllowed`` and ``Forbidden``.
    """
    if call.request.method == "HEAD":
        raise MethodNotAllowed("GET")
    purpose = call.request.header(b"sec-purpose") or call.request.header(b"purpose") or ""
    if "prefetch" in purpose.lower():
        raise Forbidden("Not ahead of time", "PREFETCH_REFUSED")


def _to_second_factor(challenge: Challenge, callback_url: str | None) -> Challenge | Redirect:
    """The challenge; a browser is sent on to find it in its cookie, not in a URL."""
    if callback_url is None:
        return challenge
    methods = ",".join(challenge.two_factor_methods)
    return Redirect.to(callback_url, twoFactorRedirect="true", twoFactorMethods=methods)
