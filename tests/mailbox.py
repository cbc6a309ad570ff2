"""An application that sends mail, and what it sent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx

from better_auth import User
from better_auth.mail import Letter, MailMessage, MemoryProvider
from better_auth.plugins import (
    AccountManagementPlugin,
    EmailPasswordPlugin,
    EmailVerificationPlugin,
    PasswordManagementPlugin,
    Plugin,
    SessionManagementPlugin,
    UserManagementPlugin,
)
from tests.conftest import Site
from tests.support import PASSWORD, Browser, account_plugins

_HASHES: dict[str, str] = {}


@dataclass
class Mailbox:
    """A site and everybody's mail."""

    site: Site
    provider: MemoryProvider

    def all(self) -> list[MailMessage]:
        """Every message, once all that is under way has arrived."""
        assert self.site.run(self.site.auth.mail.flush(30))
        return self.provider.sent

    def of(self, kind: str) -> list[MailMessage]:
        """The messages of one kind."""
        return [message for message in self.all() if message.kind == kind]

    def link(self, kind: str) -> str:
        """The link of the newest message of ``kind``."""
        url = self.of(kind)[-1].url
        assert url is not None
        return url

    def token(self, kind: str) -> str:
        """The secret in the link of the newest message of ``kind``."""
        parts = urlsplit(self.link(kind))
        asked = parse_qs(parts.query).get("token")
        return asked[0] if asked else parts.path.rpartition("/")[2]

    def user(self, email: str = "ada@example.com", password: str | None = PASSWORD) -> User:
        """A user, with a password whose hash is made once for all tests."""
        user = self.site.user(email, email_verified=True)
        if password is not None:
            self.give(user, password)
        return user

    def give(self, user: User, password: str = PASSWORD) -> None:
        """Make ``password`` the user's."""
        if password not in _HASHES:
            _HASHES[password] = self.site.run(self.site.auth.context.passwords.hash(password))
        self.site.run(self.site.auth.users.give_password(user, _HASHES[password]))

    def found(self, user: User) -> User:
        """The user as they are now."""
        found = self.site.run(self.site.auth.users.find(user.id))
        assert found is not None
        return found

    def browser(self, user: User | None = None, **options: Any) -> Browser:
        """A browser that follows no redirects, in which ``user`` is signed in."""
        browser = self.site.browser()
        if user is not None:
            session = self.site.session(user, **options)
            name = self.site.auth.config.session.cookie_name
            browser.http.cookies.set(name, session.token, domain="127.0.0.1", path="/")
        return browser

    def sessions(self, user: User) -> int:
        """How many live sessions the user has."""
        return len(self.site.run(self.site.auth.sessions.list_for(user.id)))


def mailbox(
    site_with: Callable[..., Site],
    *,
    email_password: EmailPasswordPlugin | None = None,
    passwords: PasswordManagementPlugin | None = None,
    verification: EmailVerificationPlugin | None = None,
    users: UserManagementPlugin | None = None,
    accounts: AccountManagementPlugin | None = None,
    more: Sequence[Plugin] = (),
    **settings: Any,
) -> Mailbox:
    """A site with every plugin around the account, and ``more``; see ``account_plugins``."""
    provider = MemoryProvider()
    plugins = account_plugins(
        email_password=email_password,
        passwords=passwords,
        verification=verification,
        users=users,
        accounts=accounts,
    )
    return Mailbox(site_with(plugins=[*plugins, *more], mail=provider, **settings), provider)


@dataclass
class Letters:
    """A site one of whose plugins sends letters, and the letters it sent."""

    site: Site
    letters: list[Letter]

    @classmethod
    def maker(
        cls, site_with: Callable[..., Site], plugin: Callable[..., Plugin]
    ) -> Callable[..., Self]:
        """Makes such sites: ``more`` plugins, ``settings``, and the plugin's options."""

        def make(*more: Any, settings: dict[str, Any] | None = None, **options: Any) -> Self:
            letters: list[Letter] = []
            plugins = [
                EmailPasswordPlugin(),
                SessionManagementPlugin(),
                plugin(send=letters.append, **options),
                *more,
            ]
            return cls(site_with(plugins=plugins, **(settings or {})), letters)

        return make

    def post(self, path: str, browser: Browser | None = None, **body: Any) -> httpx.Response:
        """POST, and wait until whatever mail there is is out."""
        answer = (browser or self.site.browser()).post(path, body)
        self.site.run(self.site.auth.mail.flush())
        return answer
