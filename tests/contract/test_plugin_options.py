"""``SessionManagementPlugin`` and its three options."""

import inspect
from collections.abc import Callable

import pytest

from better_auth.plugins import EmailPasswordPlugin, SessionManagementPlugin
from tests.conftest import Site
from tests.support import bearer

REVOKING = ["/revoke-session", "/revoke-sessions", "/revoke-other-sessions"]
ENDPOINTS = [
    ("GET", "/get-session"),
    ("POST", "/get-session"),
    ("POST", "/sign-out"),
    ("GET", "/list-sessions"),
    *(("POST", path) for path in REVOKING),
]


def plugins(**options: bool) -> list[object]:
    """Sign-up and sign-in, and session management with ``options``."""
    return [EmailPasswordPlugin(), SessionManagementPlugin(**options)]


def test_the_defaults() -> None:
    """ "enable_session_listing bool true", "enable_session_revocation bool true",
    "require_authentication bool true"."""
    parameters = inspect.signature(SessionManagementPlugin).parameters
    assert {name: parameter.default for name, parameter in parameters.items()} == {
        "enable_session_listing": True,
        "enable_session_revocation": True,
        "require_authentication": True,
    }


def test_the_plugin_brings_the_endpoints(site_with: Callable[..., Site]) -> None:
    """ "The SessionManagementPlugin provides endpoints for querying, listing, and revoking
    sessions": without it there are none."""
    without, whole = site_with(plugins=[EmailPasswordPlugin()]), site_with()
    for method, path in ENDPOINTS:
        assert without.client().request(method, path).status_code == 404
        assert whole.client().request(method, path, json={"id": "x"}).status_code == 401


def test_under_the_base_path(site_with: Callable[..., Site]) -> None:
    """ "All under `AuthConfig.base_path`, default `/auth`"."""
    site, other = site_with(), site_with(base_path="/api/v1/auth")
    assert site.url == site.origin + "/auth"
    for method, path in ENDPOINTS:
        assert site.client().request(method, path, json={"id": "x"}).status_code == 401
        for base in ("", "/api/v1/auth"):
            assert site.client().request(method, site.origin + base + path).status_code == 404
        url = other.origin + "/api/v1/auth" + path
        assert other.client().request(method, url, json={"id": "x"}).status_code == 401
        assert other.client().request(method, other.origin + "/auth" + path).status_code == 404


def test_listing_off(site_with: Callable[..., Site]) -> None:
    """ "Allow listing all user sessions" and "Listing off: `/list-sessions` is 404"."""
    site = site_with(plugins=plugins(enable_session_listing=False))
    headers = bearer(site.session(site.user()).token)
    answer = site.client().get("/list-sessions", headers=headers)
    assert answer.status_code == 404
    assert answer.json()["code"] == "NOT_FOUND"
    assert site.client().get("/get-session", headers=headers).status_code == 200
    assert site.client().post("/revoke-other-sessions", headers=headers).status_code == 200


def test_revocation_off(site_with: Callable[..., Site]) -> None:
    """ "Allow revoking sessions" and "Revocation off: the three revoke endpoints are 404, sign-out
    stays"."""
    site = site_with(plugins=plugins(enable_session_revocation=False))
    user = site.user()
    own, other = site.session(user), site.session(user)
    headers, client = bearer(own.token), site.client()
    for path in REVOKING:
        answer = client.post(path, json={"token": other.token}, headers=headers)
        assert answer.status_code == 404
        assert answer.json()["code"] == "NOT_FOUND"
    assert len(client.get("/list-sessions", headers=headers).json()["sessions"]) == 2
    assert client.post("/sign-out", headers=headers).json() == {"success": True}
    assert client.get("/get-session", headers=headers).status_code == 401


def test_off_is_not_documented(site_with: Callable[..., Site]) -> None:
    """ "Listing off: `/list-sessions` is 404": and is not in the OpenAPI document."""
    site = site_with(plugins=plugins(enable_session_listing=False, enable_session_revocation=False))
    paths = site.client().get("/openapi.json").json()["paths"]
    assert "/sign-out" in paths
    assert not {"/list-sessions", *REVOKING} & paths.keys()


def test_authentication_is_required(site: Site) -> None:
    """ "require_authentication: Require auth for all endpoints"."""
    for method, path in ENDPOINTS:
        answer = site.client().request(method, path, json={"token": "session_x"})
        assert answer.status_code == 401, path
        assert answer.json() == {"code": "UNAUTHORIZED", "message": "A valid session is required"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/get-session", {"session": None, "user": None}),
        ("POST", "/get-session", {"session": None, "user": None}),
        ("GET", "/list-sessions", {"sessions": []}),
        ("POST", "/sign-out", {"success": True}),
        ("POST", "/revoke-session", {"success": False}),
        ("POST", "/revoke-sessions", {"count": 0}),
        ("POST", "/revoke-other-sessions", {"count": 0}),
    ],
)
def test_an_anonymous_caller_gets_an_empty_answer(
    site_with: Callable[..., Site], method: str, path: str, body: object
) -> None:
    """ "`require_authentication=False`: an anonymous caller gets an empty answer instead of 401
    (`{"session": null, "user": null}`, `{"sessions": []}`, sign-out `{"success": true}`,
    revoke-session `{"success": false}`, `{"count": 0}`), never anyone's data"."""
    site = site_with(plugins=plugins(require_authentication=False))
    user = site.user()
    expired = site.session(user, remember=False)
    site.clock.move(days=1)
    living = site.session(user)
    target = {"token": living.token}
    for headers in ({}, bearer("session_wrong"), bearer(expired.token), bearer(living.id)):
        answer = site.client().request(method, path, json=target, headers=headers)
        assert (answer.status_code, answer.json()) == (200, body)
    own = site.client().get("/get-session", headers=bearer(living.token))
    assert own.json()["user"]["id"] == user.id, "nothing was revoked, and a caller is recognised"


def test_without_requiring_it_a_caller_is_served_all_the_same(
    site_with: Callable[..., Site],
) -> None:
    """ "`require_authentication=False`" changes nothing for who has a session."""
    site = site_with(plugins=plugins(require_authentication=False))
    user = site.user()
    own, second, third = (site.session(user) for _ in range(3))
    headers, client = bearer(own.token), site.client()
    assert len(client.get("/list-sessions", headers=headers).json()["sessions"]) == 3
    gone = client.post("/revoke-session", json={"token": second.token}, headers=headers)
    assert gone.json() == {"success": True}
    assert client.get("/get-session", headers=bearer(second.token)).json()["session"] is None
    assert client.post("/revoke-other-sessions", headers=headers).json() == {"count": 1}
    assert client.get("/get-session", headers=bearer(third.token)).json()["session"] is None
    assert client.post("/revoke-sessions", headers=headers).json() == {"count": 1}
