"""Passwords forgotten, changed, set and proven again."""

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from better_auth import Account, Verification
from better_auth.plugins import PasswordManagementPlugin
from tests.conftest import Site
from tests.integration.test_races import at_once
from tests.mailbox import Mailbox, mailbox
from tests.support import PASSWORD, Browser, bearer, session_cookie

NEW = "another long passphrase"


@pytest.fixture
def box(site_with: Callable[..., Site]) -> Mailbox:
    return mailbox(site_with)


def ask(box: Mailbox, email: str = "ada@example.com", **more: str) -> httpx.Response:
    body = {"email": email, "redirectTo": "/choose?a=1", **more}
    return box.browser().post("/request-password-reset", body)


def reset(box: Mailbox, token: str, password: str = NEW) -> httpx.Response:
    return box.browser().post("/reset-password", {"newPassword": password, "token": token})


def can_sign_in(box: Mailbox, password: str) -> bool:
    return box.browser().sign_in(password=password).status_code == 200


def test_a_forgotten_password(box: Mailbox) -> None:
    """ "`/request-password-reset`, `/reset-password/{token}`, `/reset-password` (single use, 1
    hour, stored as fingerprint, all sessions revoked by default)"."""
    user = box.user()
    box.site.session(user)
    assert ask(box).json() == {
        "status": True,
        "message": "If there is an account with this address, a mail is on its way",
    }
    [message] = box.all()
    assert (message.kind, message.to) == ("reset-password", user.email)
    assert message.url is not None
    assert message.url in message.text
    assert message.url.startswith(box.site.url + "/reset-password/")

    on = box.browser().get(message.url)
    assert on.status_code == 302
    assert on.headers["cache-control"] == "no-store"
    assert on.headers["referrer-policy"] == "no-referrer"
    page = urlsplit(on.headers["location"])
    token = box.token("reset-password")
    assert page.path == "/choose"
    assert parse_qs(page.query) == {"a": ["1"], "token": [token]}
    stored = box.site.run(box.site.auth.database.find(Verification))
    assert token[32:] not in "".join(f"{row.identifier} {row.value}" for row in stored)

    answer = reset(box, token)
    assert (answer.status_code, answer.json()) == (200, {"status": True})
    assert box.sessions(user) == 0
    assert can_sign_in(box, NEW)
    assert not can_sign_in(box, PASSWORD)
    assert box.of("password-changed")[0].to == user.email

    again = reset(box, token)
    assert (again.status_code, again.json()["code"]) == (400, "INVALID_TOKEN")
    used = box.browser().get(message.url)
    assert urlsplit(used.headers["location"]).query == "a=1&error=INVALID_TOKEN"


def test_a_reset_link_lasts_an_hour_and_the_newest_counts(box: Mailbox) -> None:
    """ "single use, 1 hour": and of several links the one sent last."""
    box.user()
    ask(box)
    first = box.token("reset-password")
    ask(box)
    second = box.token("reset-password")
    assert reset(box, first).json()["code"] == "INVALID_TOKEN"
    box.site.clock.move(hours=1)
    assert reset(box, second).json()["code"] == "INVALID_TOKEN"


def test_nobody_learns_who_has_an_account(box: Mailbox) -> None:
    """ "Same body & status for known/unknown" (known faults, #60): and the one who is not there is
    looked up only afterwards."""
    box.user()
    known, unknown = ask(box), ask(box, "nobody@example.com")
    assert known.status_code == unknown.status_code == 200
    assert known.content == unknown.content
    assert sorted(known.headers) == sorted(unknown.headers)
    assert [message.to for message in box.all()] == ["ada@example.com"]


def test_a_slow_mail_server_is_not_waited_for(box: Mailbox) -> None:
    """ "sending happens after the answer and is retried"."""
    box.user()
    box.site.auth.mail._delays = (0, 0)
    failures = []

    async def failing(message: object) -> None:
        failures.append(message)
        if len(failures) < 3:
            raise OSError("down")
        await type(box.provider).send(box.provider, message)  # type: ignore[arg-type]

    box.provider.send = failing  # type: ignore[method-assign]
    assert ask(box).status_code == 200
    assert len(box.of("reset-password")) == 1
    assert len(failures) == 3


def test_of_many_resets_with_one_link_one_succeeds(box: Mailbox) -> None:
    """ "single use", also for many at once (known faults, #11)."""
    box.user()
    ask(box)
    token = box.token("reset-password")
    answers = at_once([lambda n=n: reset(box, token, f"{NEW} {n}") for n in range(6)])
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 5


def test_a_link_asked_for_before_a_change_is_void(box: Mailbox) -> None:
    """A link to an address that is not the user's any more, or from before the password was
    changed, changes nothing."""
    user = box.user()
    ask(box)
    token = box.token("reset-password")
    change = {"currentPassword": PASSWORD, "newPassword": NEW}
    assert box.browser(user).post("/change-password", change).status_code == 200
    assert reset(box, token, PASSWORD).json()["code"] == "INVALID_TOKEN"
    ask(box)
    token = box.token("reset-password")
    changed = box.found(user)
    box.site.run(box.site.auth.users.update(changed, {"email": "new@example.com"}))
    assert reset(box, token, PASSWORD).json()["code"] == "INVALID_TOKEN"


def test_a_reset_proves_the_address(box: Mailbox) -> None:
    """ "sessions made before a first proof of the address do not survive it", nor do accounts that
    somebody else put there (GHSA-hc7v-rggr-4hvx)."""
    user = box.site.user()
    box.give(user)
    now = box.site.clock()
    foreign = Account(
        user_id=user.id, provider_id="github", account_id="1", created_at=now, updated_at=now
    )
    box.site.run(box.site.auth.database.insert(foreign))
    ask(box)
    assert reset(box, box.token("reset-password")).status_code == 200
    assert box.found(user).email_verified
    [account] = box.site.run(box.site.auth.database.find(Account, user_id=user.id))
    assert account.provider_id == "credential"


def test_options_of_a_reset(site_with: Callable[..., Site]) -> None:
    """`reset_lifetime`, `reset_page`, `revoke_sessions_on_reset`, `notify`, `send_reset`."""
    letters = []
    passwords = PasswordManagementPlugin(
        send_reset=letters.append,
        reset_lifetime=timedelta(minutes=5),
        reset_page="/new-password",
        revoke_sessions_on_reset=False,
        notify=False,
    )
    box = mailbox(site_with, passwords=passwords)
    user = box.user()
    box.site.session(user)
    box.browser().post("/request-password-reset", {"email": user.email})
    box.all()
    [letter] = letters
    assert letter.token is not None
    assert letter.url.endswith(f"/{letter.token}?callbackURL=%2Fnew-password")
    assert reset(box, letter.token).status_code == 200
    assert box.sessions(user) == 1
    assert box.all() == []
    box.browser().post("/request-password-reset", {"email": user.email})
    box.all()
    box.site.clock.move(minutes=5)
    assert reset(box, letters[-1].token).json()["code"] == "INVALID_TOKEN"


def test_without_mail_a_reset_is_refused(site_with: Callable[..., Site]) -> None:
    """400 `MAIL_NOT_CONFIGURED`, for every address alike."""
    site = site_with(plugins=[PasswordManagementPlugin()])
    answer = site.browser().post("/request-password-reset", {"email": "ada@example.com"})
    assert (answer.status_code, answer.json()["code"]) == (400, "MAIL_NOT_CONFIGURED")


@pytest.mark.parametrize(
    "url",
    ["https://evil.example/x", "//evil.example", "/\\evil", "/%2fevil", "javascript:alert(1)"],
)
def test_redirects_go_nowhere_else(box: Mailbox, url: str) -> None:
    """ "missing origin checks on redirects" (known faults, #43)."""
    box.user()
    answer = ask(box, redirectTo=url)
    assert (answer.status_code, answer.json()["code"]) == (403, "INVALID_REDIRECT_URL")
    followed = box.browser().get("/reset-password/x", params={"callbackURL": url})
    assert (followed.status_code, followed.json()["code"]) == (403, "INVALID_CALLBACK_URL")
    assert box.all() == []


def test_links_lead_to_no_host_that_somebody_made_up(site_with: Callable[..., Site]) -> None:
    """ "first request's Host memoised into later reset links" and "X-Forwarded-Host trusted"
    (known faults, #39 and #40): each host has its own links, and a strange one none."""
    box = mailbox(site_with, trusted_origins=["https://a.example", "https://*.b.example"])
    box.user()

    def asked_at(**headers: str) -> httpx.Response:
        body = {"email": "ada@example.com"}
        return box.site.client().post("/request-password-reset", json=body, headers=headers)

    for host in ("a.example", "x.b.example"):
        assert asked_at(Host=host).status_code == 200
        assert box.link("reset-password").startswith(f"https://{host}/auth/")
    strange = asked_at(Host="evil.example")
    assert (strange.status_code, strange.json()["code"]) == (403, "UNTRUSTED_HOST")
    assert asked_at(**{"Host": "a.example", "X-Forwarded-Host": "evil.example"}).status_code == 200
    assert "evil" not in box.link("reset-password")


@pytest.mark.parametrize("mode", ["development", "production"])
def test_no_link_to_this_machine_for_who_is_elsewhere(
    site_with: Callable[..., Site], mode: str
) -> None:
    """Without a ``base_url``, ``Host: localhost`` is a developer's, at this very machine; through a
    proxy or from another machine, or in production, it was made up."""
    box = mailbox(site_with, mode=mode)
    app = box.site.auth
    local, elsewhere, rewritten = ("127.0.0.1", 5000), ("203.0.113.9", 5000), ("127.0.0.1", 0)

    async def asked(client: tuple[str, int], **headers: str) -> str | None:
        transport = httpx.ASGITransport(app, client=client)
        async with httpx.AsyncClient(transport=transport, base_url=box.site.url) as http:
            body = {"email": "ada@example.com"}
            headers = {"Host": "localhost:8000", **headers}
            answer = await http.post("/request-password-reset", json=body, headers=headers)
            return answer.json().get("code")

    here = None if mode == "development" else "UNTRUSTED_HOST"
    assert box.site.run(asked(local)) == here
    assert box.site.run(asked(local, Host="[::1]:8000")) == here
    assert box.site.run(asked(elsewhere)) == "UNTRUSTED_HOST"
    assert box.site.run(asked(rewritten)) == "UNTRUSTED_HOST"
    assert box.site.run(asked(local, **{"X-Forwarded-For": "203.0.113.9"})) == "UNTRUSTED_HOST"


def test_links_begin_with_the_base_url(site_with: Callable[..., Site]) -> None:
    """`base_url`: "where browsers reach the application", whatever the request says."""
    box = mailbox(site_with, base_url="https://app.example.com")
    box.user()
    answer = box.site.client().post(
        "/request-password-reset", json={"email": "ada@example.com"}, headers={"Host": "evil"}
    )
    assert answer.status_code == 200
    assert box.link("reset-password").startswith("https://app.example.com/auth/reset-password/")


def test_another_site_cannot_ask(box: Mailbox) -> None:
    """ "untrusted Origin, no cookie → 403" (known faults, #35)."""
    for path in ("/request-password-reset", "/reset-password", "/send-verification-email"):
        answer = box.site.client().post(
            path, json={"email": "a@example.com"}, headers={"Origin": "https://evil.example"}
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "INVALID_ORIGIN")


def test_change_password(box: Mailbox) -> None:
    """ "`/change-password` (revokeOtherSessions)": the others end and this one's token changes."""
    user = box.user()
    browser, other = box.browser(user), box.site.session(user)
    old_token = next(iter(browser.http.cookies.jar)).value
    body = {"currentPassword": PASSWORD, "newPassword": NEW}
    answer = browser.post("/change-password", body)
    assert answer.status_code == 200
    changed = answer.json()
    assert changed["user"]["email"] == user.email
    cookie = session_cookie(answer)
    assert cookie is not None
    assert changed["token"] == cookie["value"] != old_token
    assert browser.get("/get-session").status_code == 200
    for dead in (old_token, other.token):
        assert box.site.client().get("/get-session", headers=bearer(dead or "")).status_code == 401
    assert can_sign_in(box, NEW)
    assert box.of("password-changed")[0].to == user.email


def test_change_password_may_leave_other_devices_in(box: Mailbox) -> None:
    """`revokeOtherSessions: false` "leaves other devices in"."""
    user = box.user()
    box.site.session(user)
    body = {"currentPassword": PASSWORD, "newPassword": NEW, "revokeOtherSessions": False}
    assert box.browser(user).post("/change-password", body).status_code == 200
    assert box.sessions(user) == 2


def test_change_password_refuses(box: Mailbox) -> None:
    """400 `INVALID_PASSWORD`, `CREDENTIAL_ACCOUNT_NOT_FOUND`, `PASSWORD_TOO_SHORT` and the like;
    nothing changes."""
    user = box.user()
    without = box.user("bob@example.com", None)

    def code(browser: Browser, current: str, new: str) -> str:
        answer = browser.post("/change-password", {"currentPassword": current, "newPassword": new})
        assert answer.status_code == 400
        code: str = answer.json()["code"]
        return code

    browser = box.browser(user)
    assert code(browser, "wrong password", NEW) == "INVALID_PASSWORD"
    assert code(browser, PASSWORD, "short") == "PASSWORD_TOO_SHORT"
    assert code(browser, PASSWORD, "x" * 129) == "PASSWORD_TOO_LONG"
    assert code(browser, PASSWORD, "password123") == "PASSWORD_TOO_COMMON"
    assert code(box.browser(without), PASSWORD, NEW) == "CREDENTIAL_ACCOUNT_NOT_FOUND"
    assert can_sign_in(box, PASSWORD)


def test_of_two_changes_at_once_one_counts(box: Mailbox) -> None:
    """Whoever changes a password must know the one there is: not the one there was."""
    user = box.user()
    browsers = [box.browser(user) for _ in range(4)]
    body = {"currentPassword": PASSWORD, "revokeOtherSessions": False}
    answers = at_once(
        [
            lambda b=b, n=n: b.post("/change-password", {**body, "newPassword": f"{NEW} {n}"})
            for n, b in enumerate(browsers)
        ]
    )
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    [right] = [n for n, answer in enumerate(answers) if answer.status_code == 200]
    assert can_sign_in(box, f"{NEW} {right}")


def test_verify_password_makes_a_session_fresh(box: Mailbox) -> None:
    """ "there is a way to make one fresh again (`/verify-password` renews it), so that
    `SESSION_NOT_FRESH` is never a dead end"."""
    user = box.user()
    browser = box.browser(user)
    box.site.clock.move(days=1)
    refused = browser.post("/change-email", {"newEmail": "new@example.com"})
    assert (refused.status_code, refused.json()["code"]) == (403, "SESSION_NOT_FRESH")
    wrong = browser.post("/verify-password", {"password": "wrong password"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "INVALID_PASSWORD")
    proven = browser.post("/verify-password", {"password": PASSWORD})
    assert proven.status_code == 200
    assert proven.json()["status"] is True
    cookie = session_cookie(proven)
    assert cookie is not None
    assert cookie["value"] == proven.json()["token"]
    answer = browser.post("/change-email", {"newEmail": "new@example.com"})
    assert (answer.status_code, answer.json()) == (200, {"status": True})


def test_set_password(box: Mailbox) -> None:
    """`/set-password`: "for users without one; fresh session"."""
    user = box.user(password=None)
    stale = box.browser(user)
    box.site.clock.move(days=1)
    browser = box.browser(user)
    refused = stale.post("/set-password", {"newPassword": NEW})
    assert (refused.status_code, refused.json()["code"]) == (403, "SESSION_NOT_FRESH")
    common = browser.post("/set-password", {"newPassword": "password123"})
    assert common.json()["code"] == "PASSWORD_TOO_COMMON"
    answer = browser.post("/set-password", {"newPassword": NEW})
    assert (answer.status_code, answer.json()["status"]) == (200, True)
    assert can_sign_in(box, NEW)
    again = browser.post("/set-password", {"newPassword": PASSWORD})
    assert (again.status_code, again.json()["code"]) == (400, "PASSWORD_ALREADY_SET")


def test_all_of_it_needs_a_session(box: Mailbox) -> None:
    """401 without one."""
    bodies = {
        "/change-password": {"currentPassword": PASSWORD, "newPassword": NEW},
        "/set-password": {"newPassword": NEW},
        "/verify-password": {"password": PASSWORD},
        "/change-email": {"newEmail": "new@example.com"},
        "/delete-user": {},
        "/update-user": {"name": "x"},
        "/update-session": {},
        "/unlink-account": {"accountId": "x"},
    }
    for path, body in bodies.items():
        assert box.browser().post(path, body).status_code == 401, path
    for path in ("/list-accounts", "/delete-user/callback?token=x"):
        assert box.browser().get(path).status_code == 401, path


def test_who_asks_is_looked_up_after_the_answer(
    box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ "never delays or changes the response (no enumeration by timing)": the request itself asks
    nobody whether there is such a user, so it cannot take longer for one who is there."""
    box.site.auth.mail._delays = ()
    asked: list[str] = []
    held = threading.Event()

    async def find(email: str) -> None:
        asked.append(email)
        await asyncio.to_thread(held.wait, 30)

    monkeypatch.setattr(box.site.auth.users, "find_by_email", find)
    for path in ("/request-password-reset", "/send-verification-email"):
        answer = box.browser().post(path, {"email": "ada@example.com"})
        assert answer.status_code == 200  # while the look-up is held
    held.set()
    assert box.all() == []
    assert asked == ["ada@example.com"] * 2


def test_what_is_for_one_door_opens_no_other(box: Mailbox) -> None:
    """ "Cross-purpose token consumption: `/verify-email` and `/reset-password` look up
    `verification.value` only": a token at another door does nothing, and stays good at its own."""
    user = box.user()
    ask(box)
    token = box.token("reset-password")
    browser = box.browser(user)
    assert browser.get(f"/verify-email?token={token}").status_code == 401
    assert browser.get(f"/delete-user/callback?token={token}").status_code == 404
    assert browser.post("/delete-user", {"token": token}).status_code == 404
    for guess in (user.id, user.email, token[:32], "reset-password"):
        assert browser.get(f"/verify-email?token={guess}").status_code == 401
        assert reset(box, guess).json()["code"] == "INVALID_TOKEN"
    assert reset(box, token).status_code == 200


def test_nobody_is_written_to_without_end(box: Mailbox) -> None:
    """ "at most ``most`` times in ``window``, whoever asks and from wherever": five in a quarter of
    an hour, and the answer does not tell."""
    box.user()
    answers = {ask(box).content for _ in range(7)}
    assert len(answers) == 1
    assert len(box.of("reset-password")) == 5
    box.site.clock.move(minutes=15)
    ask(box)
    assert len(box.of("reset-password")) == 6


def test_guessing_is_limited(site_with: Callable[..., Site]) -> None:
    """ "`/verify-password` 30 guesses/<10 s (only special-cased sign-in paths are strict)":
    whatever takes credentials, or sends mail, is limited as sign-in is."""
    box = mailbox(site_with, rate_limit={"enabled": True})
    client = box.site.client()
    for path in (
        "/verify-password",
        "/change-password",
        "/set-password",
        "/delete-user",
        "/change-email",
        "/request-password-reset",
        "/reset-password",
        "/send-verification-email",
    ):
        statuses = [client.post(path, json={}).status_code for _ in range(4)]
        assert statuses[3] == 429, path
        assert 429 not in statuses[:3], path
