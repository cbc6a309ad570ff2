"""``/sign-up/email`` and ``/sign-in/email``: bodies, options, refusals."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from better_auth.events import SignInFailed
from better_auth.plugins import EmailPasswordPlugin, SessionManagementPlugin
from tests.conftest import Site, open_site
from tests.support import PASSWORD, MovableClock, bearer, session_cookie, set_cookies

USER_KEYS = {"id", "name", "email", "emailVerified", "image", "createdAt", "updatedAt"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Site]:
    """One application for the tests that do not mind who else has signed up."""
    with ExitStack() as stack:
        yield open_site(stack, MovableClock())


def with_options(site_with: Callable[..., Site], **options: Any) -> Site:
    """An application whose e-mail sign-in has these options."""
    return site_with(plugins=[EmailPasswordPlugin(**options), SessionManagementPlugin()])


def test_sign_up(site: Site) -> None:
    """ "`POST /sign-up/email` {name, email, password, image?, rememberMe?, callbackURL?} -> 200
    `{token, user}`"."""
    body = {
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "password": PASSWORD,
        "image": "https://example.com/ada.png",
        "rememberMe": True,
        "callbackURL": "/welcome",
    }
    answer = site.client().post("/sign-up/email", json=body)
    assert answer.status_code == 200
    assert answer.json().keys() == {"token", "user"}
    user = answer.json()["user"]
    assert user == {
        "id": user["id"],
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "emailVerified": False,
        "image": "https://example.com/ada.png",
        "createdAt": "2024-01-01T00:00:00.000Z",
        "updatedAt": "2024-01-01T00:00:00.000Z",
    }
    current = site.client().get("/get-session", headers=bearer(answer.json()["token"])).json()
    assert current["user"] == user


def test_sign_in(site: Site) -> None:
    """ "`POST /sign-in/email` {email, password, rememberMe?, callbackURL?} -> 200 `{redirect:
    false, token, url: null, user}`"."""
    user = site.browser().sign_up().json()["user"]
    body = {"email": "ada@example.com", "password": PASSWORD}
    answer = site.client().post("/sign-in/email", json=body)
    assert answer.status_code == 200
    token = answer.json()["token"]
    assert answer.json() == {"redirect": False, "token": token, "url": None, "user": user}
    current = site.client().get("/get-session", headers=bearer(token)).json()
    assert current["user"] == user


def test_sign_in_with_a_callback(site: Site) -> None:
    """ "callbackURL? ... `{redirect: false, ... url: null}`": where to go next is said, never
    gone to by the endpoint itself."""
    browser = site.browser()
    browser.sign_up()
    answer = browser.sign_in(callbackURL="/dashboard")
    assert answer.status_code == 200
    assert (answer.json()["redirect"], answer.json()["url"]) == (True, "/dashboard")
    assert "location" not in answer.headers


@pytest.mark.parametrize("path", ["/sign-up/email", "/sign-in/email"])
@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/%2fevil.example",
        "javascript:alert(1)",
        "https://trusted.example.evil.example",
        "https://trusted.example@evil.example",
        "http://trusted.example",
        "",
    ],
)
def test_callbacks_only_to_trusted_origins(shared_with_origin: Site, path: str, url: str) -> None:
    """ "callbackURL only to trusted origins"; nobody is signed up or in by the attempt."""
    body = {"name": "M", "email": "m@example.com", "password": PASSWORD, "callbackURL": url}
    answer = shared_with_origin.client().post(path, json=body)
    assert answer.status_code == 403
    assert answer.json()["code"] == "INVALID_CALLBACK_URL"
    assert "callbackURL" in answer.json()["message"]
    users = shared_with_origin.auth.users
    assert shared_with_origin.run(users.find_by_email("m@example.com")) is None


@pytest.fixture(scope="module")
def shared_with_origin() -> Iterator[Site]:
    """One application that trusts one more origin."""
    with ExitStack() as stack:
        yield open_site(stack, MovableClock(), trusted_origins=["https://trusted.example"])


@pytest.mark.parametrize(
    "url", ["https://trusted.example/next?a=1", "https://trusted.example", "/next", "/a/b?c=d#e"]
)
def test_callbacks_to_trusted_origins(shared_with_origin: Site, url: str) -> None:
    """ "callbackURL only to trusted origins": to those, and to paths of the site itself."""
    site = shared_with_origin
    if site.run(site.auth.users.find_by_email("ada@example.com")) is None:
        site.browser().sign_up()
    answer = site.browser().sign_in(callbackURL=url)
    assert answer.status_code == 200
    assert answer.json()["url"] == url


@pytest.mark.parametrize("path", ["/sign-up/email", "/sign-in/email"])
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": None}, "email"),
        ({"email": 7}, "email"),
        ({"email": ["a@example.com"]}, "email"),
        ({"password": None}, "password"),
        ({"password": 12345678}, "password"),
        ({"rememberMe": "false"}, "rememberMe"),
        ({"rememberMe": 0}, "rememberMe"),
        ({"callbackURL": 1}, "callbackURL"),
    ],
)
def test_a_wrong_type_is_named(shared: Site, path: str, change: dict[str, Any], field: str) -> None:
    """ "415 / 400 for what is not the JSON object expected, naming the field"."""
    body = {"name": "A", "email": "types@example.com", "password": PASSWORD, **change}
    answer = shared.client().post(path, json=body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "VALIDATION_ERROR"
    assert f"body.{field}" in answer.json()["message"]
    assert set_cookies(answer) == []


@pytest.mark.parametrize("missing", ["name", "email", "password"])
def test_a_missing_field_is_named(shared: Site, missing: str) -> None:
    """ "{name, email, password, ...}": these three are required."""
    body = {"name": "A", "email": "missing@example.com", "password": PASSWORD}
    del body[missing]
    answer = shared.client().post("/sign-up/email", json=body)
    assert answer.status_code == 400
    assert f"body.{missing}" in answer.json()["message"]


@pytest.mark.parametrize(
    "email",
    [
        "plain",
        "a@",
        "@b.com",
        "a b@c.com",
        "a@b@c.com",
        "a@example.com\n",
        "a@exa mple.com",
        "x" * 300,
    ],
)
@pytest.mark.parametrize("path", ["/sign-up/email", "/sign-in/email"])
def test_what_is_no_address(shared: Site, path: str, email: str) -> None:
    """ "400 for what is not the JSON object expected, naming the field": an address is one."""
    body = {"name": "A", "email": email, "password": PASSWORD}
    answer = shared.client().post(path, json=body)
    assert answer.status_code == 400
    assert "email" in answer.json()["message"]


def test_what_a_client_may_not_set(site: Site) -> None:
    """ "{name, email, password, image?, rememberMe?, callbackURL?}": nothing else of the user can
    be set by signing up."""
    answer = site.browser().sign_up(
        id="00000000-0000-4000-8000-000000000000",
        emailVerified=True,
        createdAt="1999-01-01T00:00:00.000Z",
        role="admin",
    )
    assert answer.status_code == 200
    user = answer.json()["user"]
    assert user.keys() == USER_KEYS
    assert user["id"] != "00000000-0000-4000-8000-000000000000"
    assert user["emailVerified"] is False
    assert user["createdAt"] == "2024-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    "again",
    [
        "ada@example.com",
        "ADA@EXAMPLE.COM",
        "Ada@Example.com",
        "\uff41\uff44\uff41@example.com",
        "ada\uff20example.com",
        "ada@\u24d4xample.com",
    ],
)
def test_one_address_one_user(shared: Site, again: str) -> None:
    """ "E-mail is NFKC-normalised and compared case-insensitively", and "Duplicate: 422
    `USER_ALREADY_EXISTS`"."""
    first = shared.browser().sign_up("ada@example.com")
    assert first.status_code in (200, 422)
    browser = shared.browser()
    answer = browser.sign_up(again)
    assert answer.status_code == 422
    assert answer.json()["code"] == "USER_ALREADY_EXISTS"
    assert set_cookies(answer) == []
    assert browser.sign_in(again).json()["user"]["email"] == "ada@example.com"


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("GRACE@Example.COM", "grace@example.com"),
        ("\uff27race1@example.com", "grace1@example.com"),
        ("\u212aelvin@example.com", "kelvin@example.com"),
        ("J\u00d6RG@example.com", "j\u00f6rg@example.com"),
        ("Jo\u0308rg2@example.com", "j\u00f6rg2@example.com"),
    ],
)
def test_addresses_are_stored_normalised(shared: Site, typed: str, stored: str) -> None:
    """ "E-mail is NFKC-normalised and compared case-insensitively"."""
    answer = shared.browser().sign_up(typed)
    assert answer.status_code == 200
    assert answer.json()["user"]["email"] == stored
    assert shared.browser().sign_in(stored.upper()).status_code == 200


def test_passwords_are_normalised_too(site: Site) -> None:
    """ "NFKC-normalised": a password typed composed on one keyboard and decomposed on another is
    one password, while its case counts."""
    site.browser().sign_up(password="J\u00f6rg's password")
    assert site.browser().sign_in(password="Jo\u0308rg's password").status_code == 200
    assert site.browser().sign_in(password="j\u00f6rg's password").status_code == 401


def error(answer: httpx.Response) -> tuple[int, str, set[str]]:
    """All that one refusal could tell apart from another."""
    return answer.status_code, answer.text, set(answer.headers) - {"date"}


def test_the_same_401(site: Site) -> None:
    """ "Unknown e-mail and wrong password: the same 401 ..."."""
    site.browser().sign_up()
    site.user("no-password@example.com")
    browser = site.browser()
    wrong = browser.sign_in(password="wrong password")
    assert wrong.status_code == 401
    assert wrong.json()["code"] == "INVALID_EMAIL_OR_PASSWORD"
    assert wrong.json().keys() == {"code", "message"}
    unknown = browser.sign_in("unknown@example.com")
    without = browser.sign_in("no-password@example.com")
    assert error(unknown) == error(wrong) == error(without)
    for length in (0, 1, 7, 129, 100_000):
        assert error(browser.sign_in(password="x" * length)) == error(wrong)
        assert error(browser.sign_in("unknown@example.com", password="x" * length)) == error(wrong)


def test_in_the_same_time(site: Site) -> None:
    """ "Unknown e-mail and wrong password: the same 401 in the same time": the fastest of several
    attempts each, taken in turns, in processor time of this process, which is client and server,
    so that what else the machine does is left out."""
    site.browser().sign_up()
    site.user("no-password@example.com")
    browser = site.browser()
    fastest: dict[str, float] = {}
    for _ in range(15):
        for who in ("ada", "unknown", "no-password"):
            before = time.process_time()
            answer = browser.sign_in(f"{who}@example.com", password="wrong password")
            taken = time.process_time() - before
            assert answer.status_code == 401
            fastest[who] = min(taken, fastest.get(who, taken))
    assert 0.7 < fastest["unknown"] / fastest["ada"] < 1.4
    assert 0.7 < fastest["no-password"] / fastest["ada"] < 1.4


def test_a_failed_sign_in_is_told_to_handlers(site: Site) -> None:
    """ "Typed events": who failed to get in, where from, and why, which the client is not told."""
    heard: list[SignInFailed] = []
    site.auth.events.add(SignInFailed, heard.append)
    user = site.browser().sign_up().json()["user"]
    browser = site.browser()
    browser.http.headers["User-Agent"] = "Prober"
    browser.sign_in(password="wrong password")
    browser.sign_in("unknown@example.com")
    assert [(e.user_id, e.ip_address, e.user_agent) for e in heard] == [
        (user["id"], "127.0.0.1", "Prober"),
        (None, "127.0.0.1", "Prober"),
    ]


def test_enable_signup(site_with: Callable[..., Site]) -> None:
    """ "Options `enable_signup`": off, nobody signs up and who has an account still signs in."""
    site = with_options(site_with, enable_signup=False)
    answer = site.browser().sign_up()
    assert answer.status_code == 400
    assert answer.json()["code"] == "SIGN_UP_DISABLED"
    assert site.run(site.auth.users.find_by_email("ada@example.com")) is None
    password_hash = site.run(site.auth.context.passwords.hash(PASSWORD))
    site.user(password_hash=password_hash)
    assert site.browser().sign_in().status_code == 200


def test_require_email_verification(site_with: Callable[..., Site]) -> None:
    """ "Options ... `require_email_verification`": no session before the address is verified, and
    a wrong password learns nothing about that."""
    site = with_options(site_with, require_email_verification=True)
    browser = site.browser()
    signed_up = browser.sign_up()
    assert signed_up.status_code == 200
    assert signed_up.json()["token"] is None
    assert set_cookies(signed_up) == []
    refused = browser.sign_in()
    assert refused.status_code == 403
    assert refused.json()["code"] == "EMAIL_NOT_VERIFIED"
    assert set_cookies(refused) == []
    assert browser.sign_in(password="wrong password").status_code == 401
    user = site.run(site.auth.users.find_by_email("ada@example.com"))
    assert user is not None
    site.run(site.auth.users.update(user, {"email_verified": True}))
    assert browser.sign_in().json()["user"]["emailVerified"] is True


def test_auto_sign_in(site_with: Callable[..., Site]) -> None:
    """ "Options ... `auto_sign_in`": off, signing up is that and no more."""
    site = with_options(site_with, auto_sign_in=False)
    browser = site.browser()
    answer = browser.sign_up()
    assert answer.status_code == 200
    assert answer.json()["token"] is None
    assert answer.json()["user"].keys() == USER_KEYS
    assert session_cookie(answer) is None
    assert browser.get("/get-session").status_code == 401
    assert browser.sign_in().status_code == 200


@pytest.mark.parametrize(
    ("length", "status"), [(0, 400), (7, 400), (8, 200), (128, 200), (129, 400), (5000, 400)]
)
def test_password_lengths(shared: Site, length: int, status: int) -> None:
    """ "`password_min_length` 8, `password_max_length` 128"."""
    email = f"length{length}@example.com"
    answer = shared.browser().sign_up(email, password="p" * length)
    assert answer.status_code == status
    if status == 400:
        expected = "PASSWORD_TOO_SHORT" if length < 8 else "PASSWORD_TOO_LONG"
        assert answer.json()["code"] == expected
        assert "password" in answer.json()["message"]
        assert "ppp" not in answer.json()["message"]
    else:
        browser = shared.browser()
        assert browser.sign_in(email, password="p" * length).status_code == 200
        assert browser.sign_in(email, password="p" * (length + 1)).status_code == 401


def test_password_lengths_are_options(site_with: Callable[..., Site]) -> None:
    """ "Options ... `password_min_length`, `password_max_length`", in characters, not bytes."""
    site = with_options(site_with, password_min_length=12, password_max_length=13)
    for length, status in ((11, 400), (12, 200), (13, 200), (14, 400)):
        answer = site.browser().sign_up(f"u{length}@example.com", password="\u00f6" * length)
        assert answer.status_code == status


def test_a_password_is_never_cut(site: Site) -> None:
    """ "`password_max_length` 128": all of it counts; nothing is dropped after 72 bytes."""
    long = "p" * 127
    site.browser().sign_up(password=long + "a")
    assert site.browser().sign_in(password=long + "b").status_code == 401
    assert site.browser().sign_in(password=long + "a").status_code == 200


def test_no_answer_holds_a_hash(site: Site) -> None:
    """ "-> 200 `{token, user}`": and no more, under whatever name."""
    browser = site.browser()
    answers = [browser.sign_up(), browser.sign_in(), browser.get("/get-session")]
    for answer in answers:
        assert "argon2" not in answer.text
        assert "password" not in answer.text.lower()
