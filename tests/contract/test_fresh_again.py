"""`SESSION_NOT_FRESH` is never a dead end: whoever can sign in can be fresh again."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest

from better_auth.plugins import EmailOtpPlugin, MagicLinkPlugin, TwoFactorPlugin
from tests.conftest import Site
from tests.mailbox import Mailbox, mailbox
from tests.support import PASSWORD, Browser

DATABASES = ["sqlite"]
"""No database has a say in this."""

ADA = "ada@example.com"
ASKING = {
    "/change-email": {"newEmail": "new@example.com"},
    "/email-otp/request-email-change": {"newEmail": "new@example.com"},
    "/unlink-account": {"providerId": "none"},
    "/set-password": {"newPassword": PASSWORD},
    "/delete-user": {},
}
"""What asks for a fresh session; the last one ends it all."""


@pytest.fixture(params=["native", "javascript"])
def box(site_with: Callable[..., Site], request: pytest.FixtureRequest) -> Mailbox:
    """A site where one signs in by mail as well, on either wire."""
    more = [EmailOtpPlugin(enable_change_email=True), MagicLinkPlugin(), TwoFactorPlugin()]
    return mailbox(site_with, more=more, wire=request.param)


def by_link(box: Mailbox, browser: Browser) -> httpx.Response:
    """Sign in by a link in mail."""
    browser.post("/sign-in/magic-link", {"email": ADA})
    return browser.get("/magic-link/verify", params={"token": box.token("magic-link")})


def by_code(box: Mailbox, browser: Browser) -> httpx.Response:
    """Sign in by a code in mail."""
    body = {"email": ADA, "type": "sign-in"}
    browser.post("/email-otp/send-verification-otp", body)
    code = box.of("sign-in-code")[-1].code
    return browser.post("/sign-in/email-otp", {"email": ADA, "otp": code})


def test_a_second_factor_without_a_password(box: Mailbox) -> None:
    """ "Who signs in without a password sets it up, and takes it off, from a fresh session": the
    second factor is asked for when they come by their link; a wrong password is no way around."""
    browser = box.site.browser()
    by_link(box, browser)
    box.site.clock.move(days=2)
    refused = browser.post("/two-factor/enable", {})
    assert (refused.status_code, refused.json()["code"]) == (403, "SESSION_NOT_FRESH")
    by_link(box, browser)
    wrong = browser.post("/two-factor/enable", {"password": PASSWORD})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "INVALID_PASSWORD")
    enrolment = browser.post("/two-factor/enable", {}).json()
    (secret,) = parse_qs(urlsplit(enrolment["totpURI"]).query)["secret"]
    totp = pyotp.TOTP(secret)
    code = totp.at(box.site.clock())
    assert browser.post("/two-factor/verify-totp", {"code": code}).status_code == 200
    other = box.site.browser()
    assert by_link(box, other).json()["twoFactorRedirect"] is True
    box.site.clock.move(seconds=30)
    code = totp.at(box.site.clock())
    assert other.post("/two-factor/verify-totp", {"code": code}).status_code == 200
    assert other.post("/two-factor/generate-backup-codes", {}).status_code == 200
    assert other.post("/two-factor/disable", {}).status_code == 200

    user = box.user("bob@example.com")
    named = box.site.browser()
    assert named.sign_in(user.email).status_code == 200
    missing = named.post("/two-factor/enable", {})
    assert (missing.status_code, missing.json()["code"]) == (400, "VALIDATION_ERROR")
    assert "body.password" in missing.json()["message"]


@pytest.mark.parametrize("sign_in", [by_link, by_code])
def test_without_a_password(box: Mailbox, sign_in: Callable[..., httpx.Response]) -> None:
    """Who has no password to prove signs in again the way they did: everything that asks for a
    fresh session is theirs again, in the same browser."""
    browser = box.site.browser()
    assert sign_in(box, browser).status_code == 200
    box.site.clock.move(days=2)
    for path, body in ASKING.items():
        refused = browser.post(path, body)
        assert (refused.status_code, refused.json()["code"]) == (403, "SESSION_NOT_FRESH"), path
    proven = browser.post("/verify-password", {"password": PASSWORD})
    assert (proven.status_code, proven.json()["code"]) == (400, "CREDENTIAL_ACCOUNT_NOT_FOUND")
    assert sign_in(box, browser).status_code == 200
    for path, body in ASKING.items():
        answer = browser.post(path, body)
        if path == "/unlink-account":  # asked for what is not there, it gets as far as looking
            assert (answer.status_code, answer.json()["code"]) == (400, "ACCOUNT_NOT_FOUND")
        else:
            assert answer.status_code == 200, (path, answer.text)
    assert box.site.run(box.site.auth.users.find_by_email(ADA)) is None


def test_with_a_password(box: Mailbox) -> None:
    """`/verify-password` renews it; so does signing in again."""
    box.user()
    for renewing in ("/verify-password", "/sign-in/email"):
        browser = box.site.browser()
        assert browser.sign_in().status_code == 200
        box.site.clock.move(days=2)
        refused = browser.post("/change-email", ASKING["/change-email"])
        assert (refused.status_code, refused.json()["code"]) == (403, "SESSION_NOT_FRESH")
        body = {"password": PASSWORD} | ({"email": ADA} if "sign-in" in renewing else {})
        assert browser.post(renewing, body).status_code == 200
        assert browser.post("/change-email", ASKING["/change-email"]).status_code == 200
