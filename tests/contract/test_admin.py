"""Administration: permissions read at each call, bans, roles, impersonation."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from better_auth.events import ImpersonationEnded, ImpersonationStarted, SessionCreating
from better_auth.http.call import Call
from better_auth.models import Session, User, impersonator
from better_auth.plugins import (
    AccessControl,
    AdminPlugin,
    EmailPasswordPlugin,
    SessionManagementPlugin,
)
from better_auth.plugins.admin import STATEMENTS
from tests.conftest import Site
from tests.support import COOKIE, PASSWORD, Browser, bearer


class Office:
    """A site with an admin (Ada) and a user (Bob), both with a browser and a token."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.admin_browser, self.bob_browser = site.browser(), site.browser()
        self.ada = self._signed_up(self.admin_browser, "ada@example.com")
        self.bob = self._signed_up(self.bob_browser, "bob@example.com")
        admin = site.auth.plugin(AdminPlugin)
        user = site.run(site.auth.users.find(self.ada["id"]))
        assert user is not None
        site.run(admin.give_role(user, "admin"))
        self.admin_token = str(self.admin_browser.sign_in().json()["token"])
        self.bob_token = str(self.bob_browser.sign_in("bob@example.com").json()["token"])

    @staticmethod
    def _signed_up(browser: Browser, email: str) -> dict[str, Any]:
        return dict(browser.sign_up(email).json()["user"])

    def post(self, path: str, body: Any = None, token: str | None = None) -> httpx.Response:
        """POST an admin endpoint as Ada, or as whoever ``token`` is."""
        headers = bearer(self.admin_token if token is None else token)
        return self.site.client().post(f"/admin/{path}", json=body or {}, headers=headers)

    def status(self, token: str) -> int:
        """What get-session says to a token."""
        return self.site.client().get("/get-session", headers=bearer(token)).status_code

    def impersonate(self, user_id: str | None = None, token: str | None = None) -> httpx.Response:
        """Impersonate Bob (or another), by Bearer."""
        return self.post("impersonate-user", {"userId": user_id or self.bob["id"]}, token)


def plugins(**options: Any) -> list[Any]:
    """Sign-in, sessions and administration."""
    return [EmailPasswordPlugin(), SessionManagementPlugin(), AdminPlugin(**options)]


@pytest.fixture
def office_with(site_with: Callable[..., Site]) -> Callable[..., Office]:
    """Makes an office with options of the plugin."""
    return lambda **options: Office(site_with(plugins=plugins(**options)))


@pytest.fixture
def office(office_with: Callable[..., Office]) -> Office:
    """A site with an admin and a user."""
    return office_with()


ENDPOINTS: list[tuple[str, dict[str, Any]]] = [
    ("create-user", {"name": "X", "email": "x@example.com", "password": PASSWORD, "role": "admin"}),
    ("update-user", {"userId": "{bob}", "data": {"name": "X"}}),
    ("remove-user", {"userId": "{bob}"}),
    ("set-role", {"userId": "{bob}", "role": "admin"}),
    ("set-user-password", {"userId": "{bob}", "newPassword": "another password"}),
    ("ban-user", {"userId": "{bob}"}),
    ("unban-user", {"userId": "{bob}"}),
    ("list-user-sessions", {"userId": "{bob}"}),
    ("revoke-user-session", {"id": "{session}"}),
    ("revoke-user-sessions", {"userId": "{bob}"}),
    ("revoke-all-sessions", {}),
    ("impersonate-user", {"userId": "{bob}"}),
]


@pytest.mark.parametrize(("path", "body"), ENDPOINTS)
def test_nobody_and_nobody_special_are_refused(
    office: Office, path: str, body: dict[str, Any]
) -> None:
    """401 without a session, 403 without permission, and nothing happens."""
    body = {k: office.bob["id"] if v == "{bob}" else v for k, v in body.items()}
    assert office.post(path, body, token="nobody").status_code == 401
    assert office.post(path, body, token=office.bob_token).status_code == 403
    assert office.status(office.bob_token) == 200
    user = office.site.run(office.site.auth.users.find(office.bob["id"]))
    assert user is not None
    assert user.model_dump() == {**user.model_dump(), "role": "user", "banned": False}


@pytest.mark.parametrize("path", ["list-users", "get-user?id=x"])
def test_reading_is_refused_too(office: Office, path: str) -> None:
    """So is looking."""
    client = office.site.client()
    assert client.get(f"/admin/{path}").status_code == 401
    answer = client.get(f"/admin/{path}", headers=bearer(office.bob_token))
    assert answer.status_code == 403


def test_no_field_makes_an_admin(office: Office) -> None:
    """No endpoint lets a user set its own role, ban state or verification."""
    body = {
        "name": "Eve",
        "email": "eve@example.com",
        "password": PASSWORD,
        "role": "admin",
        "banned": False,
        "emailVerified": True,
        "email_verified": True,
    }
    user = office.site.client().post("/sign-up/email", json=body).json()["user"]
    assert user["role"] == "user"
    assert user["emailVerified"] is False
    own = {"userId": office.ada["id"]}
    assert office.post("set-role", {**own, "role": "user"}).status_code == 400
    assert office.post("ban-user", own).status_code == 400
    assert office.post("remove-user", own).status_code == 400
    verified = {**own, "data": {"emailVerified": True}}
    assert office.post("update-user", verified).status_code == 400


def test_permission_is_read_at_each_call(office: Office) -> None:
    """A role that is taken away in the database counts no longer with the very next call."""
    site = office.site
    assert office.post("has-permission", {"permissions": {"user": ["ban"]}}).json()["success"]
    site.run(site.auth.database.update(User, {"role": "user"}, id=office.ada["id"]))
    assert office.post("list-user-sessions", {"userId": office.bob["id"]}).status_code == 403
    answer = office.post("has-permission", {"permissions": {"user": ["ban"]}})
    assert answer.json() == {"success": False, "error": None}
    assert office.post("has-permission", {"permissions": {}}, token="nobody").status_code == 401


def test_create_user(office: Office) -> None:
    """Users are made with a role, without one's own sign-up."""
    body = {"name": "Cy", "email": "CY@example.com", "password": PASSWORD, "role": "admin"}
    user = office.post("create-user", body).json()["user"]
    assert (user["email"], user["role"], user["emailVerified"]) == (
        "cy@example.com",
        "admin",
        False,
    )
    assert office.site.browser().sign_in("cy@example.com").status_code == 200
    assert office.post("create-user", body).status_code == 422
    other = {**body, "email": "dy@example.com"}
    assert office.post("create-user", {**other, "role": "king"}).status_code == 400
    assert office.post("create-user", {**other, "password": "short"}).status_code == 400


def test_list_users(office: Office) -> None:
    """Search, filter, sort, page, total."""
    for number in range(5):
        office.site.clock.move(seconds=1)
        office.site.user(f"user{number}@example.com")
    client = office.site.client()

    def listed(**query: Any) -> dict[str, Any]:
        answer = client.get("/admin/list-users", params=query, headers=bearer(office.admin_token))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    assert listed()["total"] == 7
    page = listed(searchValue="user", searchOperator="starts_with", limit=2, offset=1)
    assert [user["email"] for user in page["users"]] == ["user1@example.com", "user2@example.com"]
    assert (page["total"], page["limit"], page["offset"]) == (5, 2, 1)
    newest = listed(sortBy="createdAt", sortDirection="desc", limit=1)["users"]
    assert newest[0]["email"] == "user4@example.com"
    admins = listed(filterField="role", filterValue="admin")
    assert [user["email"] for user in admins["users"]] == ["ada@example.com"]
    assert listed(filterField="banned", filterValue="true")["total"] == 0
    assert listed(searchValue="%")["total"] == 0
    for wrong in ({"limit": 0}, {"sortBy": "passwordHash"}, {"filterField": "token"}):
        answer = client.get("/admin/list-users", params=wrong, headers=bearer(office.admin_token))
        assert answer.status_code == 400


def test_get_and_update_user(office: Office) -> None:
    """A user is read and changed; a new address counts as unverified and ends the sessions."""
    client = office.site.client()
    query = {"id": office.bob["id"]}
    answer = client.get("/admin/get-user", params=query, headers=bearer(office.admin_token))
    assert answer.json()["email"] == "bob@example.com"
    missing = client.get("/admin/get-user", params={"id": "x"}, headers=bearer(office.admin_token))
    assert missing.status_code == 404
    own = {"userId": office.bob["id"]}
    changed = office.post("update-user", {**own, "data": {"name": "Robert", "image": None}})
    assert changed.json()["name"] == "Robert"
    assert office.status(office.bob_token) == 200
    moved = office.post("update-user", {**own, "data": {"email": "Robert@Example.com"}})
    assert moved.json()["email"] == "robert@example.com"
    assert moved.json()["emailVerified"] is False
    assert office.status(office.bob_token) == 401
    assert office.post("update-user", {**own, "data": {}}).status_code == 400
    assert office.post("update-user", {**own, "data": {"name": None}}).status_code == 400
    taken = office.post("update-user", {**own, "data": {"email": "ada@example.com"}})
    assert taken.status_code == 422


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("ban-user", {}),
        ("remove-user", {}),
        ("set-user-password", {"newPassword": "another password"}),
        ("set-role", {"role": "admin"}),
        ("revoke-user-sessions", {}),
    ],
)
def test_what_ends_sessions_at_once(office: Office, path: str, body: dict[str, Any]) -> None:
    """Banning, removing, setting a password and changing a role end the user's sessions."""
    assert office.post(path, {"userId": office.bob["id"], **body}).status_code == 200
    assert office.status(office.bob_token) == 401
    assert office.status(office.admin_token) == 200
    assert office.post(path, {"userId": "nobody", **body}).status_code == 404


def test_demoting_ends_sessions(office: Office) -> None:
    """A demoted admin is out at once."""
    office.post("set-role", {"userId": office.bob["id"], "role": "admin"})
    token = office.bob_browser.sign_in("bob@example.com").json()["token"]
    assert office.post("ban-user", {"userId": "nobody"}, token=token).status_code == 404
    office.post("set-role", {"userId": office.bob["id"], "role": "user"})
    assert office.post("ban-user", {"userId": "nobody"}, token=token).status_code == 401


def test_set_user_password(office: Office) -> None:
    """The new password works and the old does not; also for a user who had none."""
    own = {"userId": office.bob["id"], "newPassword": "another password"}
    assert office.post("set-user-password", own).json() == {"status": True}
    assert office.site.browser().sign_in("bob@example.com").status_code == 401
    new = {"password": "another password"}
    assert office.site.browser().sign_in("bob@example.com", **new).status_code == 200
    assert office.post("set-user-password", {**own, "newPassword": "short"}).status_code == 400
    without = office.site.user("without@example.com")
    office.post("set-user-password", {"userId": without.id, "newPassword": PASSWORD})
    assert office.site.browser().sign_in("without@example.com").status_code == 200


def test_ban(office: Office) -> None:
    """A banned user is refused with the reason shown, until the ban expires by itself."""
    body = {"userId": office.bob["id"], "banReason": "spam", "banExpiresIn": 3600}
    user = office.post("ban-user", body).json()["user"]
    assert (user["banned"], user["banReason"]) == (True, "spam")
    assert user["banExpires"] == "2024-01-01T01:00:00.000Z"
    refused = office.bob_browser.sign_in("bob@example.com")
    assert (refused.status_code, refused.json()["code"]) == (403, "BANNED_USER")
    assert "spam" in refused.json()["message"]
    assert COOKIE not in refused.headers.get("set-cookie", "")
    wrong = office.bob_browser.sign_in("bob@example.com", password="wrong wrong")
    assert wrong.status_code == 401, "who does not know the password learns of no ban"
    office.site.clock.move(hours=1)
    assert office.bob_browser.sign_in("bob@example.com").status_code == 200
    lifted = office.bob_browser.get("/get-session").json()["user"]
    assert (lifted["banned"], lifted["banReason"], lifted["banExpires"]) == (False, None, None)


def test_unban(office: Office) -> None:
    """A ban without an end lasts until it is taken back."""
    office.post("ban-user", {"userId": office.bob["id"]})
    office.site.clock.move(days=10_000)
    assert office.bob_browser.sign_in("bob@example.com").status_code == 403
    office.site.clock.move(days=-10_000)
    office.post("unban-user", {"userId": office.bob["id"]})
    assert office.bob_browser.sign_in("bob@example.com").status_code == 200


def test_session_made_while_banning_does_not_count(office: Office) -> None:
    """Whoever wins the race between a sign-in and a ban: the banned are out."""
    site = office.site
    banned = {"banned": True}
    site.run(site.auth.database.update(User, banned, id=office.bob["id"]))
    assert office.status(office.bob_token) == 401


def test_who_is_banned_anew_stays_banned(office: Office) -> None:
    """Whoever signs in when a ban is over lifts that one, and none that begins meanwhile."""
    bob, users = {"userId": office.bob["id"]}, office.site.auth.users
    office.post("ban-user", bob | {"banExpiresIn": 60})
    office.site.clock.move(minutes=1)

    async def ban_again(call: Call, user: User, remember: bool) -> None:
        await users.update(user, {"banned": True, "ban_expires": None})

    office.site.auth.context.second_steps.insert(0, ban_again)
    answer = office.bob_browser.sign_in("bob@example.com")
    assert (answer.status_code, answer.json()["code"]) == (403, "BANNED_USER")
    user = office.site.run(users.find(office.bob["id"]))
    assert user is not None
    assert user.model_dump()["banned"] is True


def test_a_ban_that_is_over_is_lifted_by_two_at_once(office: Office) -> None:
    """Whoever comes second in lifting it is let in, too."""
    office.post("ban-user", {"userId": office.bob["id"], "banExpiresIn": 60})
    office.site.clock.move(minutes=1)
    browsers = [office.site.browser() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda browser: browser.sign_in("bob@example.com"), browsers))
    assert [answer.status_code for answer in answers] == [200] * 6


def test_sessions_of_others(office: Office) -> None:
    """Sessions are listed with handles and ended by id or handle, never shown with their tokens."""
    listed = office.post("list-user-sessions", {"userId": office.bob["id"]}).json()["sessions"]
    assert len(listed) == 2
    assert office.bob_token not in str(listed)
    assert all(office.status(session["token"]) == 401 for session in listed)
    by_id = office.post("revoke-user-session", {"id": listed[0]["id"]}).json()
    by_handle = office.post("revoke-user-session", {"sessionToken": listed[1]["token"]}).json()
    assert by_id == by_handle == {"success": True, "count": 1}
    assert office.status(office.bob_token) == 401
    again = office.post("revoke-user-session", {"id": listed[0]["id"]}).json()
    assert again == {"success": True, "count": 0}
    assert office.post("revoke-user-session", {}).status_code == 400


def test_revoke_all_sessions(office: Office) -> None:
    """For an incident: everyone is out, the caller included."""
    users = [office.site.user(f"user{n}@example.com") for n in range(3)]
    tokens = [office.site.session(user).token for user in users for _ in range(2)]
    live = len(office.site.run(office.site.auth.database.find(Session)))
    answer = office.post("revoke-all-sessions")
    assert answer.json() == {"success": True, "count": live}
    assert {office.status(t) for t in [*tokens, office.bob_token, office.admin_token]} == {401}


def test_a_role_cannot_reach_above_itself(site_with: Callable[..., Site]) -> None:
    """Whoever may set roles or passwords reaches no more than what they may themselves."""
    support = {"user": ("list", "set-role", "set-password", "ban", "update", "impersonate")}
    roles = AccessControl(STATEMENTS, {"admin": STATEMENTS, "support": support, "user": {}})
    office = Office(site_with(plugins=plugins(roles=roles)))
    office.post("set-role", {"userId": office.bob["id"], "role": "support"})
    token = office.bob_browser.sign_in("bob@example.com").json()["token"]
    above = {"userId": office.ada["id"]}
    for path, body in (
        ("ban-user", {}),
        ("set-user-password", {"newPassword": "another password"}),
        ("set-role", {"role": "user"}),
        ("update-user", {"data": {"email": "mine@example.com"}}),
        ("impersonate-user", {}),
    ):
        assert office.post(path, {**above, **body}, token=token).status_code == 403, path
    eve = office.site.user("eve@example.com")
    promoted = office.post("set-role", {"userId": eve.id, "role": "admin"}, token=token)
    assert promoted.status_code == 403
    same = office.post("set-role", {"userId": eve.id, "role": "support"}, token=token)
    assert same.status_code == 200


def test_nobody_is_impersonated_who_may_do_more(site_with: Callable[..., Site]) -> None:
    """ "Nobody reaches a user or a role that may do more than theirs": who may impersonate admins
    would be one of them."""
    support = {"user": ("list", "impersonate", "impersonate-admins")}
    helper = {"user": ("list",)}
    roles = AccessControl(
        STATEMENTS, {"admin": STATEMENTS, "support": support, "helper": helper, "user": {}}
    )
    office = Office(site_with(plugins=plugins(roles=roles, allow_impersonating_admins=True)))
    office.post("set-role", {"userId": office.bob["id"], "role": "support"})
    token = office.bob_browser.sign_in("bob@example.com").json()["token"]
    refused = office.impersonate(office.ada["id"], token)
    assert (refused.status_code, refused.json()["code"]) == (403, "NOT_ALLOWED")
    for role in ("helper", "support"):
        eve = office.site.user(f"{role}@example.com", fields={"role": role})
        assert office.impersonate(eve.id, token).status_code == 200


def test_no_impersonation_by_who_was_put_out_meanwhile(office: Office) -> None:
    """An admin demoted in the moment in which they begin to impersonate is in no session."""
    admin, users = office.site.auth.plugin(AdminPlugin), office.site.auth.users

    @office.site.auth.on(SessionCreating)
    async def demote(event: SessionCreating) -> None:
        ada = await users.find(office.ada["id"])
        assert ada is not None
        await admin.give_role(ada, "user")

    answer = office.impersonate()
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    left = office.site.run(office.site.auth.sessions.list_all_for(office.bob["id"]))
    assert [session for session in left if impersonator(session) is not None] == []


def test_impersonation_by_bearer(office: Office) -> None:
    """A session of the target that says who is behind it, for one hour, never slid."""
    answer = office.impersonate().json()
    session = answer["session"]
    assert session["impersonatedBy"] == office.ada["id"]
    assert session["userId"] == office.bob["id"]
    assert answer["user"]["email"] == "bob@example.com"
    assert session["expiresAt"] == "2024-01-01T01:00:00.000Z"
    office.site.clock.move(minutes=59)
    seen = office.site.client().get("/get-session", headers=bearer(session["token"])).json()
    assert seen["session"]["impersonatedBy"] == office.ada["id"]
    assert seen["session"]["expiresAt"] == session["expiresAt"]
    assert office.status(office.admin_token) == 200
    office.site.clock.move(minutes=1)
    assert office.status(session["token"]) == 401


def test_impersonation_by_cookie_and_back(office: Office) -> None:
    """The browser becomes the target, and the admin again when it stops."""
    browser = office.admin_browser
    assert browser.post("/admin/impersonate-user", {"userId": office.bob["id"]}).status_code == 200
    assert browser.get("/get-session").json()["user"]["email"] == "bob@example.com"
    assert browser.post("/admin/ban-user", {"userId": office.bob["id"]}).status_code == 403
    stopped = browser.post("/admin/stop-impersonating")
    assert stopped.json()["user"]["email"] == "ada@example.com"
    assert stopped.json()["session"]["token"] == office.admin_token
    assert browser.get("/get-session").json()["user"]["email"] == "ada@example.com"
    assert "better-auth.admin-session" not in browser.http.cookies
    office.site.clock.move(days=3)
    assert browser.get("/get-session").status_code == 200
    expires = browser.get("/get-session").json()["session"]["expiresAt"]
    assert expires == "2024-01-11T00:00:00.000Z", "one's own session slides as before"
    assert browser.post("/admin/stop-impersonating").status_code == 400


def test_a_stolen_impersonation_opens_no_admin(office: Office) -> None:
    """Who holds only the impersonated session's token can end it, and is nobody then."""
    token = office.impersonate().json()["session"]["token"]
    answer = office.post("stop-impersonating", token=token)
    assert answer.status_code == 200
    assert answer.json()["session"]["id"]
    assert answer.json()["user"]["email"] == "ada@example.com"
    assert office.status(answer.json()["session"]["token"]) == 401
    set_cookie = answer.headers.get_list("set-cookie")
    assert all(office.admin_token not in line for line in set_cookie)
    assert office.status(token) == 401
    assert office.status(office.admin_token) == 200


@pytest.mark.parametrize("end", ["revoked", "expired", "demoted", "banned", "removed"])
def test_no_way_back_to_what_no_longer_stands(office: Office, end: str) -> None:
    """The admin's session comes back only while it and the role still stand."""
    site, browser = office.site, office.admin_browser
    browser.post("/admin/impersonate-user", {"userId": office.bob["id"]})
    impersonated = str(browser.http.cookies[COOKIE])
    admin = site.run(site.auth.users.find(office.ada["id"]))
    assert admin is not None
    if end == "revoked":
        site.run(site.auth.sessions.revoke_all(admin.id))
    elif end == "expired":
        past = {"expires_at": site.clock()}
        site.run(site.auth.database.update(Session, past, user_id=admin.id))
    elif end == "demoted":
        site.run(site.auth.plugin(AdminPlugin).give_role(admin, "user"))
    elif end == "banned":
        site.run(site.auth.database.update(User, {"banned": True}, id=admin.id))
    else:
        site.run(site.auth.users.delete(admin))
    stopped = browser.post("/admin/stop-impersonating")
    if end in ("revoked", "demoted", "removed"):
        assert stopped.status_code == 401, "the impersonation ended with the admin"
    else:
        assert stopped.json() == {"session": None, "user": None}
    assert browser.get("/get-session").status_code == 401
    assert office.status(impersonated) == 401


@pytest.mark.parametrize("by", ["sign-out", "revoke-other-sessions", "revoke-user-sessions"])
def test_an_impersonation_ends_with_the_session_it_was_begun_with(office: Office, by: str) -> None:
    """Whoever stole an admin's session and is somebody else by it is out when it is revoked; what
    was begun with another session of that admin's stays."""
    stolen = str(office.site.browser().sign_in().json()["token"])
    token = office.impersonate(token=stolen).json()["session"]["token"]
    other = office.impersonate().json()["session"]["token"]
    client = office.site.client()
    if by == "revoke-user-sessions":
        assert office.post(by, {"userId": office.ada["id"]}).status_code == 200
    else:
        headers = bearer(stolen if by == "sign-out" else office.admin_token)
        assert client.post(f"/{by}", headers=headers).status_code == 200
    assert office.status(stolen) == office.status(token) == 401
    assert office.status(other) == (401 if by == "revoke-user-sessions" else 200)


def test_signing_out_while_impersonating_leaves_no_admin_behind(office: Office) -> None:
    """The browser is nobody then: its admin's token, kept in a cookie for the way back, neither
    stays there nor opens anything; other sessions of the admin stay."""
    browser, elsewhere = office.admin_browser, str(office.site.browser().sign_in().json()["token"])
    browser.post("/admin/impersonate-user", {"userId": office.bob["id"]})
    impersonated = str(browser.http.cookies[COOKIE])
    assert browser.post("/sign-out").status_code == 200
    assert not list(browser.http.cookies)
    assert office.status(impersonated) == office.status(office.admin_token) == 401
    assert office.status(elsewhere) == office.status(office.bob_token) == 200


def test_impersonation_is_hidden_and_hides(office: Office) -> None:
    """The target's listing does not show it; the impersonator is not given the target's tokens."""
    token = office.impersonate().json()["session"]["token"]
    client = office.site.client()
    own = client.get("/list-sessions", headers=bearer(office.bob_token)).json()["sessions"]
    assert token not in str(own)
    assert len(own) == 2
    seen = client.get("/list-sessions", headers=bearer(token)).json()["sessions"]
    assert len(seen) == 3
    assert office.bob_token not in str(seen)
    marked = office.post("list-user-sessions", {"userId": office.bob["id"]}).json()["sessions"]
    assert [s["impersonatedBy"] for s in marked].count(office.ada["id"]) == 1


def test_impersonations_may_be_shown(office_with: Callable[..., Office]) -> None:
    """By option, the target sees that somebody is there."""
    office = office_with(show_impersonations=True)
    office.impersonate()
    client = office.site.client()
    own = client.get("/list-sessions", headers=bearer(office.bob_token)).json()["sessions"]
    assert [session["impersonatedBy"] for session in own].count(office.ada["id"]) == 1


def test_admins_are_not_impersonated(office_with: Callable[..., Office]) -> None:
    """Other admins only when allowed; nobody while impersonating; not oneself."""
    office = office_with()
    office.post("set-role", {"userId": office.bob["id"], "role": "admin"})
    assert office.impersonate().status_code == 403
    assert office.impersonate(office.ada["id"]).status_code == 400
    assert office.impersonate("nobody").status_code == 404
    allowed = office_with(allow_impersonating_admins=True)
    allowed.post("set-role", {"userId": allowed.bob["id"], "role": "admin"})
    token = allowed.impersonate().json()["session"]["token"]
    eve = allowed.site.user("eve@example.com")
    assert allowed.impersonate(eve.id, token).status_code == 403


def test_banned_users_are_not_impersonated(office: Office) -> None:
    """A banned user has no session, not even a borrowed one."""
    office.post("ban-user", {"userId": office.bob["id"]})
    assert office.impersonate().status_code == 403


def test_both_ends_are_events(office: Office) -> None:
    """The audit learns of both ends."""
    told: list[Any] = []
    office.site.auth.on(ImpersonationStarted)(told.append)
    office.site.auth.on(ImpersonationEnded)(told.append)
    session = office.impersonate().json()["session"]
    office.post("stop-impersonating", token=session["token"])
    who = (office.ada["id"], office.bob["id"], session["id"])
    assert told == [ImpersonationStarted(*who), ImpersonationEnded(*who)]


def test_impersonation_is_no_fresh_session(office: Office) -> None:
    """An impersonator has not proven the target's credentials."""
    token = office.impersonate().json()["session"]["token"]
    sessions = office.site.auth.sessions
    principal = office.site.run(sessions.resolve(token))
    assert principal is not None
    assert not sessions.is_fresh(principal.session)


def test_impersonation_evicts_nobody(site_with: Callable[..., Site]) -> None:
    """An impersonation takes no place among the user's own sessions."""
    limit = {"max_sessions_per_user": 1}
    office = Office(site_with(plugins=plugins(), session=limit))
    token = office.impersonate().json()["session"]["token"]
    assert office.status(office.bob_token) == 200
    assert office.status(token) == 200
