"""``examples/everything.py`` as somebody runs it who copies from it."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

from better_auth import plugins
from tests.example import ROOT, Example, example_command, example_environment, running_example
from tests.support import COOKIE, PASSWORD, Browser, bearer, every_plugin


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Example]]:
    """Starts the example with more settings."""
    with ExitStack() as stack:
        yield lambda **more: stack.enter_context(running_example(tmp_path, **more))


def test_everything(run: Callable[..., Example]) -> None:
    """Routes of its own, WebSockets, messages, admins, second factors."""
    example = run()
    browser = Browser(example.origin)
    answer = browser.sign_up()
    token = answer.json()["token"]
    with httpx.Client(base_url=example.origin) as client:
        me = client.get("/me", headers=bearer(token)).json()
        session = browser.get("/get-session").json()
        assert me == {
            "userId": session["user"]["id"],
            "email": "ada@example.com",
            "sessionId": session["session"]["id"],
        }
        refused = client.get("/me")
        assert (refused.status_code, sorted(refused.json())) == (401, ["code", "message"])
        assert client.get("/maybe").json() == {"userId": None}
        assert client.get("/maybe", headers=bearer(token)).json() == {"userId": me["userId"]}
        operation = client.get("/openapi.json").json()["paths"]["/me"]["get"]
        assert operation["security"] == [{"bearer": []}, {"cookie": []}]

        address = example.origin.replace("http", "ws") + "/ws"
        for headers in (bearer(token), {"Cookie": f"{COOKIE}={token}"}):
            with connect(address, additional_headers=headers) as socket:
                assert json.loads(socket.recv())["email"] == "ada@example.com"
        with pytest.raises(InvalidStatus):
            connect(address)

        assert example.messages("welcome")[0].keys() == {"to", "kind", "url"}
        assert session["user"]["role"] == "user"
        boss = Browser(example.origin)
        assert boss.sign_up("boss@example.com").json()["user"]["role"] == "admin"
        assert boss.get("/admin/list-users").json()["total"] == 2

        enrolment = browser.post("/two-factor/enable", {"password": PASSWORD}).json()
        query = parse_qs(urlsplit(enrolment["totpURI"]).query)
        assert query["issuer"] == ["Everything"]
        code = pyotp.TOTP(query["secret"][0]).now()
        assert browser.post("/two-factor/verify-totp", {"code": code}).status_code == 200
        phone = Browser(example.origin)
        assert phone.sign_in().json()["twoFactorMethods"] == ["totp", "otp"]
        phone.post("/two-factor/send-otp")
        (sent,) = example.messages("otp")
        assert sent["to"] == "ada@example.com"
        verified = phone.post("/two-factor/verify-otp", {"code": sent["code"]})
        assert verified.status_code == 200

        browser.post("/organization/create", {"name": "Acme", "slug": "acme"})
        browser.post("/organization/invite-member", {"email": "boss@example.com"})
        (invitation,) = example.messages("invitation")
        assert invitation["url"].rpartition("/")[2]

        now_token = verified.json()["token"]
        browser.post("/revoke-session", {"token": now_token})
        assert client.get("/me", headers=bearer(now_token)).status_code == 401


def test_every_plugin_is_there() -> None:
    """ "FastAPI with every plugin there is (kept so as plugins come)"; and so are the tests'."""
    there = [
        name
        for name in plugins.__all__
        if isinstance(kind := getattr(plugins, name), type)
        and issubclass(kind, plugins.Plugin)
        and kind is not plugins.Plugin
    ]
    script = """
from examples.everything import auth
print(*(type(plugin).__name__ for plugin in auth.plugins))"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=example_environment(Path("/nowhere")),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert sorted(there) == sorted(set(done.stdout.split()) - {"CorePlugin"})
    assert sorted(there) == sorted(type(plugin).__name__ for plugin in every_plugin())


@pytest.mark.parametrize("mount", ["/auth", "/api/auth"])
def test_whatever_is_told_reaches_the_outbox(run: Callable[..., Example], mount: str) -> None:
    """ "e-mails and one-time codes appended as JSON lines (`{"to", "kind", "code" or "url"}`)", of
    every kind, on both wires; a link begins where the application was asked."""
    example = run()
    ada = "ada@example.com"

    def told(kind: str, to: str = ada) -> str:
        deadline = time.monotonic() + 10
        while not (found := example.messages(kind)) and time.monotonic() < deadline:
            time.sleep(0.02)
        (line,) = found
        assert line["to"] == to
        assert line.keys() in ({"to", "kind", "code"}, {"to", "kind", "url"})
        content = line.get("code") or line["url"]
        if "url" in line and kind in LINKS:
            assert content.startswith(f"{example.origin}{mount}/")
        return content

    def posted(path: str, **body: object) -> httpx.Response:
        answer = browser.post(path, body)
        assert answer.status_code == 200, (path, answer.text)
        return answer

    with closing(Browser(example.origin, mount)) as browser:
        browser.sign_up()
        told("welcome")
        browser.get(told("verify-email"))
        posted("/request-password-reset", email=ada)
        token = urlsplit(told("reset-password")).path.rpartition("/")[2]
        posted("/reset-password", newPassword="another long passphrase", token=token)
        told("password-changed")
        posted("/sign-in/magic-link", email=ada)
        browser.get(told("magic-link"))
        for kind in ("sign-in", "email-verification", "forget-password"):
            posted("/email-otp/send-verification-otp", email=ada, type=kind)
        told("verify-email-code")
        told("reset-password-code")
        posted("/sign-in/email-otp", email=ada, otp=told("sign-in-code"))
        posted("/email-otp/request-email-change", newEmail="augusta@example.com")
        told("change-email-code", to="augusta@example.com")
        posted("/change-email", newEmail="lovelace@example.com")
        browser.get(told("change-email", to="lovelace@example.com"))
        told("email-changed")
        posted("/organization/create", name="Acme", slug="acme")
        posted("/organization/invite-member", email="bob@example.com", role="member")
        told("invitation", to="bob@example.com")
        posted("/two-factor/enable", password="another long passphrase")
        posted("/two-factor/send-otp")
        told("otp", to="lovelace@example.com")


LINKS = {"verify-email", "reset-password", "magic-link", "change-email"}


def test_mail_reaches_the_outbox(run: Callable[..., Example]) -> None:
    """Messages to people are appended, as JSON lines: links to verify an address and to choose a
    new password work as they stand there."""
    example = run()

    def link(kind: str) -> str:
        deadline = time.monotonic() + 10
        while not (found := example.messages(kind)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert found[-1].keys() == {"to", "kind", "url"}
        return found[-1]["url"]

    with closing(Browser(example.origin)) as browser:
        browser.sign_up()
        assert browser.get(link("verify-email")).json()["status"] is True
        assert browser.get("/get-session").json()["user"]["emailVerified"] is True
        browser.post("/request-password-reset", {"email": "ada@example.com"})
        on = browser.get(link("reset-password"))
        (token,) = parse_qs(urlsplit(on.headers["location"]).query)["token"]
        new = {"newPassword": "another long passphrase", "token": token}
        assert browser.post("/reset-password", new).json() == {"status": True}
        assert browser.sign_in(password="another long passphrase").status_code == 200


def test_seconds_from_the_environment(run: Callable[..., Example]) -> None:
    """``BETTER_AUTH_SESSION__EXPIRES_IN=2`` is two seconds."""
    example = run(BETTER_AUTH_SESSION__EXPIRES_IN="2", BETTER_AUTH_SESSION__UPDATE_AGE="1")
    answer = Browser(example.origin).sign_up()
    assert "Max-Age=2" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BETTER_AUTH_NO_SUCH", "1"),
        ("BETTER_AUTH_SESSION__NO_SUCH", "1"),
        ("BETTER_AUTH_SESSION__COOKIE_SAME_SITE", "None"),
        ("BETTER_AUTH_SECRET", "short"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, value: str) -> None:
    """An unknown or contradictory setting is refused at start."""
    done = subprocess.run(
        example_command(0),
        cwd=ROOT,
        env=example_environment(tmp_path, **{name: value}),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode != 0
    setting = name.removeprefix("BETTER_AUTH_").lower().replace("__", ".")
    assert name in done.stderr or setting in done.stderr


def test_signing_a_device_out_closes_what_it_has_open(run: Callable[..., Example]) -> None:
    """`session.revoked`: the WebSocket of a device that is signed out elsewhere closes."""
    example = run()
    with closing(Browser(example.origin)) as laptop, closing(Browser(example.origin)) as phone:
        assert laptop.sign_up().status_code == 200
        assert phone.sign_in().status_code == 200
        address = example.origin.replace("http", "ws") + "/ws"
        headers = {"Cookie": f"{COOKIE}={phone.http.cookies[COOKIE]}"}
        with connect(address, additional_headers=headers) as socket:
            socket.recv(5)
            socket.send("still here")
            assert socket.recv(5) == "still here"
            assert laptop.post("/revoke-other-sessions").json() == {"count": 1}
            with pytest.raises(ConnectionClosedError) as closed:
                socket.recv(5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
