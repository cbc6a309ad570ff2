"""Signing in by username: one name, one user, and nothing told to who guesses."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyotp
import pytest

from better_auth import ConfigurationError
from better_auth.events import SignInFailed
from better_auth.plugins import (
    AdminPlugin,
    EmailPasswordPlugin,
    SessionManagementPlugin,
    TwoFactorPlugin,
    UserManagementPlugin,
    UsernamePlugin,
)
from tests.conftest import Site
from tests.support import PASSWORD, Browser, session_cookie

MakeSite = Callable[..., Site]


def plugins(**options: object) -> list[object]:
    """Passwords, sessions and usernames with ``options``."""
    return [EmailPasswordPlugin(), SessionManagementPlugin(), UsernamePlugin(**options)]  # type: ignore[arg-type]


@pytest.fixture
def named(site_with: MakeSite) -> Site:
    """A site with usernames."""
    return site_with(plugins=plugins())


def sign_in(browser: Browser, username: object = "ada", password: str = PASSWORD, **more: object):  # type: ignore[no-untyped-def]
    """Sign in by username."""
    body = {"username": username, "password": password, **more}
    return browser.post("/sign-in/username", body)


def test_the_walk(named: Site) -> None:
    """Sign up with a username, see whether it is to be had, sign in with it in any case."""
    browser = named.browser()
    assert browser.post("/is-username-available", {"username": "Ada.L"}).json() == {
        "available": True
    }
    signed_up = browser.sign_up(username="Ada.L").json()
    assert (signed_up["user"]["username"], signed_up["user"]["displayUsername"]) == (
        "ada.l",
        "Ada.L",
    )
    assert browser.post("/is-username-available", {"username": "aDA.l"}).json() == {
        "available": False
    }
    answer = sign_in(named.browser(), "ADA.l", callbackURL="/home")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["redirect"], body["url"]) == (True, "/home")
    assert body["user"] == signed_up["user"]
    assert body["token"].startswith("session_")
    cookie = session_cookie(answer)
    assert cookie is not None
    assert cookie["value"] == body["token"]
    short = session_cookie(sign_in(named.browser(), "ada.l", rememberMe=False))
    assert short is not None
    assert "max-age" not in short


@pytest.mark.parametrize(
    ("username", "code"),
    [
        ("", "USERNAME_TOO_SHORT"),
        ("ab", "USERNAME_TOO_SHORT"),
        ("a" * 31, "USERNAME_TOO_LONG"),
        ("ada lovelace", "INVALID_USERNAME"),
        ("ada@example.com", "INVALID_USERNAME"),
        ("аda", "INVALID_USERNAME"),
        ("ada\n", "INVALID_USERNAME"),
    ],
)
def test_what_is_no_username(named: Site, username: str, code: str) -> None:
    """Three to thirty of ``[a-zA-Z0-9_.]``; a look-alike letter is not one."""
    refused = named.browser().sign_up(username=username)
    assert (refused.status_code, refused.json()["code"]) == (400, code)
    assert named.browser().sign_up().status_code == 200, "nothing was stored"
    asked = named.browser().post("/is-username-available", {"username": username})
    assert (asked.status_code, asked.json()["code"]) == (422, code)
    if username:
        tried = sign_in(named.browser(), username)
        assert (tried.status_code, tried.json()["code"]) == (422, code)
    else:
        assert sign_in(named.browser(), username).status_code == 401


def test_two_letters_that_look_the_same_are_one_name(named: Site) -> None:
    """NFKC first: a full-width spelling is the same name, and taken."""
    named.browser().sign_up(username="ada")
    other = named.browser().sign_up("eve@example.com", username="ａｄａ")
    assert (other.status_code, other.json()["code"]) == (400, "USERNAME_IS_ALREADY_TAKEN")


def test_the_database_decides_who_has_a_name(named: Site) -> None:
    """Of many who ask for one name at once, one gets it; the others are told whose it is not."""

    def ask(number: int) -> tuple[int, str]:
        answer = named.browser().sign_up(f"user{number}@example.com", username="Ada")
        return answer.status_code, answer.json().get("code", "")

    with ThreadPoolExecutor(6) as pool:
        answers = sorted(pool.map(ask, range(6)))
    assert answers == [(200, ""), *[(400, "USERNAME_IS_ALREADY_TAKEN")] * 5]


def test_a_taken_address_is_told_as_that(named: Site) -> None:
    """A free name with a taken address is 422 as ever; users without a name do not collide."""
    assert named.browser().sign_up(username="ada").status_code == 200
    again = named.browser().sign_up(username="lovelace")
    assert (again.status_code, again.json()["code"]) == (422, "USER_ALREADY_EXISTS")
    for number in range(2):
        assert (
            named.browser().sign_up(f"none{number}@example.com").json()["user"]["username"] is None
        )


def test_a_display_name_that_is_a_username_becomes_it(named: Site) -> None:
    """Each name stands in for the other at sign-up."""
    user = named.browser().sign_up(displayUsername="Ada_L").json()["user"]
    assert (user["username"], user["displayUsername"]) == ("ada_l", "Ada_L")
    user = named.browser().sign_up("b@example.com", displayUsername="Ada Lovelace").json()["user"]
    assert (user["username"], user["displayUsername"]) == (None, "Ada Lovelace")
    user = named.browser().sign_up("c@example.com", username="ada", displayUsername="A!").json()
    assert (user["user"]["username"], user["user"]["displayUsername"]) == ("ada", "A!")


def test_changing_it_by_oneself(site_with: MakeSite) -> None:
    """``/update-user`` takes both names, asks the same of them, and clears by null."""
    site = site_with(plugins=[*plugins(), UserManagementPlugin()])
    site.user("other@example.com", fields={"username": "taken"})
    browser = site.browser()
    browser.sign_up(username="ada")
    changed = browser.post("/update-user", {"username": "Count.Ess", "displayUsername": "C."})
    assert changed.json() == {"status": True}
    user = browser.get("/get-session").json()["user"]
    assert (user["username"], user["displayUsername"]) == ("count.ess", "C.")
    for wrong, code in [("TAKEN", "USERNAME_IS_ALREADY_TAKEN"), ("x y z", "INVALID_USERNAME")]:
        refused = browser.post("/update-user", {"username": wrong})
        assert (refused.status_code, refused.json()["code"]) == (400, code)
    assert sign_in(site.browser(), "COUNT.ess").status_code == 200
    assert browser.post("/update-user", {"username": None}).status_code == 200
    assert browser.get("/get-session").json()["user"]["username"] is None


def test_changing_it(site_with: MakeSite) -> None:
    """Whoever changes a user asks the same questions; ``immutable`` lets nobody."""
    site, fixed = site_with(plugins=plugins()), site_with(plugins=plugins(immutable=True))
    site.user("other@example.com", fields={"username": "taken"})
    ada = site.user(fields={"username": "Ada"})
    users = site.auth.users
    renamed = site.run(users.update(ada, {"username": "Countess", "display_username": "C."}))
    assert (renamed.username, renamed.display_username) == ("countess", "C.")  # type: ignore[attr-defined]
    for wrong, code in [("TAKEN", "USERNAME_IS_ALREADY_TAKEN"), ("x", "USERNAME_TOO_SHORT")]:
        with pytest.raises(Exception, match="username") as caught:
            site.run(users.update(renamed, {"username": wrong}))
        assert caught.value.code == code  # type: ignore[attr-defined]
    assert site.run(users.update(renamed, {"username": "COUNTESS"})).username == "countess"  # type: ignore[attr-defined]
    ada = fixed.user(fields={"username": "ada"})
    for other in ("countess", None):
        with pytest.raises(Exception, match="cannot be changed") as caught:
            fixed.run(fixed.auth.users.update(ada, {"username": other}))
        assert caught.value.code == "USERNAME_IS_IMMUTABLE"  # type: ignore[attr-defined]
    fixed.run(fixed.auth.users.update(ada, {"username": "ADA", "name": "Countess"}))
    first = fixed.user("nameless@example.com")
    fixed.run(fixed.auth.users.update(first, {"username": "first"}))


def test_unknown_and_wrong_are_one_answer(named: Site) -> None:
    """ "same body & status for known/unknown", told apart only where the owner listens."""
    failures: list[SignInFailed] = []
    named.auth.on(SignInFailed)(failures.append)
    named.browser().sign_up(username="ada")
    nameless = named.user("nopassword@example.com", fields={"username": "nopassword"})
    answers = [
        sign_in(named.browser(), "ada", "wrong wrong"),
        sign_in(named.browser(), "nobody"),
        sign_in(named.browser(), "nopassword"),
        sign_in(named.browser(), ""),
        sign_in(named.browser(), "ada", "x" * 5_000),
    ]
    assert {(a.status_code, a.text, a.headers.get("set-cookie")) for a in answers} == {
        (
            401,
            '{"code":"INVALID_USERNAME_OR_PASSWORD","message":"Invalid username or password"}',
            None,
        )
    }
    assert [(f.method, f.reason) for f in failures[:2]] == [
        ("username", "wrong password"),
        ("username", "unknown user"),
    ]
    assert failures[2].user_id == nameless.id


def test_in_the_same_time(named: Site) -> None:
    """ "dummy hash": an unknown name, and one without a password, cost one hash as a known does."""
    named.browser().sign_up(username="ada")
    named.user("nopassword@example.com", fields={"username": "nopassword"})
    passwords, hashed = named.auth.context.passwords, list[str]()
    verify, pretend = passwords.verify, passwords.pretend

    async def counted(password: str, password_hash: str) -> Any:
        hashed.append("verified")
        return await verify(password, password_hash)

    async def pretended(password: str) -> None:
        hashed.append("pretended")
        await pretend(password)

    passwords.verify, passwords.pretend = counted, pretended  # type: ignore[method-assign]
    for username in ("ada", "nobody", "nopassword"):
        assert sign_in(named.browser(), username, "wrong wrong").status_code == 401
    assert hashed == ["verified", "pretended", "pretended"]


def test_an_unverified_address(site_with: MakeSite) -> None:
    """What ``EmailPasswordPlugin`` asks of an address, no other way in goes around."""
    chosen = [
        UsernamePlugin(),
        EmailPasswordPlugin(require_email_verification=True),
        SessionManagementPlugin(),
    ]
    site = site_with(plugins=chosen)
    site.browser().sign_up(username="ada")
    answer = sign_in(site.browser())
    assert (answer.status_code, answer.json()["code"]) == (403, "EMAIL_NOT_VERIFIED")
    assert sign_in(site.browser(), password="wrong wrong").status_code == 401
    user = site.run(site.auth.users.find_by_email("ada@example.com"))
    assert user is not None
    site.run(site.auth.users.update(user, {"email_verified": True}))
    assert sign_in(site.browser()).status_code == 200


def test_a_second_factor_is_asked_for(site_with: MakeSite) -> None:
    """ "goes through second_step": no session before it (GHSA-xg6x-h9c9-2m83)."""
    site = site_with(plugins=[*plugins(), TwoFactorPlugin()])
    browser = site.browser()
    browser.sign_up(username="ada")
    enrolment = browser.post("/two-factor/enable", {"password": PASSWORD}).json()
    secret = enrolment["totpURI"].partition("secret=")[2].partition("&")[0]
    code = pyotp.TOTP(secret).at(site.clock())
    assert browser.post("/two-factor/verify-totp", {"code": code}).status_code == 200
    other = site.browser()
    answer = sign_in(other)
    assert answer.json()["twoFactorRedirect"] is True
    assert session_cookie(answer) is None
    assert other.get("/get-session").status_code == 401
    site.clock.move(seconds=31)
    done = other.post("/two-factor/verify-totp", {"code": pyotp.TOTP(secret).at(site.clock())})
    assert done.status_code == 200
    assert other.get("/get-session").status_code == 200


def test_a_banned_user(site_with: MakeSite) -> None:
    """ "refused with 403 BANNED_USER ... by whatever way they come"."""
    site = site_with(plugins=[*plugins(), AdminPlugin()])
    browser = site.browser()
    user_id = browser.sign_up(username="ada").json()["user"]["id"]
    user = site.run(site.auth.users.find(user_id))
    assert user is not None
    site.run(site.auth.users.update(user, {"banned": True}))
    answer = sign_in(site.browser())
    assert (answer.status_code, answer.json()["code"]) == (403, "BANNED_USER")


def test_another_site_may_not_sign_in(named: Site) -> None:
    """ "untrusted Origin, no cookie -> 403", and an untrusted callbackURL, too."""
    named.browser().sign_up(username="ada")
    body = {"username": "ada", "password": PASSWORD}
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = named.client().post("/sign-in/username", json=body, headers=headers)
        assert answer.status_code == 403
    answer = sign_in(named.browser(), callbackURL="https://evil.example")
    assert (answer.status_code, answer.json()["code"]) == (403, "INVALID_CALLBACK_URL")


def test_signing_in_is_limited(site_with: MakeSite) -> None:
    """ "sign-in and sign-up 3 per 10 s" holds for this door, too."""
    site = site_with(plugins=plugins(), rate_limit={})
    statuses = [sign_in(site.browser(), "ab").status_code for _ in range(4)]
    assert statuses == [422, 422, 422, 429]


def test_options(site_with: MakeSite) -> None:
    """Own lengths, characters and spelling; no telling which names are taken."""
    site = site_with(
        plugins=plugins(
            min_length=1,
            max_length=5,
            validator=str.isalpha,
            normalize=str.upper,
            display_validator=lambda text: "!" not in text,
            enable_availability_check=False,
        )
    )
    assert site.browser().sign_up(username="é").json()["user"]["username"] == "É"
    assert sign_in(site.browser(), "é").status_code == 200
    refused = site.browser().sign_up("b@example.com", username="bob", displayUsername="bob!")
    assert refused.json()["code"] == "INVALID_DISPLAY_USERNAME"
    assert site.browser().sign_up("b@example.com", username="bobbob").json()["code"] == (
        "USERNAME_TOO_LONG"
    )
    assert site.client().post("/is-username-available", json={"username": "x"}).status_code == 404
    with pytest.raises(ConfigurationError, match="min_length"):
        UsernamePlugin(min_length=9, max_length=8)
