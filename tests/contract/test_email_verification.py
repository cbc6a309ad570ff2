"""Addresses proven by a link, and changed for others that are."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from better_auth.errors import ConfigurationError
from better_auth.events import EmailVerified, SignedUp
from better_auth.plugins import EmailPasswordPlugin, EmailVerificationPlugin, TwoFactorPlugin
from better_auth.plugins.two_factor.records import TwoFactor
from tests.conftest import Site
from tests.integration.test_races import at_once
from tests.mailbox import Mailbox, mailbox
from tests.support import PASSWORD, make_auth, session_cookie

MakeSite = Callable[..., Site]
NEW = "new@example.com"


@pytest.fixture
def box(site_with: MakeSite) -> Mailbox:
    return mailbox(site_with)


def strict(site_with: MakeSite, **options: Any) -> Mailbox:
    """A site where nobody gets in before their address is verified."""
    return mailbox(
        site_with,
        email_password=EmailPasswordPlugin(require_email_verification=True),
        verification=EmailVerificationPlugin(**options),
    )


def ask(box: Mailbox, email: str = "ada@example.com", **more: str) -> httpx.Response:
    return box.browser().post("/send-verification-email", {"email": email, **more})


def query(answer: httpx.Response) -> str:
    """What the page is asked that a redirect leads to."""
    assert answer.status_code == 302
    return urlsplit(answer.headers["location"]).query


def test_sign_up_and_verify(site_with: MakeSite) -> None:
    """ "`/send-verification-email`, `/verify-email`", with "require_email_verification": sign-up
    sends the link, and following it lets in."""
    box = strict(site_with)
    told: list[SignedUp | EmailVerified] = []
    box.site.auth.on(SignedUp)(told.append)
    box.site.auth.on(EmailVerified)(told.append)
    browser = box.browser()
    signed_up = browser.sign_up(callbackURL="/welcome")
    assert (signed_up.status_code, signed_up.json()["token"]) == (200, None)
    assert browser.sign_in().json()["code"] == "EMAIL_NOT_VERIFIED"
    [message] = box.all()
    assert (message.kind, message.to) == ("verify-email", "ada@example.com")
    followed = browser.get(box.link("verify-email"))
    assert (followed.status_code, followed.headers["location"]) == (302, "/welcome")
    assert browser.sign_in().json()["user"]["emailVerified"] is True
    again = browser.get(box.link("verify-email"))
    assert again.headers["location"] == "/welcome"
    assert [type(event) for event in told] == [SignedUp, EmailVerified]


def test_what_is_not_a_good_link(box: Mailbox) -> None:
    """Redirects with `?error=INVALID_TOKEN`, or 401 where there is no `callbackURL`."""
    user = box.site.user()
    ask(box)
    token = box.token("verify-email")
    bad = box.browser().get("/verify-email?token=nonsense&callbackURL=/page")
    assert query(bad) == "error=INVALID_TOKEN"
    bare = box.browser().get("/verify-email?token=nonsense")
    assert (bare.status_code, bare.json()["code"]) == (401, "INVALID_TOKEN")
    evil = box.browser().get("/verify-email?token=nonsense&callbackURL=//evil.example")
    assert (evil.status_code, evil.json()["code"]) == (403, "INVALID_CALLBACK_URL")
    box.site.clock.move(hours=1)
    late = box.browser().get(f"/verify-email?token={token}&callbackURL=/page")
    assert query(late) == "error=INVALID_TOKEN"
    assert not box.found(user).email_verified
    ask(box)
    box.site.run(box.site.auth.users.update(user, {"email": NEW}))
    moved = box.browser().get(f"/verify-email?token={box.token('verify-email')}&callbackURL=/page")
    assert query(moved) == "error=INVALID_TOKEN"
    assert not box.found(user).email_verified


def test_looking_at_a_link_does_nothing(box: Mailbox) -> None:
    """HEAD, "by which programs look at links, is refused": 405, and nothing happens."""
    user = box.site.user()
    ask(box)
    answer = box.browser().http.head(box.link("verify-email"))
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert not box.found(user).email_verified


def test_nobody_learns_whose_address_waits(box: Mailbox) -> None:
    """ "Without a session the answer is the same for every address" (known faults, #60)."""
    box.site.user()
    box.user("verified@example.com", None)
    answers = [ask(box, f"{name}@example.com") for name in ("ada", "verified", "nobody")]
    assert {answer.content for answer in answers} == {b'{"status":true}'}
    assert [message.to for message in box.all()] == ["ada@example.com"]


def test_one_asks_for_oneself(box: Mailbox) -> None:
    """With a session: 400 `EMAIL_MISMATCH` for another address, `EMAIL_ALREADY_VERIFIED`."""
    user = box.site.user()
    browser = box.browser(user)
    path = "/send-verification-email"
    assert browser.post(path, {"email": NEW}).json()["code"] == "EMAIL_MISMATCH"
    assert browser.post(path, {"email": "Ada@Example.com"}).json() == {"status": True}
    assert browser.get(box.link("verify-email")).json() == {"status": True, "user": None}
    assert browser.post(path, {"email": user.email}).json()["code"] == "EMAIL_ALREADY_VERIFIED"


def test_sessions_from_before_the_first_proof_end(box: Mailbox) -> None:
    """ "sessions made before a first proof of the address do not survive it": but for the one of
    the browser that followed the link, under a new token."""
    user = box.site.user()
    ask(box)
    box.site.session(user)
    browser = box.browser(user)
    followed = browser.get(box.link("verify-email"))
    assert session_cookie(followed) is not None
    assert browser.get("/get-session").status_code == 200
    assert box.sessions(user) == 1
    later = box.browser(user)
    later.get(box.link("verify-email"))
    assert box.sessions(user) == 2


def test_a_link_followed_elsewhere_ends_all(box: Mailbox) -> None:
    """The one who signed up with somebody else's address is out when its owner confirms it
    (GHSA-hc7v-rggr-4hvx)."""
    stranger = box.browser()
    stranger.sign_up()
    assert stranger.get("/get-session").status_code == 200
    owner = box.browser()
    owner.get(box.link("verify-email"))
    assert stranger.get("/get-session").status_code == 401
    assert owner.get("/get-session").status_code == 401


def test_a_link_is_not_followed_in_somebody_elses_session(box: Mailbox) -> None:
    """`INVALID_USER`: a link does nothing in a browser where another user is signed in."""
    user, other = box.site.user(), box.user("bob@example.com", None)
    ask(box)
    answer = box.browser(other).get(box.link("verify-email"))
    assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_USER")
    assert not box.found(user).email_verified


def test_following_may_sign_in(site_with: MakeSite) -> None:
    """`auto_sign_in_after_verification`: "following it signs in, the first time"."""
    box = strict(site_with, auto_sign_in_after_verification=True)
    user = box.site.user()
    ask(box)
    answers = at_once([lambda: box.browser().get(box.link("verify-email")) for _ in range(4)])
    assert {answer.status_code for answer in answers} == {200}
    assert sum(session_cookie(answer) is not None for answer in answers) == 1
    assert box.sessions(user) == 1
    assert session_cookie(box.browser().get(box.link("verify-email"))) is None


def test_following_does_not_pass_by_a_second_factor(site_with: MakeSite) -> None:
    """A link in mail is one factor: with two-factor on, it does not sign in."""
    box = mailbox(
        site_with,
        verification=EmailVerificationPlugin(auto_sign_in_after_verification=True),
        more=[TwoFactorPlugin()],
    )
    user = box.site.user(fields={"two_factor_enabled": True})
    ask(box)
    answer = box.browser().get(box.link("verify-email"))
    assert session_cookie(answer) is None
    assert box.sessions(user) == 0
    assert box.found(user).email_verified


def test_when_links_are_sent(site_with: MakeSite) -> None:
    """`send_on_sign_up` and `send_on_sign_in`."""
    box = strict(site_with, send_on_sign_up=False, send_on_sign_in=True)
    browser = box.browser()
    browser.sign_up()
    assert box.all() == []
    browser.sign_in()
    assert [message.kind for message in box.all()] == ["verify-email"]
    browser.sign_in(email="nobody@example.com")
    assert len(box.all()) == 1


def test_sign_up_tells_nobody_who_has_an_account(site_with: MakeSite) -> None:
    """ "sign-up of an existing address then answers a synthetic user of the same shape (no
    enumeration), mail to the owner"."""
    box = strict(site_with)
    user = box.user()
    fresh = box.browser().sign_up("new@example.com")
    taken = box.browser().sign_up("ada@example.com")
    assert fresh.status_code == taken.status_code == 200
    assert sorted(fresh.headers) == sorted(taken.headers)
    shown, made_up = fresh.json(), taken.json()
    assert made_up["token"] is shown["token"] is None
    assert made_up["user"].keys() == shown["user"].keys()
    assert made_up["user"]["id"] != user.id
    differing = {k for k in shown["user"] if shown["user"][k] != made_up["user"][k]}
    assert differing == {"id", "email"}
    assert {(message.kind, message.to) for message in box.all()} == {
        ("verify-email", "new@example.com"),
        ("email-taken", "ada@example.com"),
    }
    assert box.browser().sign_in().status_code == 200


def test_signing_up_again_floods_nobody(site_with: MakeSite) -> None:
    """The owner of an address is told at most five times in 15 minutes, whoever signs up."""
    box = strict(site_with)
    box.user()
    for _ in range(7):
        assert box.browser().sign_up().status_code == 200
    assert len(box.of("email-taken")) == 5


def test_without_verification_a_taken_address_is_said(box: Mailbox) -> None:
    """422 `USER_ALREADY_EXISTS` where signing up signs in, which shows it anyway."""
    box.user()
    answer = box.browser().sign_up()
    assert (answer.status_code, answer.json()["code"]) == (422, "USER_ALREADY_EXISTS")


def test_change_of_address(box: Mailbox) -> None:
    """ "change of e-mail confirmed at the new address and told to the old one" (known faults, #61:
    "typo takes the account away")."""
    user = box.user()
    browser, other = box.browser(user), box.browser(user)
    answer = browser.post("/change-email", {"newEmail": "New@Example.com", "callbackURL": "/done"})
    assert (answer.status_code, answer.json()) == (200, {"status": True})
    assert box.found(user).email == user.email
    [message] = box.all()
    assert (message.kind, message.to) == ("change-email", NEW)

    followed = browser.get(box.link("change-email"))
    assert followed.headers["location"] == "/done"
    assert session_cookie(followed) is not None
    changed = box.found(user)
    assert (changed.email, changed.email_verified) == (NEW, True)
    assert [m.to for m in box.of("email-changed")] == ["ada@example.com"]
    assert NEW in box.of("email-changed")[0].text
    assert browser.get("/get-session").json()["user"]["email"] == NEW
    assert other.get("/get-session").status_code == 401
    assert browser.get(box.link("change-email")).headers["location"] == "/done?error=INVALID_TOKEN"


def test_a_change_of_address_without_a_page(box: Mailbox) -> None:
    """Without `callbackURL` the answer is `{status, user}`; no session is needed to follow."""
    user = box.user()
    box.browser(user).post("/change-email", {"newEmail": NEW})
    answer = box.browser().get(box.link("change-email"))
    assert answer.json()["user"]["email"] == NEW
    assert session_cookie(answer) is None
    assert box.sessions(user) == 0


def test_an_address_that_is_taken_is_not_told(box: Mailbox) -> None:
    """ "An address that somebody has is answered alike, and gets no mail"; one that was taken
    meanwhile is refused when the link is followed."""
    user, bob = box.user(), box.user("bob@example.com", None)
    browser = box.browser(user)
    free = browser.post("/change-email", {"newEmail": NEW})
    taken = browser.post("/change-email", {"newEmail": bob.email})
    assert free.content == taken.content
    assert [message.to for message in box.all()] == [NEW]
    box.site.run(box.site.auth.users.update(bob, {"email": NEW}))
    late = browser.get(box.link("change-email"))
    assert (late.status_code, late.json()["code"]) == (422, "USER_ALREADY_EXISTS")
    assert box.found(user).email == user.email


def test_a_change_of_address_is_refused(site_with: MakeSite, box: Mailbox) -> None:
    """400 for the same address, a wrong one, and where it is not enabled."""
    browser = box.browser(box.user())
    codes = {"ADA@example.com": "EMAIL_IS_THE_SAME", "nonsense": "INVALID_EMAIL"}
    for email, code in codes.items():
        answer = browser.post("/change-email", {"newEmail": email})
        assert (answer.status_code, answer.json()["code"]) == (400, code)
    off = mailbox(site_with, verification=EmailVerificationPlugin(enable_email_change=False))
    answer = off.browser(off.user()).post("/change-email", {"newEmail": NEW})
    assert (answer.status_code, answer.json()["code"]) == (400, "CHANGE_EMAIL_DISABLED")


def test_of_one_link_followed_often_at_once_one_counts(box: Mailbox) -> None:
    """A link that changes an address is good once."""
    box.browser(box.user()).post("/change-email", {"newEmail": NEW})
    answers = at_once([lambda: box.browser().get(box.link("change-email")) for _ in range(6)])
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 5
    assert len(box.of("email-changed")) == 1


def test_a_claim_takes_everything_from_who_was_there(site_with: MakeSite) -> None:
    """ "the first proof ends all sessions, and takes every account (password included)", and the
    second factor (known faults, #47: "old credential and sessions removed")."""
    box = mailbox(site_with, more=[TwoFactorPlugin()])
    user = box.site.user(fields={"two_factor_enabled": True})
    box.give(user)
    box.site.session(user)
    users, database = box.site.auth.users, box.site.auth.database
    now = box.site.clock()
    factor = TwoFactor(
        user_id=user.id, sealed_secret="x", verified=True, created_at=now, updated_at=now
    )
    box.site.run(database.insert(factor))
    claimed = box.site.run(users.claim_email(user))
    assert claimed.email_verified
    assert box.sessions(user) == 0
    assert box.browser().sign_in().status_code == 401
    assert box.site.run(database.count(TwoFactor)) == 0
    assert not getattr(box.found(user), "two_factor_enabled")  # noqa: B009
    box.give(user)
    box.site.session(user)
    # Proven before, as whoever has looked before does not know: nothing happens.
    for known in (box.found(user), box.found(user).revised(email_verified=False)):
        assert box.site.run(users.claim_email(known)).email_verified
    assert box.sessions(user) == 1
    assert box.browser().sign_in().status_code == 200


def test_without_mail_it_is_refused_at_once() -> None:
    """ "Raises ``ConfigurationError`` where ``needed_by`` has neither"."""
    with pytest.raises(ConfigurationError, match="EmailVerificationPlugin"):
        make_auth(plugins=[EmailVerificationPlugin()])


def test_passwords_are_not_in_mail(box: Mailbox) -> None:
    """No message repeats a password."""
    box.browser().sign_up()
    assert all(PASSWORD not in message.text for message in box.all())
