"""What was asked for in a session that ends before it is done: the owner of an address proves it,
or resets the password, and whoever was there before keeps no way in."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from better_auth import User
from better_auth.mail import Letter
from better_auth.models import Account
from better_auth.plugins import (
    EmailPasswordPlugin,
    EmailVerificationPlugin,
    OAuthPlugin,
    PasswordManagementPlugin,
    SessionManagementPlugin,
)
from better_auth.plugins.oauth import Provider
from tests.conftest import Site
from tests.contract.test_oauth import ISSUER, Fake
from tests.support import bearer

NEW = "a quite new passphrase"


def accounts(site: Site) -> list[Account]:
    """All ways of signing in."""
    return site.run(site.auth.database.find(Account))


def impostor(site: Site, **more: Any) -> tuple[User, str]:
    """A user with somebody else's address, and the token of their session."""
    user = site.user("ada@example.com", **more)
    return user, site.session(user).token


@pytest.mark.parametrize("by", ["claim", "reset"])
def test_a_first_password(site_with: Callable[..., Site], by: str) -> None:
    """Set while the address is claimed, it is not; while another is chosen by reset, that stays."""
    meanwhile: list[Callable[[], Any]] = []

    async def is_breached(password: str) -> bool:
        for do in meanwhile:
            await do()
        return False

    site = site_with(
        plugins=[
            EmailPasswordPlugin(is_breached=is_breached),
            SessionManagementPlugin(),
            PasswordManagementPlugin(),
        ]
    )
    users = site.auth.users
    user, token = impostor(site)
    if by == "claim":
        meanwhile.append(lambda: users.claim_email(user))
    else:
        meanwhile.append(lambda: users.give_password(user, "the owner's"))
    answer = site.client().post("/set-password", json={"newPassword": NEW}, headers=bearer(token))
    if by == "claim":
        assert (answer.status_code, accounts(site)) == (401, [])
    else:
        assert (answer.status_code, answer.json()["code"]) == (400, "PASSWORD_ALREADY_SET")
        assert [account.password_hash for account in accounts(site)] == ["the owner's"]


@pytest.mark.parametrize("handed_in", [False, True])
def test_a_provider(site_with: Callable[..., Site], handed_in: bool) -> None:
    """An account that is linked while the address is claimed is not."""
    fake = Fake()
    acme = Provider(id="acme", client_id="app", client_secret="secret", issuer=ISSUER)
    meanwhile: list[Callable[[], Any]] = []

    async def provider(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/jwks":
            for do in meanwhile:
                await do()
        return await fake(request)

    oauth = OAuthPlugin(
        [acme], transport=httpx.MockTransport(provider), allow_different_emails=True
    )
    site = site_with(plugins=[EmailPasswordPlugin(), SessionManagementPlugin(), oauth])
    fake.now, fake.claims = int(site.clock().timestamp()), {"email": "mallory@example.com"}
    user, token = impostor(site)
    browser = site.browser()
    browser.http.cookies.set(site.auth.config.session.cookie_name, token, domain="127.0.0.1")
    meanwhile.append(lambda: site.auth.users.claim_email(user))
    if handed_in:
        body = {"provider": "acme", "idToken": {"token": fake.id_token(nonce=None)}}
        assert browser.post("/link-social", body).status_code == 401
    else:
        url = httpx.URL(browser.post("/link-social", {"provider": "acme"}).json()["url"])
        fake.nonce = url.params["nonce"]
        query = {"state": url.params["state"], "code": "a-code"}
        back = browser.get("/callback/acme", params=query)
        assert back.headers["location"] == "/?error=unable_to_link_account"
    assert accounts(site) == []


def test_another_address(site_with: Callable[..., Site]) -> None:
    """A link to another address that waits to be made while the sessions end is never sent."""
    letters: list[Letter] = []
    may_go_on = asyncio.Event()

    async def send(letter: Letter) -> None:
        letters.append(letter)
        await may_go_on.wait()

    plugin = EmailVerificationPlugin(send=send)
    site = site_with(plugins=[EmailPasswordPlugin(), SessionManagementPlugin(), plugin])
    user, token = impostor(site)
    mail = site.auth.mail
    client = site.client()
    for number in range(8):  # all there are of places
        site.run(_send(site, f"{number}@example.com"))
    body = {"newEmail": "mallory@example.com"}
    assert client.post("/change-email", json=body, headers=bearer(token)).status_code == 200
    site.run(site.auth.users.claim_email(user))
    site.loop.call_soon_threadsafe(may_go_on.set)
    assert site.run(mail.flush(30))
    assert [letter for letter in letters if letter.kind == "change-email"] == []


async def _send(site: Site, to: str) -> None:
    site.auth.mail.send("verify-email", to, url="https://example.com", token="x")
