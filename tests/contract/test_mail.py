"""What other plugins tell by mail, where they were given no function of their own."""

from collections.abc import Callable

from better_auth.plugins import OrganizationPlugin, TwoFactorPlugin
from tests.conftest import Site
from tests.mailbox import mailbox
from tests.support import PASSWORD

DATABASES = ["sqlite"]


def test_two_factor_codes(site_with: Callable[..., Site]) -> None:
    """`send_otp`: "without it they go by ``BetterAuth(mail=...)``"."""
    box = mailbox(site_with, more=[TwoFactorPlugin()])
    user = box.user()
    browser = box.browser(user)
    browser.post("/two-factor/enable", {"password": PASSWORD})
    assert browser.post("/two-factor/send-otp").json() == {"status": True}
    [message] = box.of("two-factor-code")
    assert message.to == user.email
    assert message.code is not None
    assert message.code in message.text
    assert browser.post("/two-factor/verify-otp", {"code": message.code}).status_code == 200
    phone = box.browser()
    assert phone.sign_in().json()["twoFactorMethods"] == ["totp", "otp"]


def test_invitations(site_with: Callable[..., Site]) -> None:
    """`send_invitation`: without it mail, "with a link to ``base_url`` + ``invitation_page`` +
    ``/{id}``"."""
    box = mailbox(
        site_with,
        more=[OrganizationPlugin(invitation_page="/join")],
        base_url="https://app.example.com",
        disable_csrf_check=True,
    )
    browser = box.browser(box.user(password=None))
    browser.post("/organization/create", {"name": "Acme", "slug": "acme"})
    sent = browser.post("/organization/invite-member", {"email": "bob@example.com"})
    [message] = box.of("invitation")
    assert message.to == "bob@example.com"
    assert message.url == f"https://app.example.com/join/{sent.json()['id']}"
    assert "ada@example.com invites you to join Acme" in message.text
