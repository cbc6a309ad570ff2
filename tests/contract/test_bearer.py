"""How a request presents its token: Bearer, cookie, both, neither."""

import pytest

from tests.conftest import Site
from tests.support import COOKIE, bearer


def test_by_bearer(site: Site) -> None:
    """ "Session tokens can be sent via Bearer header or cookie: Authorization: Bearer
    session_abc123..."."""
    token = site.browser().sign_up().json()["token"]
    answer = site.client().get("/get-session", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert answer.json()["session"]["token"] == token


def test_by_cookie(site: Site) -> None:
    """ "Session tokens can be sent via Bearer header or cookie: Cookie:
    better-auth.session-token=session_abc123..."."""
    token = site.browser().sign_up().json()["token"]
    cookie = {"Cookie": f"better-auth.session-token={token}"}
    answer = site.client().get("/get-session", headers=cookie)
    assert answer.status_code == 200
    assert answer.json()["session"]["token"] == token


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_in_any_case(site: Site, scheme: str) -> None:
    """ "The token comes by `Authorization: Bearer` (scheme case-insensitive) or by cookie"."""
    token = site.session(site.user()).token
    for header in (f"{scheme} {token}", f"{scheme}   {token}"):
        answer = site.client().get("/get-session", headers={"Authorization": header})
        assert answer.status_code == 200


def test_bearer_wins(site: Site) -> None:
    """ "Bearer wins"."""
    ada, eve = site.session(site.user()), site.session(site.user("eve@example.com"))
    headers = {**bearer(ada.token), "Cookie": f"{COOKIE}={eve.token}"}
    answer = site.client().get("/get-session", headers=headers)
    assert answer.json()["user"]["email"] == "ada@example.com"


@pytest.mark.parametrize("wrong", ["Bearer session_wrong", "Bearer", "bearer x y", "Bearer ="])
def test_a_wrong_bearer_does_not_fall_back(site: Site, wrong: str) -> None:
    """ "and a wrong Bearer does not fall back to the cookie"."""
    token = site.session(site.user()).token
    headers = {"Authorization": wrong, "Cookie": f"{COOKIE}={token}"}
    assert site.client().get("/get-session", headers=headers).status_code == 401


def test_an_expired_bearer_does_not_fall_back(site: Site) -> None:
    """ "a wrong Bearer does not fall back to the cookie": nor does one that was right."""
    user = site.user()
    expired = site.session(user, remember=False).token
    site.clock.move(days=1)
    headers = {**bearer(expired), "Cookie": f"{COOKIE}={site.session(user).token}"}
    assert site.client().get("/get-session", headers=headers).status_code == 401


@pytest.mark.parametrize("other", ["Basic YTpi", "Digest x", "session_abc", "BearerX abc", ""])
def test_another_scheme_is_not_ours_to_judge(site: Site, other: str) -> None:
    """ "The token comes by `Authorization: Bearer` ... or by cookie": a proxy's Basic
    authentication in front signs nobody out, and signs nobody in."""
    token = site.session(site.user()).token
    headers = {"Authorization": other, "Cookie": f"{COOKIE}={token}"}
    assert site.client().get("/get-session", headers=headers).status_code == 200
    alone = {"Authorization": other.replace("session_abc", token)}
    assert site.client().get("/get-session", headers=alone).status_code == 401


def test_in_no_other_place(site: Site) -> None:
    """ "Session tokens can be sent via Bearer header or cookie": not in a URL, which ends up in
    logs, nor in a body."""
    token = site.session(site.user()).token
    client = site.client()
    assert client.get("/get-session", params={"token": token}).status_code == 401
    assert client.post("/get-session", json={"token": token}).status_code == 401
    assert client.get("/get-session", headers={"X-Session-Token": token}).status_code == 401


def test_every_endpoint_by_either_way(site: Site) -> None:
    """ "Bearer header or cookie", for all endpoints of the page."""
    user = site.user()
    for method, path in (
        ("GET", "/get-session"),
        ("GET", "/list-sessions"),
        ("POST", "/revoke-session"),
        ("POST", "/revoke-other-sessions"),
        ("POST", "/revoke-sessions"),
        ("POST", "/sign-out"),
    ):
        for way in ("bearer", "cookie"):
            token = site.session(user).token
            headers = (
                bearer(token)
                if way == "bearer"
                else {"Cookie": f"{COOKIE}={token}", "Origin": site.origin}
            )
            answer = site.client().request(method, path, json={"id": "x"}, headers=headers)
            assert answer.status_code == 200, (path, way)
