"""Two-factor: no session before the second factor, every code once, guessing bounded."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pyotp
import pytest

from better_auth import User
from better_auth.endings import Change
from better_auth.http.call import Call
from better_auth.models import Session
from better_auth.plugins import (
    AdminPlugin,
    EmailPasswordPlugin,
    SessionManagementPlugin,
    TwoFactorPlugin,
)
from tests.conftest import Site
from tests.support import COOKIE, PASSWORD, Browser, bearer

PENDING = "better-auth.two-factor"
DEVICE = "better-auth.trust-device"


@dataclass
class Guarded:
    """A site whose user has two-factor on, and the messages it sent."""

    site: Site
    outbox: list[tuple[str, str]] = field(default_factory=list)
    secret: str = ""
    backup_codes: list[str] = field(default_factory=list)
    browser: Browser | None = None

    def code(self, steps: int = 0) -> str:
        """The authenticator app's code now, or some steps away."""
        return pyotp.TOTP(self.secret).at(self.site.clock(), counter_offset=steps)

    def next_code(self) -> str:
        """A code of a time step that was not used yet."""
        self.site.clock.move(seconds=31)
        return self.code()

    def challenge(self, browser: Browser | None = None, **more: Any) -> str:
        """A sign-in as far as the second factor: its token."""
        answer = (browser or self.site.browser()).sign_in(**more)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["token"])

    def verify(self, token: str, path: str, code: str, **more: Any) -> httpx.Response:
        """Answer a challenge by Bearer."""
        body = {"code": code, **more}
        return self.site.client().post(f"/two-factor/{path}", json=body, headers=bearer(token))


def plugins(outbox: list[tuple[str, str]]) -> list[Any]:
    """All of it, with codes sent into ``outbox``."""

    async def send(user: User, code: str) -> None:
        outbox.append((user.email, code))

    return [EmailPasswordPlugin(), SessionManagementPlugin(), TwoFactorPlugin(send_otp=send)]


@pytest.fixture
def make(site_with: Callable[..., Site]) -> Callable[..., Guarded]:
    """Makes a site with one user who has two-factor on."""

    def make(**settings: Any) -> Guarded:
        outbox: list[tuple[str, str]] = []
        guarded = Guarded(site_with(plugins=plugins(outbox), **settings), outbox)
        browser = guarded.browser = guarded.site.browser()
        browser.sign_up()
        enrolment = browser.post("/two-factor/enable", {"password": PASSWORD}).json()
        guarded.secret = parse_qs(urlsplit(enrolment["totpURI"]).query)["secret"][0]
        guarded.backup_codes = enrolment["backupCodes"]
        answer = browser.post("/two-factor/verify-totp", {"code": guarded.code()})
        assert answer.status_code == 200, answer.text
        guarded.site.clock.move(seconds=31)
        return guarded

    return make


@pytest.fixture
def guarded(make: Callable[..., Guarded]) -> Guarded:
    """A site with one user who has two-factor on."""
    return make()


def cookies_of(answer: httpx.Response) -> dict[str, str]:
    """Each Set-Cookie line by name, the value alone."""
    lines = answer.headers.get_list("set-cookie")
    return {line.partition("=")[0]: line.partition("=")[2].partition(";")[0] for line in lines}


def everything(site: Site, model: Any) -> list[Any]:
    """All rows of a record."""
    return site.run(site.auth.database.find(model))


def test_credentials_are_verified_but_no_session_is_created(guarded: Guarded) -> None:
    """ "User provides email/password — credentials are verified but no session is created"."""
    before = len(everything(guarded.site, Session))
    answer = guarded.site.browser().sign_in()
    assert answer.status_code == 200
    body = answer.json()
    assert body.keys() == {"twoFactorRedirect", "token", "twoFactorMethods"}
    assert body["twoFactorRedirect"] is True
    assert body["token"].startswith("2fa_")
    assert body["twoFactorMethods"] == ["totp", "otp"]
    assert len(everything(guarded.site, Session)) == before
    assert guarded.site.browser().sign_in(password="wrong wrong").status_code == 401


def test_nothing_in_the_challenge_authenticates(guarded: Guarded) -> None:
    """ "A pending verification token is returned instead": and it opens nothing else."""
    browser = guarded.site.browser()
    answer = browser.sign_in()
    cookies = cookies_of(answer)
    assert COOKIE not in cookies
    line = answer.headers["set-cookie"]
    assert "HttpOnly" in line
    assert "Max-Age=600" in line
    client = guarded.site.client()
    for value in {answer.json()["token"], *cookies.values()}:
        assert client.get("/get-session", headers=bearer(value)).status_code == 401
        as_cookie = {"Cookie": f"{COOKIE}={value}", "Origin": guarded.site.origin}
        assert client.get("/get-session", headers=as_cookie).status_code == 401
        for path in ("disable", "generate-backup-codes", "get-totp-uri"):
            body = {"password": PASSWORD}
            answer = client.post(f"/two-factor/{path}", json=body, headers=bearer(value))
            assert answer.status_code == 401
    assert browser.get("/get-session").status_code == 401


@pytest.mark.parametrize("by", ["bearer", "cookie"])
@pytest.mark.parametrize("factor", ["totp", "otp", "backup"])
def test_full_session_after_verification(guarded: Guarded, by: str, factor: str) -> None:
    """ "User must complete 2FA verification (TOTP, OTP, or backup code). Only after successful 2FA
    verification is a full session created"."""
    browser = guarded.site.browser()
    token = guarded.challenge(browser)
    headers = bearer(token) if by == "bearer" else {}
    http = guarded.site.client() if by == "bearer" else browser.http
    if factor == "otp":
        sent = http.post("/two-factor/send-otp", headers=headers)
        assert sent.json() == {"status": True}
        path, code = "verify-otp", guarded.outbox[-1][1]
        assert guarded.outbox[-1][0] == "ada@example.com"
        assert len(code) == 6
    elif factor == "totp":
        path, code = "verify-totp", guarded.code()
    else:
        path, code = "verify-backup-code", guarded.backup_codes[0]
    answer = http.post(f"/two-factor/{path}", json={"code": code}, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"token", "user"}
    assert answer.json()["user"]["twoFactorEnabled"] is True
    cookies = cookies_of(answer)
    assert cookies[COOKIE] == answer.json()["token"]
    assert cookies[PENDING] == ""
    check = guarded.site.client().get("/get-session", headers=bearer(answer.json()["token"]))
    assert check.status_code == 200
    again = http.post(f"/two-factor/{path}", json={"code": code}, headers=bearer(token))
    assert again.status_code == 401, "the challenge serves once"


def test_remembering_is_decided_at_the_password(guarded: Guarded) -> None:
    """``rememberMe: false`` survives the second step: in the row, not in the client."""
    token = guarded.challenge(rememberMe=False)
    answer = guarded.verify(token, "verify-totp", guarded.code())
    assert "Max-Age" not in answer.headers.get_list("set-cookie")[-1]
    session = guarded.site.run(guarded.site.auth.sessions.resolve(answer.json()["token"])).session
    assert (session.expires_at - session.created_at).days == 1


def test_challenge_expires_on_the_server(guarded: Guarded) -> None:
    """A challenge is over after ten minutes, whatever the client kept."""
    token = guarded.challenge()
    guarded.site.clock.move(minutes=10)
    assert guarded.verify(token, "verify-totp", guarded.code()).status_code == 401


def test_totp_is_accepted_one_step_either_side_and_once(guarded: Guarded) -> None:
    """SHA-1, six digits, thirty seconds, one step either side, each code once."""
    guarded.site.clock.move(minutes=5)
    for steps, status in ((-2, 401), (2, 401), (-1, 200), (-1, 401), (0, 200), (0, 401), (1, 200)):
        token = guarded.challenge()
        code = guarded.code(steps)
        assert guarded.verify(token, "verify-totp", code).status_code == status, steps
    old = guarded.challenge()
    assert guarded.verify(old, "verify-totp", guarded.code(0)).status_code == 401


def test_otp_is_for_one_sign_in_and_three_minutes(guarded: Guarded) -> None:
    """A sent code serves the sign-in it was sent for, while it lasts; a newer one voids it."""
    client = guarded.site.client()
    one, two = guarded.challenge(), guarded.challenge()
    client.post("/two-factor/send-otp", headers=bearer(one))
    first = guarded.outbox[-1][1]
    assert guarded.verify(two, "verify-otp", first).status_code == 401
    client.post("/two-factor/send-otp", headers=bearer(one))
    second = guarded.outbox[-1][1]
    if first != second:
        assert guarded.verify(one, "verify-otp", first).status_code == 401
    guarded.site.clock.move(minutes=3)
    late = guarded.verify(one, "verify-otp", second)
    assert (late.status_code, late.json()["code"]) == (400, "OTP_HAS_EXPIRED")


def test_codes_flood_nobody(guarded: Guarded) -> None:
    """Who knows a password makes the application write to its user five times in 15 minutes,
    over all sign-ins, and no more."""
    sent = len(guarded.outbox)
    client = guarded.site.client()
    statuses = [
        client.post("/two-factor/send-otp", headers=bearer(guarded.challenge())).status_code
        for _ in range(7)
    ]
    assert statuses == [200] * 5 + [429] * 2
    assert len(guarded.outbox) - sent == 5
    guarded.site.clock.move(minutes=15)
    again = client.post("/two-factor/send-otp", headers=bearer(guarded.challenge()))
    assert again.status_code == 200


def test_backup_codes(guarded: Guarded) -> None:
    """Ten codes, each once, however written; replacing them voids the old."""
    assert len(set(guarded.backup_codes)) == 10
    code = guarded.backup_codes[0]
    written = code.replace("-", "").upper()
    assert guarded.verify(guarded.challenge(), "verify-backup-code", written).status_code == 200
    assert guarded.verify(guarded.challenge(), "verify-backup-code", code).status_code == 401
    plugin, site = guarded.site.auth.plugin(TwoFactorPlugin), guarded.site
    user = everything(site, User)[0]
    assert set(site.run(plugin.read_backup_codes(user.id))) == set(guarded.backup_codes[1:])
    assert guarded.browser is not None
    body = {"password": PASSWORD}
    new = guarded.browser.post("/two-factor/generate-backup-codes", body).json()["backupCodes"]
    old = guarded.backup_codes[1]
    assert guarded.verify(guarded.challenge(), "verify-backup-code", old).status_code == 401
    assert guarded.verify(guarded.challenge(), "verify-backup-code", new[0]).status_code == 200


def test_reading_backup_codes_is_no_endpoint(guarded: Guarded) -> None:
    """A function for the server alone is not mounted."""
    for path in ("view-backup-codes", "read-backup-codes"):
        answer = guarded.site.client().post(f"/two-factor/{path}", json={"userId": "x"})
        assert answer.status_code == 404


def test_five_attempts_over_all_factors(guarded: Guarded) -> None:
    """Five wrong codes, of whatever factor, end the challenge; a new OTP refills nothing."""
    token = guarded.challenge()
    client = guarded.site.client()
    for path in ("verify-totp", "verify-otp", "verify-backup-code", "verify-totp", "verify-totp"):
        client.post("/two-factor/send-otp", headers=bearer(token))
        answer = guarded.verify(token, path, "000000" if path != "verify-backup-code" else "no")
        wrong = "INVALID_BACKUP_CODE" if path == "verify-backup-code" else "INVALID_CODE"
        assert (answer.status_code, answer.json()["code"]) == (401, wrong)
    for _ in range(2):
        answer = guarded.verify(token, "verify-totp", guarded.code())
        assert answer.status_code == 400
        assert answer.json()["code"] == "TOO_MANY_ATTEMPTS_REQUEST_NEW_CODE"
    assert guarded.verify(guarded.challenge(), "verify-totp", guarded.code()).status_code == 200


def test_ten_failures_lock_the_second_factor(guarded: Guarded) -> None:
    """Ten failures in a row over challenges: 429 for a quarter of an hour, right codes included."""
    for _ in range(2):
        token = guarded.challenge()
        for _ in range(5):
            assert guarded.verify(token, "verify-totp", "000000").status_code == 401
    token = guarded.challenge()
    locked = guarded.verify(token, "verify-totp", guarded.code())
    assert locked.status_code == 429
    assert 0 < int(locked.headers["retry-after"]) <= 900
    sending = guarded.site.client().post("/two-factor/send-otp", headers=bearer(token))
    assert sending.status_code == 429
    guarded.site.clock.move(minutes=15)
    token = guarded.challenge()
    assert guarded.verify(token, "verify-totp", guarded.code()).status_code == 200


def test_a_right_code_forgives_failures(guarded: Guarded) -> None:
    """Only failures in a row count."""
    for _ in range(3):
        token = guarded.challenge()
        for _ in range(4):
            assert guarded.verify(token, "verify-totp", "000000").status_code == 401
        assert guarded.verify(token, "verify-totp", guarded.next_code()).status_code == 200


def test_confirming_with_a_session_is_limited_too(site_with: Callable[..., Site]) -> None:
    """Guessing the first code with a live session is bounded as any other."""
    site = site_with(plugins=plugins([]))
    browser = site.browser()
    browser.sign_up()
    browser.post("/two-factor/enable", {"password": PASSWORD})
    statuses = [
        browser.post("/two-factor/verify-totp", {"code": "000000"}).status_code for _ in range(11)
    ]
    assert statuses == [401] * 10 + [429]
    browser.post("/two-factor/enable", {"password": PASSWORD})
    assert browser.post("/two-factor/verify-totp", {"code": "0"}).status_code == 429


def test_enrolment(site_with: Callable[..., Site]) -> None:
    """Two-factor is on only after the first verified code; each step gives a new token."""
    site = site_with(plugins=plugins([]))
    browser = site.browser()
    first = browser.sign_up().json()["token"]
    assert browser.post("/two-factor/enable", {"password": "wrong wrong"}).status_code == 400
    body = {"password": PASSWORD, "qrCode": True}
    enrolment = browser.post("/two-factor/enable", body).json()
    assert enrolment.keys() == {"method", "totpURI", "backupCodes", "qrCode", "token"}
    assert enrolment["qrCode"].startswith("<svg")
    uri = urlsplit(enrolment["totpURI"])
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert "ada@example.com" in unquote(uri.path)
    assert "twoFactorRedirect" not in site.browser().sign_in().json()
    secret = parse_qs(uri.query)["secret"][0]
    code = pyotp.TOTP(secret).at(site.clock())
    verified = browser.post("/two-factor/verify-totp", {"code": code}).json()
    assert verified["user"]["twoFactorEnabled"] is True
    tokens = [first, enrolment["token"], verified["token"]]
    client = site.client()
    statuses = [client.get("/get-session", headers=bearer(t)).status_code for t in tokens]
    assert statuses == [401, 401, 200]
    assert browser.get("/get-session").json()["session"]["token"] == tokens[-1]
    assert site.browser().sign_in().json()["twoFactorRedirect"] is True
    assert browser.post("/two-factor/enable", {"password": PASSWORD}).status_code == 400
    shown = browser.post("/two-factor/get-totp-uri", {"password": PASSWORD}).json()
    assert shown == {"totpURI": enrolment["totpURI"], "qrCode": None}


def test_confirmed_while_another_tab_begins_anew(site_with: Callable[..., Site]) -> None:
    """What was confirmed stays: nobody is asked for codes of a secret their app does not have."""
    site = site_with(plugins=plugins([]))
    browser, other = site.browser(), site.browser()
    browser.sign_up()
    other.sign_in()
    for _ in range(8):
        enrolment = browser.post("/two-factor/enable", {"password": PASSWORD}).json()
        totp = pyotp.parse_uri(enrolment["totpURI"])
        assert isinstance(totp, pyotp.TOTP)
        code = {"code": totp.at(site.clock())}
        with ThreadPoolExecutor(2) as pool:
            confirmed = pool.submit(browser.post, "/two-factor/verify-totp", code)
            anew = pool.submit(other.post, "/two-factor/enable", {"password": PASSWORD})
        statuses = confirmed.result().status_code, anew.result().status_code
        assert statuses in ((200, 400), (401, 200))
        assert browser.post("/two-factor/disable", {"password": PASSWORD}).status_code == 200


def test_backup_code_does_not_confirm_enrolment(site_with: Callable[..., Site]) -> None:
    """A backup code proves no authenticator app."""
    browser = site_with(plugins=plugins([])).browser()
    browser.sign_up()
    enrolment = browser.post("/two-factor/enable", {"password": PASSWORD}).json()
    code = {"code": enrolment["backupCodes"][0]}
    assert browser.post("/two-factor/verify-backup-code", code).status_code == 400


def test_disable(guarded: Guarded) -> None:
    """Disabling takes the password, gives a new token and ends trusted devices and challenges."""
    browser = guarded.browser
    assert browser is not None
    device = guarded.site.browser()
    waiting = guarded.challenge(device)
    device.post("/two-factor/verify-totp", {"code": guarded.code(), "trustDevice": True})
    waiting = guarded.challenge()
    old = browser.get("/get-session").json()["session"]["token"]
    assert browser.post("/two-factor/disable", {"password": "wrong wrong"}).status_code == 400
    done = browser.post("/two-factor/disable", {"password": PASSWORD}).json()
    assert done["status"] is True
    client = guarded.site.client()
    assert client.get("/get-session", headers=bearer(old)).status_code == 401
    assert client.get("/get-session", headers=bearer(done["token"])).status_code == 200
    assert guarded.verify(waiting, "verify-totp", guarded.next_code()).status_code == 401
    assert "token" in guarded.site.browser().sign_in().json()
    devices = browser.get("/two-factor/list-trusted-devices").json()
    assert devices == {"devices": []}


@pytest.mark.parametrize("asked", [True, False])
def test_other_sessions_end_where_that_is_asked_for(
    site_with: Callable[..., Site], asked: bool
) -> None:
    """OWASP ASVS 5.0, 7.4.3: "the option to terminate all other active sessions after a successful
    change or removal of any authentication factor"."""
    outbox: list[tuple[str, str]] = []
    site = site_with(plugins=plugins(outbox))
    browser = site.browser()
    browser.sign_up()
    more = {"revokeOtherSessions": True} if asked else {}
    ways: list[tuple[str, Callable[[], dict[str, Any]]]] = [
        ("disable", lambda: {"password": PASSWORD}),
        ("verify-totp", lambda: {"code": pyotp.TOTP(secret).at(site.clock())}),
        ("verify-otp", lambda: {"code": outbox[-1][1]}),
    ]
    user = site.run(site.auth.users.find_by_email("ada@example.com"))
    assert user is not None
    for path, body in ways:
        enrolment = browser.post("/two-factor/enable", {"password": PASSWORD}).json()
        secret = parse_qs(urlsplit(enrolment["totpURI"]).query)["secret"][0]
        if path == "verify-otp":
            browser.post("/two-factor/send-otp")
        other = site.session(user)
        assert browser.post(f"/two-factor/{path}", {**body(), **more}).status_code == 200, path
        assert browser.get("/get-session").status_code == 200
        seen = site.client().get("/get-session", headers=bearer(other.token))
        assert seen.status_code == (401 if asked else 200), path
        browser.post("/two-factor/disable", {"password": PASSWORD})


def test_trusted_device(guarded: Guarded) -> None:
    """A trusted device needs no second factor for 30 days; its cookie changes with every use."""
    device = guarded.site.browser()
    guarded.challenge(device)
    body = {"code": guarded.code(), "trustDevice": True}
    answer = device.post("/two-factor/verify-totp", body)
    first = cookies_of(answer)[DEVICE]
    signed_in = device.sign_in()
    assert "user" in signed_in.json()
    second = cookies_of(signed_in)[DEVICE]
    assert second != first
    copied = guarded.site.client().post(
        "/sign-in/email",
        json={"email": "ada@example.com", "password": PASSWORD},
        headers={"Cookie": f"{DEVICE}={first}", "Origin": guarded.site.origin},
    )
    assert "twoFactorRedirect" in copied.json(), "an old value of the cookie is worth nothing"
    listed = device.get("/two-factor/list-trusted-devices").json()["devices"]
    assert len(listed) == 1
    assert "tokenKey" not in listed[0]
    for _ in range(2):  # trust ends with its thirty days, however often it is used
        guarded.site.clock.move(days=15)
        last = device.sign_in().json()
    assert "twoFactorRedirect" in last


def test_trust_ends_with_the_password(guarded: Guarded) -> None:
    """Who trusts a device trusts it with the password it was trusted with."""
    device, site = guarded.site.browser(), guarded.site
    guarded.challenge(device)
    device.post("/two-factor/verify-totp", {"code": guarded.code(), "trustDevice": True})
    waiting = guarded.challenge()
    user = everything(site, User)[0]
    site.run(site.auth.sessions.end_after(Change.PASSWORD_CHANGED, user.id))
    assert "twoFactorRedirect" in device.sign_in().json()
    assert guarded.verify(waiting, "verify-totp", guarded.next_code()).status_code == 401


def test_trusted_device_is_bound_to_its_user(guarded: Guarded) -> None:
    """One user's trusted device is not another's."""
    device = guarded.site.browser()
    guarded.challenge(device)
    device.post("/two-factor/verify-totp", {"code": guarded.code(), "trustDevice": True})
    bob = guarded.site.browser()
    bob.sign_up("bob@example.com")
    enrolment = bob.post("/two-factor/enable", {"password": PASSWORD}).json()
    secret = parse_qs(urlsplit(enrolment["totpURI"]).query)["secret"][0]
    code = pyotp.TOTP(secret).at(guarded.site.clock())
    assert bob.post("/two-factor/verify-totp", {"code": code}).status_code == 200
    assert "twoFactorRedirect" in device.sign_in("bob@example.com").json()


def test_revoking_a_trusted_device(guarded: Guarded) -> None:
    """A device can be trusted no longer from any other; not by another user."""
    device = guarded.site.browser()
    guarded.challenge(device)
    device.post("/two-factor/verify-totp", {"code": guarded.code(), "trustDevice": True})
    assert guarded.browser is not None
    listed = guarded.browser.get("/two-factor/list-trusted-devices").json()["devices"]
    mallory = guarded.site.browser()
    mallory.sign_up("mallory@example.com")
    body = {"id": listed[0]["id"]}
    assert mallory.post("/two-factor/revoke-trusted-device", body).status_code == 200
    assert "user" in device.sign_in().json()
    assert guarded.browser.post("/two-factor/revoke-trusted-device", body).status_code == 200
    assert "twoFactorRedirect" in device.sign_in().json()


@pytest.mark.parametrize("factor", ["totp", "otp", "backup"])
def test_a_hundred_at_once(make: Callable[..., Guarded], database_url: str, factor: str) -> None:
    """100 parallel requests with one code, each for one challenge: one session."""
    guarded = make(database=database_url)
    before = len(everything(guarded.site, Session))
    token = guarded.challenge()
    if factor == "otp":
        guarded.site.client().post("/two-factor/send-otp", headers=bearer(token))
        path, code = "verify-otp", guarded.outbox[-1][1]
    elif factor == "totp":
        path, code = "verify-totp", guarded.code()
    else:
        path, code = "verify-backup-code", guarded.backup_codes[0]
    client = guarded.site.client()

    def attempt(_: int) -> int:
        body = {"code": code}
        answer = client.post(f"/two-factor/{path}", json=body, headers=bearer(token), timeout=60)
        return answer.status_code

    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(attempt, range(100)))
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 400, 401, 429}
    assert len(everything(guarded.site, Session)) == before + 1


def test_one_backup_code_for_many_challenges(guarded: Guarded) -> None:
    """One backup code, presented for several sign-ins at once, completes one of them."""
    tokens = [guarded.challenge() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(
            lambda token: guarded.verify(token, "verify-backup-code", guarded.backup_codes[0]),
            tokens,
        )
        statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == 1


@pytest.mark.databases("sqlite")
def test_a_stolen_database_gives_no_factor(make: Callable[..., Guarded], tmp_path: Path) -> None:
    """Neither secret, backup codes, sent codes, challenges nor devices stand in the database."""
    path = tmp_path / "stolen.db"
    guarded = make(database=f"sqlite:///{path}")
    device = guarded.site.browser()
    guarded.challenge(device)
    answer = device.post("/two-factor/verify-totp", {"code": guarded.code(), "trustDevice": True})
    token = guarded.challenge()
    guarded.site.client().post("/two-factor/send-otp", headers=bearer(token))
    secrets = [guarded.secret, token, cookies_of(answer)[DEVICE], *guarded.backup_codes]
    secrets += [code.replace("-", "") for code in guarded.backup_codes]
    with sqlite3.connect(path) as connection:
        dump = "\n".join(connection.iterdump())
    for secret in secrets:
        assert secret not in dump
    assert f"'{guarded.outbox[-1][1]}'" not in dump


def test_expired_challenges_are_purged(guarded: Guarded) -> None:
    """What nobody completed does not stay."""
    from better_auth.plugins.two_factor.records import PendingSignIn

    guarded.challenge()
    guarded.site.clock.move(minutes=11)

    async def purge() -> None:
        async for _ in guarded.site.auth.sessions.purge():
            pass

    guarded.site.run(purge())
    assert everything(guarded.site, PendingSignIn) == []


@pytest.mark.parametrize(
    "body", [{}, {"code": 123456}, {"code": ""}, {"code": "x" * 65}, {"code": None}, {"code": "é"}]
)
def test_bad_codes_are_refused(guarded: Guarded, body: dict[str, Any]) -> None:
    """What cannot be a code is 400 or 401, and no code is burnt by it."""
    token = guarded.challenge()
    for path in ("verify-totp", "verify-otp", "verify-backup-code"):
        answer = guarded.site.client().post(f"/two-factor/{path}", json=body, headers=bearer(token))
        assert answer.status_code in (400, 401), answer.text
    assert guarded.verify(token, "verify-totp", guarded.code()).status_code == 200


def test_a_backup_code_may_be_spent_without_a_session(guarded: Guarded) -> None:
    """``disableSession``: the code is spent, and neither session nor cookie comes of it."""
    before = len(everything(guarded.site, Session))
    body = {"code": guarded.backup_codes[0], "disableSession": True}
    header = bearer(guarded.challenge())
    client = guarded.site.client()
    answer = client.post("/two-factor/verify-backup-code", json=body, headers=header)
    assert (answer.status_code, answer.json()["token"]) == (200, None)
    assert COOKIE not in answer.headers.get("set-cookie", "")
    assert len(everything(guarded.site, Session)) == before
    again = guarded.verify(guarded.challenge(), "verify-backup-code", guarded.backup_codes[0])
    assert again.status_code == 401


@pytest.mark.parametrize(
    "path", ["enable", "disable", "generate-backup-codes", "get-totp-uri", "verify-totp"]
)
def test_an_impersonator_has_no_say(site_with: Callable[..., Site], path: str) -> None:
    """ "Sensitive changes ... are refused to an impersonator": not even with the password, which an
    admin may have set, nor with a code."""
    site = site_with(plugins=[*plugins([]), AdminPlugin()])
    site.browser().sign_up()
    user = site.run(site.auth.users.find_by_email("ada@example.com"))
    assert user is not None
    admin = site.user("boss@example.com")
    lent = site.session(user, fields={"impersonated_by": admin.id})
    body = {"code": "123456"} if path == "verify-totp" else {"password": PASSWORD}
    answer = site.client().post(f"/two-factor/{path}", json=body, headers=bearer(lent.token))
    assert (answer.status_code, answer.json()["code"]) == (403, "NOT_WHILE_IMPERSONATING")


def test_who_is_deleted_while_signing_in(guarded: Guarded) -> None:
    """A challenge for a user who is gone by then is refused, and no error of the server's."""
    users = guarded.site.auth.users

    async def delete(call: Call, user: User, remember: bool) -> None:
        await users.delete(user)

    guarded.site.auth.context.second_steps.insert(0, delete)
    answer = guarded.site.browser().sign_in()
    assert (answer.status_code, answer.json()["code"]) == (422, "DELETED_MEANWHILE")
    assert cookies_of(answer) == {}
