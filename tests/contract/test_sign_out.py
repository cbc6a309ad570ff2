"""``POST /sign-out``: the current session, and no other."""

from collections.abc import Callable

import pytest

from better_auth.config import WireName
from tests.conftest import Site
from tests.support import bearer, session_cookie


def test_sign_out(site: Site) -> None:
    """ "POST /sign-out: Revokes the current session. Returns: { "success": true }"."""
    user = site.user()
    own, other = site.session(user).token, site.session(user).token
    client = site.client()
    answer = client.post("/sign-out", headers=bearer(own))
    assert answer.status_code == 200
    assert answer.json() == {"success": True}
    assert client.get("/get-session", headers=bearer(own)).status_code == 401
    assert client.get("/get-session", headers=bearer(other)).status_code == 200


def test_by_cookie(site: Site) -> None:
    """ "Session tokens can be sent via Bearer header or cookie": a browser is signed out, and the
    token it held is dead, not merely forgotten."""
    browser = site.browser()
    token = browser.sign_up().json()["token"]
    assert browser.post("/sign-out").json() == {"success": True}
    assert not browser.http.cookies
    assert browser.get("/get-session").status_code == 401
    assert site.client().get("/get-session", headers=bearer(token)).status_code == 401


def test_an_empty_object_is_a_body_too(site: Site) -> None:
    """ "POST /sign-out" takes nothing; what clients send by habit does no harm."""
    user = site.user()
    for body in ({}, {"token": site.session(user).token}):
        own = site.session(user).token
        answer = site.client().post("/sign-out", json=body, headers=bearer(own))
        assert answer.json() == {"success": True}
    token = site.session(user).token
    listed = site.client().get("/list-sessions", headers=bearer(token)).json()["sessions"]
    assert len(listed) == 2, "a token in the body of sign-out revokes nothing"


def test_get_signs_nobody_out(site: Site) -> None:
    """ "405 with Allow": a link or an image cannot sign anybody out."""
    browser = site.browser()
    browser.sign_up()
    answer = browser.get("/sign-out")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert browser.get("/get-session").status_code == 200


def test_401(site: Site) -> None:
    """ "401 where the token is missing, invalid or expired"; the dead cookie is taken back all
    the same, so that the browser stops sending it."""
    token = site.session(site.user()).token
    client = site.client()
    assert client.post("/sign-out").status_code == 401
    assert client.post("/sign-out", headers=bearer(token + "A")).status_code == 401
    site.clock.move(days=8)
    answer = client.post(
        "/sign-out",
        headers={"Cookie": f"better-auth.session-token={token}", "Origin": site.origin},
    )
    assert answer.status_code == 401
    assert answer.json() == {"code": "UNAUTHORIZED", "message": "A valid session is required"}
    cookie = session_cookie(answer)
    assert cookie is not None
    assert (cookie["value"], cookie["max-age"]) == ("", "0")


@pytest.mark.parametrize("wire", ["native", "javascript"])
def test_no_cookie_is_taken_from_who_sent_none(
    site_with: Callable[..., Site], wire: WireName
) -> None:
    """ "CSRF": a form of another site is sent without the cookie (SameSite), but browsers obey the
    answer; what it took back, its user would be signed out of."""
    client = site_with(wire=wire).client()
    for headers in ({}, {"Cookie": "theme=dark", "Origin": "null"}):
        answer = client.post("/sign-out", headers=headers)
        assert "set-cookie" not in answer.headers
