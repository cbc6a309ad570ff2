"""A password that is replaced while somebody is signing in with the old one."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import bcrypt
import pyotp
import pytest

from better_auth.endings import Change
from better_auth.events import SessionCreating, SignInFailed
from better_auth.plugins import (
    EmailPasswordPlugin,
    SessionManagementPlugin,
    TwoFactorPlugin,
    UsernamePlugin,
)
from tests.conftest import Site
from tests.support import PASSWORD, session_cookie, set_cookies


def reset_meanwhile(site: Site) -> None:
    """From now on a password is reset at the moment in which a session is about to be stored."""

    @site.auth.on(SessionCreating)
    async def reset(event: SessionCreating) -> None:
        await site.auth.users.give_password(event.user, "$argon2id$another")
        await site.auth.sessions.end_after(Change.PASSWORD_RESET, event.user.id)


@pytest.mark.parametrize("name", ["email", "username"])
def test_the_session_ends_with_the_others(site_with: Callable[..., Site], name: str) -> None:
    """ "a password that was replaced while it was checked: what ended the other sessions ends
    this one", and is answered as any wrong password."""
    site = site_with(plugins=[EmailPasswordPlugin(), UsernamePlugin(), SessionManagementPlugin()])
    browser = site.browser()
    user_id = browser.sign_up(username="ada").json()["user"]["id"]
    credentials = {"email": "ada@example.com", "username": "ada"}
    reset_meanwhile(site)
    body = {name: credentials[name], "password": PASSWORD}
    answer = site.browser().post(f"/sign-in/{name}", body)
    assert answer.status_code == 401
    assert answer.json()["code"] == f"INVALID_{name.upper()}_OR_PASSWORD"
    assert set_cookies(answer) == []
    assert site.run(site.auth.sessions.list_all_for(user_id)) == []


def test_no_second_factor_is_awaited(site_with: Callable[..., Site]) -> None:
    """The same where a second factor is due: no challenge comes of the old password."""
    plugin = TwoFactorPlugin()
    site = site_with(plugins=[EmailPasswordPlugin(), SessionManagementPlugin(), plugin])
    user = site.run(
        site.auth.users.create(
            name="Ada",
            email="ada@example.com",
            password_hash=bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode(),
            fields={"two_factor_enabled": True},
        )
    )
    assert set_cookies(site.browser().sign_in()) != [], "a challenge, as a rule"

    async def reset(*_: object) -> None:
        await site.auth.users.give_password(user, "$argon2id$another")

    site.auth.context.second_steps.append(reset)  # type: ignore[arg-type]
    site.auth.context.second_steps.reverse()
    answer = site.browser().sign_in()
    assert answer.status_code == 401
    assert set_cookies(answer) == []


def test_the_session_after_a_second_factor_ends_too(site_with: Callable[..., Site]) -> None:
    """ "Challenges" end with the password, also one whose code was right in that very moment."""
    site = site_with(plugins=[EmailPasswordPlugin(), SessionManagementPlugin(), TwoFactorPlugin()])
    browser = site.browser()
    user_id = browser.sign_up().json()["user"]["id"]
    enrolment = browser.post("/two-factor/enable", {"password": PASSWORD}).json()
    totp = pyotp.parse_uri(enrolment["totpURI"])
    assert isinstance(totp, pyotp.TOTP)
    confirmed = browser.post("/two-factor/verify-totp", {"code": totp.at(site.clock())})
    assert confirmed.status_code == 200
    site.clock.move(seconds=30)
    browser.sign_in()
    reset_meanwhile(site)
    answer = browser.post("/two-factor/verify-totp", {"code": totp.at(site.clock())})
    assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_TWO_FACTOR_COOKIE")
    assert session_cookie(answer) is None
    assert site.run(site.auth.sessions.list_all_for(user_id)) == []


def test_a_hash_upgraded_by_two_at_once(site: Site) -> None:
    """ "verified and upgraded at sign-in": whoever comes second in upgrading is let in, too."""
    failed: list[SignInFailed] = []
    site.auth.on(SignInFailed)(failed.append)
    old = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    site.user(password_hash=old)
    browsers = [site.browser() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda browser: browser.sign_in(), browsers))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert failed == []
