"""Codes sent to an address: few attempts, bound to address and purpose, told to nobody else."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Annotated, Any

import httpx
import pyotp
import pytest
from pydantic import Field

from better_auth import ConfigurationError, ReadOnly, User, Verification
from better_auth.models import Account
from better_auth.plugins import (
    EmailOtpPlugin,
    TwoFactorPlugin,
    UsernamePlugin,
)
from tests.conftest import Site
from tests.mailbox import Letters
from tests.support import PASSWORD, bearer, session_cookie

ADA = "ada@example.com"


class Mailing(Letters):
    """A site that sends codes, and the letters it sent."""

    def code(self, email: str = ADA, type: str = "sign-in") -> str:
        """A code that was sent."""
        answer = self.post("/email-otp/send-verification-otp", email=email, type=type)
        assert answer.json() == {"success": True}, answer.text
        code = self.letters[-1].code
        assert code is not None
        return code

    def sign_in(self, otp: str, email: str = ADA, **more: Any) -> httpx.Response:
        """Sign in with a code."""
        return self.post("/sign-in/email-otp", email=email, otp=otp, **more)

    def user(self, email: str = ADA) -> User:
        """The user with this address."""
        user = self.site.run(self.site.auth.users.find_by_email(email))
        assert user is not None
        return user


@pytest.fixture
def make(site_with: Callable[..., Site]) -> Callable[..., Mailing]:
    """Makes a site whose codes have options."""
    return Mailing.maker(site_with, EmailOtpPlugin)


@pytest.fixture
def mailing(make: Callable[..., Mailing]) -> Mailing:
    """A site that sends codes."""
    return make()


def wrong(code: str) -> str:
    """Another code."""
    return str((int(code) + 1) % 10**6).zfill(6)


def refused(answer: httpx.Response, status: int, code: str) -> None:
    """Not signed in, for this reason."""
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert session_cookie(answer) is None


def test_signing_up_and_in(mailing: Mailing) -> None:
    """ "{token, user}" and the cookie; whoever is new is made, verified, and called as they
    said."""
    code = mailing.code("Ada@Example.com")
    assert len(code) == 6
    assert code.isdigit()
    assert (mailing.letters[-1].kind, mailing.letters[-1].to) == ("sign-in-code", ADA)
    answer = mailing.sign_in(f" {code[:3]} {code[3:]}", name="Ada L", image="https://a.example/i")
    body = answer.json()
    assert body.keys() == {"token", "user"}
    assert (body["user"]["name"], body["user"]["emailVerified"]) == ("Ada L", True)
    cookie = session_cookie(answer)
    assert cookie is not None
    assert cookie["value"] == body["token"]
    again = mailing.sign_in(mailing.code(), rememberMe=False)
    assert again.json()["user"]["id"] == body["user"]["id"]
    assert "max-age" not in (session_cookie(again) or {})


class Member(User):
    """A user of an application with fields of its own."""

    plan: Annotated[str, ReadOnly()] = "free"
    nickname: str | None = Field(default=None, max_length=20)


@pytest.mark.parametrize("wire", ["native", "javascript"])
def test_own_fields(make: Callable[..., Mailing], wire: str) -> None:
    """ "``name``, ``image`` and an application's own ``User`` fields are for whoever is new": they
    are checked, those that are read-only are nobody's to set, and who is there keeps theirs."""
    mailing = make(UsernamePlugin(), settings={"user_model": Member, "wire": wire})
    answer = mailing.sign_in("000000", nickname="x" * 21)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    answer = mailing.sign_in(mailing.code(), nickname="Countess", plan="pro", username="Ada.L")
    user = answer.json()["user"]
    assert (user["nickname"], user["plan"], user["username"]) == ("Countess", "free", "ada.l")
    answer = mailing.sign_in(mailing.code(), nickname="Duchess")
    assert answer.json()["user"]["nickname"] == "Countess"


def test_once(mailing: Mailing) -> None:
    """ "OTP reuse by race": of many who send the right code, one signs in."""
    code = mailing.code()
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: mailing.sign_in(code), range(3)))
    assert sorted(answer.status_code for answer in answers)[0] == 200
    assert len([answer for answer in answers if answer.status_code == 200]) == 1
    refused(mailing.sign_in(code), 400, "INVALID_OTP")


def test_three_attempts(mailing: Mailing) -> None:
    """ "attempts counted atomically": after three wrong ones the right one is too late, and
    "not refilled by resending"."""
    code = mailing.code()
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: mailing.sign_in(wrong(code)), range(6)))
    codes = sorted(answer.json()["code"] for answer in answers)
    assert codes == ["INVALID_OTP"] * 3 + ["TOO_MANY_ATTEMPTS"] * 3
    refused(mailing.sign_in(code), 403, "TOO_MANY_ATTEMPTS")
    refused(mailing.sign_in(mailing.code()), 403, "TOO_MANY_ATTEMPTS")
    mailing.site.clock.move(minutes=15)
    assert mailing.sign_in(mailing.code()).status_code == 200


def test_no_stranger_locks_out_who_was_here_before(mailing: Mailing) -> None:
    """Whoever knows an address can use up its mail and its attempts. A browser in which a code was
    right before has its own, of either, and as few."""
    owner = mailing.site.browser()
    mailing.sign_in(mailing.code(), browser=owner)
    owner.post("/sign-out")
    send = "/email-otp/send-verification-otp"
    for _ in range(5):
        mailing.post(send, email=ADA, type="sign-in")
    for _ in range(4):
        mailing.sign_in("000000")
    before = len(mailing.letters)
    mailing.post(send, email=ADA, type="sign-in")
    assert len(mailing.letters) == before
    refused(mailing.sign_in("000000"), 403, "TOO_MANY_ATTEMPTS")

    mailing.post(send, owner, email=ADA, type="sign-in")
    assert len(mailing.letters) == before + 1
    code = mailing.letters[-1].code
    assert code is not None
    refused(mailing.sign_in(code), 403, "TOO_MANY_ATTEMPTS")
    refused(mailing.sign_in(wrong(code), browser=owner), 400, "INVALID_OTP")
    assert mailing.sign_in(code, browser=owner).status_code == 200
    refused(mailing.sign_in(code, browser=owner), 400, "INVALID_OTP")

    mailing.post(send, owner, email=ADA, type="sign-in")
    code = mailing.letters[-1].code
    assert code is not None
    for _ in range(3):
        mailing.sign_in(wrong(code), browser=owner)
    refused(mailing.sign_in(code, browser=owner), 403, "TOO_MANY_ATTEMPTS")


def test_a_known_browser_is_known_for_its_address_alone(mailing: Mailing) -> None:
    """Its cookie says nothing of another address, made up or somebody else's; and what it asked
    for elsewhere it may use as everybody."""
    eve, owner = mailing.site.browser(), mailing.site.browser()
    mailing.sign_in(mailing.code("eve@example.com"), "eve@example.com", browser=eve)
    mailing.sign_in(mailing.code(), browser=owner)
    assert mailing.sign_in(mailing.code(), browser=owner).status_code == 200
    for _ in range(3):
        mailing.sign_in(wrong(mailing.code()))
    refused(mailing.sign_in(mailing.letters[-1].code or "", browser=eve), 403, "TOO_MANY_ATTEMPTS")
    eve.http.cookies.set("better-auth.email-code", "0" * 64, domain="127.0.0.1", path="/")
    refused(mailing.sign_in(mailing.letters[-1].code or "", browser=eve), 403, "TOO_MANY_ATTEMPTS")


def test_five_minutes(mailing: Mailing) -> None:
    """Good until five minutes are over; told only to who has the right one."""
    code = mailing.code()
    mailing.site.clock.move(minutes=5)
    refused(mailing.sign_in(wrong(code)), 400, "INVALID_OTP")
    refused(mailing.sign_in(code), 400, "OTP_EXPIRED")
    code = mailing.code()
    mailing.site.clock.move(minutes=4, seconds=59)
    assert mailing.sign_in(code).status_code == 200


def test_bound_to_address_and_purpose(mailing: Mailing) -> None:
    """ "codes bound to e-mail and type": one door's code opens no other, one address's no
    other's."""
    for email in (ADA, "eve@example.com"):
        mailing.site.user(email, email_verified=True)
    code = mailing.code("eve@example.com")
    mailing.code()
    refused(mailing.sign_in(code), 400, "INVALID_OTP")
    reset = mailing.code(type="forget-password")
    refused(mailing.sign_in(reset), 400, "INVALID_OTP")
    refused(mailing.post("/email-otp/verify-email", email=ADA, otp=reset), 400, "INVALID_OTP")
    body = {"email": ADA, "otp": mailing.code(), "password": "another password"}
    refused(mailing.post("/email-otp/reset-password", **body), 400, "INVALID_OTP")


def test_the_last_code_counts(mailing: Mailing) -> None:
    """Another code voids the one before."""
    first = mailing.code()
    second = mailing.code()
    if first != second:
        refused(mailing.sign_in(first), 400, "INVALID_OTP")
    assert mailing.sign_in(second).status_code == 200


@pytest.mark.parametrize("type", ["sign-in", "email-verification", "forget-password"])
def test_nobody_is_told_who_is_here(make: Callable[..., Mailing], type: str) -> None:
    """ "user enumeration by status/shape": a stranger's address is answered alike when asked, tried
    and tried too often; only no mail goes there."""
    mailing = make(disable_sign_up=True)
    mailing.site.user(email_verified=True)
    paths: dict[str, tuple[str, dict[str, str]]] = {
        "sign-in": ("/sign-in/email-otp", {}),
        "email-verification": ("/email-otp/verify-email", {}),
        "forget-password": ("/email-otp/reset-password", {"password": "another password"}),
    }
    path, more = paths[type]
    told = []
    for email in (ADA, "stranger@example.com"):
        asked = mailing.post("/email-otp/send-verification-otp", email=email, type=type)
        sent = mailing.letters[-1].code or ""
        tried = [mailing.post(path, email=email, otp=wrong(sent), **more) for _ in range(4)]
        told.append([(a.status_code, a.text) for a in (asked, *tried)])
    assert told[0] == told[1]
    assert [status for status, _ in told[0]] == [200, 400, 400, 400, 403]
    assert [letter.to for letter in mailing.letters] == [ADA]


def test_pre_hijack(mailing: Mailing) -> None:
    """ "attacker's password/sessions survive victim's OTP sign-in" (GHSA-x88r-fmh4): not here."""
    attacker = mailing.site.browser()
    token = attacker.sign_up().json()["token"]
    answer = mailing.sign_in(mailing.code())
    assert answer.json()["user"]["emailVerified"] is True
    client = mailing.site.client()
    assert client.get("/get-session", headers=bearer(token)).status_code == 401
    assert attacker.sign_in().status_code == 401
    assert mailing.site.run(mailing.site.auth.database.find(Account)) == []
    own = bearer(answer.json()["token"])
    assert client.get("/get-session", headers=own).status_code == 200


def test_the_second_factor(make: Callable[..., Mailing]) -> None:
    """Whoever has two-factor on is asked for it here as well, unless ``skip_second_factor``."""
    for skip in (False, True):
        mailing = make(TwoFactorPlugin(), skip_second_factor=skip)
        browser = mailing.site.browser()
        browser.sign_up()
        changes = {"email_verified": True}
        mailing.site.run(mailing.site.auth.users.update(mailing.user(), changes))
        uri = browser.post("/two-factor/enable", {"password": PASSWORD}).json()["totpURI"]
        code = pyotp.TOTP(uri.partition("secret=")[2].partition("&")[0]).at(mailing.site.clock())
        browser.post("/two-factor/verify-totp", {"code": code})
        answer = mailing.sign_in(mailing.code())
        assert ("twoFactorRedirect" in answer.json()) is not skip
        assert (session_cookie(answer) is None) is not skip


def test_checking_uses_nothing_up(mailing: Mailing) -> None:
    """A right code stays good and costs no attempt; a wrong one costs one, here as elsewhere."""
    mailing.site.user()
    code = mailing.code()
    check: dict[str, Any] = {"email": ADA, "type": "sign-in"}
    for _ in range(4):
        answer = mailing.post("/email-otp/check-verification-otp", **check, otp=code)
        assert answer.json() == {"success": True}
    for _ in range(2):
        answer = mailing.post("/email-otp/check-verification-otp", **check, otp=wrong(code))
        refused(answer, 400, "INVALID_OTP")
    assert mailing.sign_in(code).status_code == 200
    stranger = mailing.code("new@example.com")
    answer = mailing.post(
        "/email-otp/check-verification-otp", email="new@example.com", type="sign-in", otp=stranger
    )
    refused(answer, 400, "USER_NOT_FOUND")


def test_verifying(mailing: Mailing) -> None:
    """ "{status, token, user}"; the first proof ends other sessions, not the one that asks, and
    keeps the password that its user chose."""
    browser = mailing.site.browser()
    own = browser.sign_up().json()["token"]
    other = mailing.site.session(mailing.user())
    code = mailing.code(type="email-verification")
    assert mailing.letters[-1].kind == "verify-email-code"
    answer = mailing.post("/email-otp/verify-email", browser, email=ADA, otp=code)
    body = answer.json()
    assert (body["status"], body["token"], body["user"]["emailVerified"]) == (True, None, True)
    client = mailing.site.client()
    assert client.get("/get-session", headers=bearer(own)).status_code == 200
    assert client.get("/get-session", headers=bearer(other.token)).status_code == 401
    assert mailing.site.browser().sign_in().status_code == 200


def test_verifying_may_sign_in(make: Callable[..., Mailing]) -> None:
    """``sign_in_after_verification`` and ``send_on_sign_up``: sign up, type the code, be in."""
    mailing = make(sign_in_after_verification=True, send_on_sign_up=True)
    mailing.site.browser().sign_up()
    mailing.site.run(mailing.site.auth.mail.flush())
    code = mailing.letters[-1].code or ""
    browser = mailing.site.browser()
    answer = mailing.post("/email-otp/verify-email", browser, email=ADA, otp=code)
    assert answer.json()["token"] == browser.get("/get-session").json()["session"]["token"]


def test_verifying_does_not_pass_by_a_second_factor(make: Callable[..., Mailing]) -> None:
    """Whoever has two-factor on is asked for it where a code for verifying signs in, too."""
    mailing = make(TwoFactorPlugin(), sign_in_after_verification=True)
    mailing.site.user(ADA, fields={"two_factor_enabled": True})
    code = mailing.code(type="email-verification")
    answer = mailing.post("/email-otp/verify-email", email=ADA, otp=code)
    assert answer.json()["twoFactorRedirect"] is True
    assert session_cookie(answer) is None


@pytest.mark.parametrize(
    "path", ["/email-otp/request-password-reset", "/forget-password/email-otp"]
)
def test_resetting_a_password(mailing: Mailing, path: str) -> None:
    """A new password, all sessions gone; a bad password does not use the code up."""
    browser = mailing.site.browser()
    token = browser.sign_up().json()["token"]
    assert mailing.post(path, email=ADA).json() == {"success": True}
    assert mailing.letters[-1].kind == "reset-password-code"
    body = {"email": ADA, "otp": mailing.letters[-1].code}
    short = mailing.post("/email-otp/reset-password", **body, password="short")
    refused(short, 400, "PASSWORD_TOO_SHORT")
    done = mailing.post("/email-otp/reset-password", **body, password="quite another horse")
    assert done.json() == {"success": True}
    client = mailing.site.client()
    assert client.get("/get-session", headers=bearer(token)).status_code == 401
    assert browser.sign_in().status_code == 401
    assert browser.sign_in(password="quite another horse").status_code == 200
    assert mailing.user().email_verified is True
    again = mailing.post("/email-otp/reset-password", **body, password="one more horse")
    refused(again, 400, "INVALID_OTP")


def test_changing_an_address(make: Callable[..., Mailing]) -> None:
    """The code goes to the new address and is bound to who asked; other sessions end."""
    mailing = make(enable_change_email=True)
    ada, eve = mailing.site.browser(), mailing.site.browser()
    ada.sign_up()
    eve.sign_up("eve@example.com")
    other = mailing.site.session(mailing.user())
    new = "lovelace@example.com"
    asked = mailing.post("/email-otp/request-email-change", ada, newEmail=new)
    assert asked.json() == {"success": True}
    assert (mailing.letters[-1].kind, mailing.letters[-1].to) == ("change-email-code", new)
    code = mailing.letters[-1].code
    refused(
        mailing.post("/email-otp/change-email", eve, newEmail=new, otp=code), 400, "INVALID_OTP"
    )
    done = mailing.post("/email-otp/change-email", ada, newEmail=new, otp=code)
    assert done.json() == {"success": True}
    user = ada.get("/get-session").json()["user"]
    assert (user["email"], user["emailVerified"]) == (new, True)
    client = mailing.site.client()
    assert client.get("/get-session", headers=bearer(other.token)).status_code == 401
    sent = len(mailing.letters)
    taken = mailing.post("/email-otp/request-email-change", ada, newEmail="eve@example.com")
    assert taken.json() == {"success": True}
    assert len(mailing.letters) == sent, "whose address it is, is told to nobody"
    same = mailing.post("/email-otp/request-email-change", ada, newEmail=new)
    refused(same, 400, "EMAIL_IS_THE_SAME")
    mailing.site.clock.move(days=2)
    stale = mailing.post("/email-otp/request-email-change", ada, newEmail="x@example.com")
    assert (stale.status_code, stale.json()["code"]) == (403, "SESSION_NOT_FRESH")


def test_changing_is_off_unless_asked_for(mailing: Mailing) -> None:
    """No endpoint that nobody asked for; and its codes are not to be had by another."""
    for path in ("request-email-change", "change-email"):
        answer = mailing.post(f"/email-otp/{path}", newEmail="x@example.com", otp="1")
        assert answer.status_code == 404
    answer = mailing.post("/email-otp/send-verification-otp", email=ADA, type="change-email")
    refused(answer, 400, "INVALID_OTP_TYPE")


def test_at_rest(mailing: Mailing) -> None:
    """ "keyed fingerprints": the database holds neither code nor address."""
    code = mailing.code()
    rows = mailing.site.run(mailing.site.auth.database.find(Verification))
    values = [json.loads(row.value) for row in rows if row.value.startswith("{")]
    assert values
    assert all(code not in value.values() for value in values)
    assert ADA not in str([row.__dict__ for row in rows])


def test_an_address_is_not_flooded(mailing: Mailing) -> None:
    """ "per-address sending limit": five in 15 minutes, whoever asks; the answer is the same."""
    for _ in range(7):
        mailing.code()
    assert len(mailing.letters) == 5
    mailing.code("other@example.com")
    assert len(mailing.letters) == 6


def test_limits_by_client(make: Callable[..., Mailing]) -> None:
    """Asking for mail: 3 a minute and client; trying: 3 in ten seconds."""
    mailing = make(settings={"rate_limit": {}})
    path = "/email-otp/send-verification-otp"
    asked = [mailing.post(path, email=f"{n}@b.example", type="sign-in") for n in range(4)]
    assert [answer.status_code for answer in asked] == [200, 200, 200, 429]
    tried = [mailing.sign_in("123456", f"{n}@b.example").status_code for n in range(4)]
    assert tried == [400, 400, 400, 429]


@pytest.mark.parametrize("path", ["/email-otp/send-verification-otp", "/sign-in/email-otp"])
def test_from_another_site(mailing: Mailing, path: str) -> None:
    """ "cookieless login CSRF on ... OTP send": an untrusted Origin without a cookie is 403."""
    body = {"email": ADA, "type": "sign-in", "otp": "123456"}
    headers = {"Origin": "https://evil.example"}
    assert mailing.site.client().post(path, json=body, headers=headers).status_code == 403


def test_options() -> None:
    """Codes that could be guessed are refused."""
    for options in ({"digits": 4}, {"attempts": 0}, {"expires_in": timedelta(0)}):
        with pytest.raises(ConfigurationError, match="EmailOtpPlugin"):
            EmailOtpPlugin(send=print, **options)  # type: ignore[arg-type]
