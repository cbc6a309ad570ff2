"""The session page's table of fields, line by line, as a session lives."""

from collections.abc import Callable
from typing import Any

from better_auth.plugins import (
    AdminPlugin,
    EmailPasswordPlugin,
    OrganizationPlugin,
    SessionManagementPlugin,
)
from tests.conftest import Site
from tests.support import COOKIE, bearer

BEGUN = "2024-01-01T00:00:00.000Z"
A_DAY_LATER = "2024-01-02T00:00:00.000Z"


def session_of(site: Site, token: str) -> Any:
    """The session that ``/get-session`` answers to ``token``."""
    return site.client().get("/get-session", headers=bearer(token)).json()["session"]


def test_moments(site: Site) -> None:
    """ "expiresAt: Session expiration timestamp", "createdAt: When the session was created",
    "updatedAt: Last update timestamp": through a refresh, a day later and not before."""
    token = site.session(site.user()).token
    first = session_of(site, token)
    assert (first["createdAt"], first["updatedAt"]) == (BEGUN, BEGUN)
    assert first["expiresAt"] == "2024-01-08T00:00:00.000Z"
    site.clock.move(days=1, microseconds=-1000)
    assert session_of(site, token) == first
    site.clock.move(microseconds=1000)
    later = session_of(site, token)
    assert (later["createdAt"], later["updatedAt"]) == (BEGUN, A_DAY_LATER)
    assert later["expiresAt"] == "2024-01-09T00:00:00.000Z"
    assert {**later, "updatedAt": BEGUN, "expiresAt": first["expiresAt"]} == first


def test_token(site: Site) -> None:
    """ "token: Session token (sent as cookie or Bearer token)", "id: Unique session identifier",
    "userId: ID of the authenticated user"."""
    user = site.user()
    made = [site.session(user) for _ in range(3)]
    seen = [session_of(site, session.token) for session in made]
    assert [session["token"] for session in seen] == [session.token for session in made]
    assert len({session["id"] for session in seen}) == 3
    assert {session["userId"] for session in seen} == {user.id}
    cookie = {"Cookie": f"{COOKIE}={made[0].token}"}
    assert site.client().get("/get-session", headers=cookie).json()["session"] == seen[0]


def test_plugins_fields(site_with: Callable[..., Site]) -> None:
    """ "impersonatedBy: Admin user ID if this is an impersonated session", "activeOrganizationId:
    Active organization ID (if using Organization plugin)"; null as long as neither is."""
    site = site_with(
        plugins=[
            EmailPasswordPlugin(),
            SessionManagementPlugin(),
            AdminPlugin(),
            OrganizationPlugin(),
        ]
    )
    admin = site.user("admin@example.com", fields={"role": "admin"})
    user = site.user()
    theirs, own = site.session(admin).token, site.session(user).token
    for token in (theirs, own):
        seen = session_of(site, token)
        assert (seen["impersonatedBy"], seen["activeOrganizationId"]) == (None, None)

    client = site.client()
    body = {"userId": user.id}
    answer = client.post("/admin/impersonate-user", json=body, headers=bearer(theirs))
    impersonated = answer.json()["session"]
    assert session_of(site, impersonated["token"])["impersonatedBy"] == admin.id
    assert session_of(site, impersonated["token"])["userId"] == user.id

    body = {"name": "Engines", "slug": "engines"}
    answer = client.post("/organization/create", json=body, headers=bearer(own))
    organization = answer.json()["id"]
    assert session_of(site, own)["activeOrganizationId"] == organization
    assert session_of(site, own)["impersonatedBy"] is None
    listed = client.get("/list-sessions", headers=bearer(own)).json()["sessions"]
    assert [one["activeOrganizationId"] for one in listed] == [organization]


def test_without_the_plugins(site: Site) -> None:
    """ "activeOrganizationId ... (if using Organization plugin)": and not without."""
    seen = session_of(site, site.session(site.user()).token)
    assert "activeOrganizationId" not in seen
    assert "impersonatedBy" not in seen
