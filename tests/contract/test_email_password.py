"""Sign-up and sign-in with e-mail address and password."""

import hashlib
from collections.abc import Callable

import argon2
import bcrypt
import pytest

from better_auth.events import SignInFailed
from better_auth.plugins import EmailPasswordPlugin, SessionManagementPlugin
from tests.conftest import Site
from tests.support import PASSWORD

MakeSite = Callable[..., Site]


def test_bodies(site: Site) -> None:
    """Sign-up answers {token, user}; sign-in {redirect: false, token, url: null, user}."""
    made = site.browser().sign_up(image="https://example.com/a.png")
    assert made.status_code == 200
    assert list(made.json()) == ["token", "user"]
    user = made.json()["user"]
    assert list(user) == [
        "id",
        "name",
        "email",
        "emailVerified",
        "image",
        "createdAt",
        "updatedAt",
    ]
    assert (user["emailVerified"], user["image"]) == (False, "https://example.com/a.png")
    found = site.browser().sign_in()
    assert found.json() == {
        "redirect": False,
        "token": found.json()["token"],
        "url": None,
        "user": user,
    }
    led = site.browser().sign_in(callbackURL="/home").json()
    assert (led["redirect"], led["url"]) == (True, "/home")


def test_duplicate(site: Site) -> None:
    """Duplicate: 422 USER_ALREADY_EXISTS; addresses are compared NFKC-normalised, case ignored."""
    assert site.browser().sign_up().status_code == 200
    for same in ("ada@example.com", "ADA@Example.com", "ａｄａ＠example.com"):
        answer = site.browser().sign_up(same)
        assert (answer.status_code, answer.json()["code"]) == (422, "USER_ALREADY_EXISTS"), same
    assert site.browser().sign_in("Ada@EXAMPLE.com").status_code == 200


def test_wrong_password_and_unknown_address_look_the_same(site: Site) -> None:
    """ "Unknown e-mail and wrong password: the same 401 in the same time"."""
    failures: list[SignInFailed] = []
    site.auth.on(SignInFailed)(failures.append)
    site.browser().sign_up()
    wrong = site.browser().post(
        "/sign-in/email", {"email": "ada@example.com", "password": "wrong password"}
    )
    unknown = site.browser().post(
        "/sign-in/email", {"email": "bob@example.com", "password": "wrong password"}
    )
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert wrong.json()["code"] == "INVALID_EMAIL_OR_PASSWORD"
    assert "set-cookie" not in wrong.headers
    assert [f.reason for f in failures] == ["wrong password", "unknown user"]


def test_unknown_address_costs_a_hash(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown address does the same hashing work as a known one."""
    checked: list[str] = []
    hasher = site.auth.context.passwords._argon2
    verify = hasher.verify
    monkeypatch.setattr(
        type(hasher),
        "verify",
        lambda self, stored, password: (checked.append(stored), verify(stored, password))[1],
    )
    site.browser().post("/sign-in/email", {"email": "no@example.com", "password": PASSWORD})
    assert len(checked) == 1
    assert checked[0].startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize(
    ("password", "code"), [("seven77", "PASSWORD_TOO_SHORT"), ("x" * 129, "PASSWORD_TOO_LONG")]
)
def test_password_length(site: Site, password: str, code: str) -> None:
    """password_min_length 8, password_max_length 128."""
    answer = site.browser().sign_up(password=password)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert site.browser().sign_up(password=password[:8].ljust(8, "x")).status_code == 200


@pytest.mark.parametrize(
    "email", ["nope", "a@", "@b.example", "a b@example.com", "a@exa mple.com", "nl@example.com\n"]
)
def test_invalid_address(site: Site, email: str) -> None:
    """What is no e-mail address is refused, by name."""
    answer = site.browser().sign_up(email)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_EMAIL")


def test_enable_signup(site_with: MakeSite) -> None:
    """enable_signup off: nobody signs up."""
    site = site_with(plugins=[EmailPasswordPlugin(enable_signup=False)])
    answer = site.browser().sign_up()
    assert (answer.status_code, answer.json()["code"]) == (400, "SIGN_UP_DISABLED")


def test_auto_sign_in(site_with: MakeSite) -> None:
    """auto_sign_in off: sign-up makes a user and no session."""
    site = site_with(plugins=[EmailPasswordPlugin(auto_sign_in=False), SessionManagementPlugin()])
    answer = site.browser().sign_up()
    assert answer.json()["token"] is None
    assert "set-cookie" not in answer.headers
    assert site.browser().sign_in().status_code == 200


def test_require_email_verification(site_with: MakeSite) -> None:
    """require_email_verification: 403 at sign-in until the address is verified."""
    site = site_with(plugins=[EmailPasswordPlugin(require_email_verification=True)])
    answer = site.browser().sign_up()
    assert answer.json()["token"] is None
    refused = site.browser().sign_in()
    assert (refused.status_code, refused.json()["code"]) == (403, "EMAIL_NOT_VERIFIED")

    async def verify() -> None:
        user = await site.auth.users.find_by_email("ada@example.com")
        assert user is not None
        await site.auth.users.update(user, {"email_verified": True})

    site.run(verify())
    assert site.browser().sign_in().status_code == 200


def _scrypt(password: str) -> str:
    salt = "00112233445566778899aabbccddeeff"
    key = hashlib.scrypt(
        password.encode(), salt=salt.encode(), n=16384, r=16, p=1, dklen=64, maxmem=2**26
    )
    return f"{salt}:{key.hex()}"


@pytest.mark.parametrize(
    "make",
    [
        _scrypt,
        lambda p: bcrypt.hashpw(p.encode(), bcrypt.gensalt(4)).decode(),
        argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=2).hash,
    ],
    ids=["scrypt", "bcrypt", "argon2"],
)
def test_hashes_from_elsewhere_are_upgraded(site: Site, make: Callable[[str], str]) -> None:
    """Other parameters, scrypt and bcrypt are verified, and upgraded at sign-in."""
    user = site.user(password_hash=make(PASSWORD))
    wrong = {"email": user.email, "password": "wrong password"}
    assert site.browser().post("/sign-in/email", wrong).status_code == 401
    assert site.browser().sign_in().status_code == 200
    account = site.run(site.auth.users.credential(user.id))
    assert account is not None
    assert str(account.password_hash).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert site.browser().sign_in().status_code == 200


def test_password_is_normalised(site: Site) -> None:
    """One password typed on two keyboards (composed or not) is the same password."""
    site.browser().sign_up(password="re\u0301sume\u0301 1234")
    assert site.browser().sign_in(password="r\u00e9sum\u00e9 1234").status_code == 200
