"""One-time tokens: a session carried elsewhere, once, and only while it stands."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from better_auth import ConfigurationError, Verification
from better_auth.plugins import (
    AdminPlugin,
    AnonymousPlugin,
    EmailPasswordPlugin,
    MultiSessionPlugin,
    OneTimeTokenPlugin,
    SessionManagementPlugin,
)
from tests.conftest import Site
from tests.support import bearer, session_cookie

MakeSite = Callable[..., Site]


def plugins(**options: object) -> list[object]:
    """Passwords, sessions and one-time tokens with ``options``."""
    return [EmailPasswordPlugin(), SessionManagementPlugin(), OneTimeTokenPlugin(**options)]  # type: ignore[arg-type]


@pytest.fixture
def site(site_with: MakeSite) -> Site:
    """A site with one-time tokens."""
    return site_with(plugins=plugins())


def generate(site: Site, token: str) -> str:
    """A one-time token for the session with ``token``."""
    answer = site.client().get("/one-time-token/generate", headers=bearer(token))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


def test_the_walk(site: Site) -> None:
    """The same session in another place, with its cookie, and the token is spent."""
    session = site.session(site.user())
    token = generate(site, session.token)
    assert token != session.token
    elsewhere = site.browser()
    answer = elsewhere.post("/one-time-token/verify", {"token": token})
    assert answer.json().keys() == {"session", "user"}
    assert answer.json()["session"]["id"] == session.id
    cookie = session_cookie(answer)
    assert cookie is not None
    assert cookie["value"] == session.token
    assert elsewhere.get("/get-session").json()["user"]["email"] == "ada@example.com"
    again = site.browser().post("/one-time-token/verify", {"token": token})
    assert (again.status_code, again.json()["code"]) == (400, "INVALID_TOKEN")
    assert session_cookie(again) is None


def test_generating_needs_a_session(site: Site) -> None:
    """Nobody's session is handed out."""
    assert site.client().get("/one-time-token/generate").status_code == 401


def test_not_a_session_token(site: Site) -> None:
    """ "nothing minted for one door opens another"."""
    session = site.session(site.user())
    token = generate(site, session.token)
    assert site.client().get("/get-session", headers=bearer(token)).status_code == 401
    for wrong in (session.token, token[:-1], token + "x", token.upper(), "x", "é" * 50):
        answer = site.client().post("/one-time-token/verify", json={"token": wrong})
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_TOKEN")
    assert site.client().post("/one-time-token/verify", json={"token": token}).status_code == 200


def test_three_minutes(site: Site) -> None:
    """ "expires": good until three minutes are over, no longer."""
    session = site.session(site.user())
    first, second = generate(site, session.token), generate(site, session.token)
    site.clock.move(minutes=2, seconds=59)
    assert site.client().post("/one-time-token/verify", json={"token": first}).status_code == 200
    site.clock.move(seconds=1)
    late = site.client().post("/one-time-token/verify", json={"token": second})
    assert (late.status_code, late.json()["code"]) == (400, "INVALID_TOKEN")


def test_once_under_concurrency(site: Site) -> None:
    """ "concurrent -> one"."""
    token = generate(site, site.session(site.user()).token)
    clients = [site.client() for _ in range(8)]

    def verify(index: int) -> int:
        return clients[index].post("/one-time-token/verify", json={"token": token}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(verify, range(8))) == [200, *[400] * 7]


@pytest.mark.parametrize("what", ["expired", "revoked", "rotated", "user deleted"])
def test_a_session_that_is_over(site_with: MakeSite, what: str) -> None:
    """ "one-time-token sets the cookie before the expiry check": here no cookie is set for what
    is over, and the token is spent."""
    site = site_with(plugins=plugins(expires_in=timedelta(days=30)))
    user = site.user()
    session = site.session(user, remember=False)
    token = generate(site, session.token)
    if what == "expired":
        site.clock.move(days=1)
    elif what == "revoked":
        site.run(site.auth.sessions.revoke(session))
    elif what == "rotated":
        site.run(site.auth.sessions.rotate(session))
    else:
        site.run(site.auth.users.delete(user))
    answer = site.browser().post("/one-time-token/verify", {"token": token})
    assert (answer.status_code, answer.json()["code"]) == (400, "SESSION_NOT_FOUND")
    assert answer.headers.get("set-cookie") is None
    again = site.browser().post("/one-time-token/verify", {"token": token})
    assert again.json()["code"] == "INVALID_TOKEN"


def test_at_rest(site: Site) -> None:
    """ "stored as fingerprint": the database holds neither token."""
    session = site.session(site.user())
    token = generate(site, session.token)
    rows = site.run(site.auth.database.find(Verification))
    text = json.dumps([str(row.__dict__) for row in rows])
    assert rows
    assert session.token not in text
    assert token not in text
    assert token[-20:] not in text


def test_from_another_site(site: Site) -> None:
    """Signing a browser in as the attacker takes a page of theirs: refused."""
    token = generate(site, site.session(site.user()).token)
    answer = site.client().post(
        "/one-time-token/verify", json={"token": token}, headers={"Origin": "https://evil.example"}
    )
    assert answer.status_code == 403
    assert site.client().post("/one-time-token/verify", json={"token": token}).status_code == 200


def test_options(site_with: MakeSite) -> None:
    """Generating in code only; no cookie; a token with every sign-in, in a header."""
    site = site_with(plugins=plugins(disable_client_request=True, disable_set_session_cookie=True))
    session = site.session(site.user())
    headers = bearer(session.token)
    assert site.client().get("/one-time-token/generate", headers=headers).status_code == 404
    plugin = site.auth.plugin(OneTimeTokenPlugin)
    token = site.run(plugin.generate(site.auth.call(token=session.token))).token
    answer = site.client().post("/one-time-token/verify", json={"token": token})
    assert answer.json()["session"]["id"] == session.id
    assert answer.headers.get("set-cookie") is None
    site = site_with(plugins=plugins(set_ott_header_on_new_session=True))
    answer = site.browser().sign_up()
    assert "set-ott" in answer.headers["access-control-expose-headers"]
    carried = site.client().post(
        "/one-time-token/verify", json={"token": answer.headers["set-ott"]}
    )
    assert carried.json()["session"]["token"] == answer.json()["token"]
    assert "set-ott" not in carried.headers, "taking up a session is no new sign-in"
    with pytest.raises(ConfigurationError, match="expires_in"):
        OneTimeTokenPlugin(expires_in=timedelta(0))


def test_with_several_accounts(site_with: MakeSite) -> None:
    """A session taken up is one of the browser's from then on."""
    site = site_with(plugins=[*plugins(), MultiSessionPlugin()])
    token = generate(site, site.session(site.user()).token)
    browser = site.browser()
    browser.post("/one-time-token/verify", {"token": token})
    assert len(browser.get("/multi-session/list-device-sessions").json()) == 1


def test_an_impersonation_carried_elsewhere_is_not_kept(site_with: MakeSite) -> None:
    """What an admin is for an hour does not become one of a browser's accounts."""
    site = site_with(plugins=[*plugins(), MultiSessionPlugin(), AdminPlugin()])
    admin, user = site.user("admin@example.com"), site.user()
    lent = site.session(user, fields={"impersonated_by": admin.id}, lifetime=timedelta(hours=1))
    browser = site.browser()
    answer = browser.post("/one-time-token/verify", {"token": generate(site, lent.token)})
    assert answer.json()["session"]["impersonatedBy"] == admin.id
    assert browser.get("/get-session").status_code == 200
    assert browser.get("/multi-session/list-device-sessions").json() == []


def test_a_session_taken_up_is_no_sign_in(site_with: MakeSite) -> None:
    """Nobody is led, by a token of somebody else's session, to hand them what an anonymous user
    has: only who signs in takes over."""
    site = site_with(plugins=[*plugins(), AnonymousPlugin()])
    browser = site.browser()
    anonymous = browser.post("/sign-in/anonymous").json()
    token = generate(site, site.session(site.user()).token)
    assert browser.post("/one-time-token/verify", {"token": token}).status_code == 200
    left = site.client().get("/get-session", headers=bearer(anonymous["token"]))
    assert left.json()["user"]["isAnonymous"] is True
