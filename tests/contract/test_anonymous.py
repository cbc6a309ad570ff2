"""Users without a name: signed in at once, and taken over from when they say who they are."""

from collections.abc import Callable
from datetime import timedelta

import pyotp
import pytest

from better_auth import ConfigurationError, User
from better_auth.errors import BadRequest, Forbidden
from better_auth.events import AnonymousUserLinking, UserDeleting
from better_auth.models import Session
from better_auth.plugins import (
    AdminPlugin,
    AnonymousPlugin,
    EmailPasswordPlugin,
    SessionManagementPlugin,
    TwoFactorPlugin,
)
from better_auth.plugins.anonymous import PURGE_BATCH
from tests.conftest import Site
from tests.support import PASSWORD, bearer, session_cookie

MakeSite = Callable[..., Site]


def plugins(**options: object) -> list[object]:
    """Passwords, sessions and anonymous users with ``options``."""
    return [EmailPasswordPlugin(), SessionManagementPlugin(), AnonymousPlugin(**options)]  # type: ignore[arg-type]


@pytest.fixture
def site(site_with: MakeSite) -> Site:
    """A site with anonymous users."""
    return site_with(plugins=plugins())


def users(site: Site) -> list[User]:
    """Everybody there is."""
    return site.run(site.auth.database.find(User, order_by="created_at"))


def test_signing_in(site: Site) -> None:
    """``{token, user}`` and the cookie, for a user whose address nobody can have."""
    browser = site.browser()
    answer = browser.post("/sign-in/anonymous")
    body = answer.json()
    assert body.keys() == {"token", "user"}
    assert body["user"]["isAnonymous"] is True
    assert (body["user"]["name"], body["user"]["emailVerified"]) == ("Anonymous", False)
    assert body["user"]["email"].endswith(".invalid")
    cookie = session_cookie(answer)
    assert cookie is not None
    assert cookie["value"] == body["token"]
    assert browser.get("/get-session").json()["user"] == body["user"]
    other = site.browser().post("/sign-in/anonymous", {}).json()
    assert other["user"]["email"] != body["user"]["email"]


def test_not_twice(site: Site) -> None:
    """ "second anonymous sign-in rejected", by cookie and by Bearer; a real user may."""
    browser = site.browser()
    token = browser.post("/sign-in/anonymous").json()["token"]
    headers = bearer(token)
    for answer in (
        browser.post("/sign-in/anonymous"),
        site.client().post("/sign-in/anonymous", headers=headers),
    ):
        assert answer.status_code == 400
        assert answer.json()["code"] == "ANONYMOUS_USERS_CANNOT_SIGN_IN_AGAIN_ANONYMOUSLY"
    assert len(users(site)) == 1
    real = site.browser()
    real.sign_up()
    assert real.post("/sign-in/anonymous").status_code == 200


def test_nobody_makes_themselves_anonymous(site: Site) -> None:
    """No client sets ``isAnonymous``."""
    assert site.browser().sign_up(isAnonymous=True).json()["user"]["isAnonymous"] is False


@pytest.mark.parametrize("by", ["cookie", "bearer"])
@pytest.mark.parametrize("how", ["sign-up", "sign-in"])
def test_taking_over(site: Site, how: str, by: str) -> None:
    """ "on a later real sign-in/up in the same browser": the application hears of both, the
    anonymous user goes with all sessions."""
    heard: list[tuple[str, str]] = []

    @site.auth.on(AnonymousUserLinking)
    async def move(event: AnonymousUserLinking) -> None:
        assert await site.auth.users.find(event.anonymous_user.id), "still there to move from"
        heard.append((event.anonymous_user.id, event.user.id))

    if how == "sign-in":
        site.browser().sign_up()
    browser = site.browser()
    anonymous = browser.post("/sign-in/anonymous").json()
    path = "/sign-up/email" if how == "sign-up" else "/sign-in/email"
    body = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}
    if by == "bearer":
        answer = site.client().post(path, json=body, headers=bearer(anonymous["token"]))
    else:
        answer = browser.post(path, body)
    assert answer.status_code == 200
    assert heard == [(anonymous["user"]["id"], answer.json()["user"]["id"])]
    assert [user.email for user in users(site)] == ["ada@example.com"]
    left = site.run(site.auth.database.find(Session, user_id=anonymous["user"]["id"]))
    assert left == []
    old = site.client().get("/get-session", headers=bearer(anonymous["token"]))
    assert old.status_code == 401
    assert site.client().get("/get-session", headers=bearer(answer.json()["token"])).is_success


def test_elsewhere_it_stays(site: Site) -> None:
    """Another browser's sign-in takes over from nobody, nor does one that fails."""
    browser = site.browser()
    browser.post("/sign-in/anonymous")
    site.browser().sign_up()
    assert browser.sign_in(password="wrong wrong").status_code == 401
    assert len(users(site)) == 2
    assert browser.get("/get-session").json()["user"]["isAnonymous"] is True


def test_an_admin_who_looks_in_takes_nothing_over(site_with: MakeSite) -> None:
    """Who impersonates an anonymous user and signs in as somebody else is not who they were."""
    site = site_with(plugins=[*plugins(), AdminPlugin()])
    told: list[AnonymousUserLinking] = []
    site.auth.on(AnonymousUserLinking)(told.append)
    visitor, admin = site.browser(), site.browser()
    user_id = visitor.post("/sign-in/anonymous").json()["user"]["id"]
    boss = site.run(site.auth.users.find(admin.sign_up().json()["user"]["id"]))
    assert boss is not None
    site.run(site.auth.plugin(AdminPlugin).give_role(boss, "admin"))
    admin.sign_in()
    assert admin.post("/admin/impersonate-user", {"userId": user_id}).status_code == 200
    assert admin.sign_in().status_code == 200
    assert visitor.get("/get-session").status_code == 200
    assert told == []


def test_only_after_the_second_factor(site_with: MakeSite) -> None:
    """A password alone takes over from nobody where a second factor is due."""
    site = site_with(plugins=[*plugins(), TwoFactorPlugin()])
    owner = site.browser()
    owner.sign_up()
    uri = owner.post("/two-factor/enable", {"password": PASSWORD}).json()["totpURI"]
    totp = pyotp.TOTP(uri.partition("secret=")[2].partition("&")[0])
    owner.post("/two-factor/verify-totp", {"code": totp.at(site.clock())})
    site.clock.move(seconds=31)
    browser = site.browser()
    browser.post("/sign-in/anonymous")
    assert browser.sign_in().json()["twoFactorRedirect"] is True
    assert len(users(site)) == 2
    done = browser.post("/two-factor/verify-totp", {"code": totp.at(site.clock())})
    assert done.status_code == 200
    assert [user.email for user in users(site)] == ["ada@example.com"]


@pytest.mark.parametrize("refusal", [RuntimeError("cart"), Forbidden("no")])
def test_what_could_not_be_moved_is_kept(site_with: MakeSite, refusal: Exception) -> None:
    """A callback that fails costs nobody their things: the sign-in stands, nothing is deleted."""

    async def fail(event: AnonymousUserLinking) -> None:
        raise refusal

    site = site_with(plugins=plugins(on_link_account=fail))
    browser = site.browser()
    browser.post("/sign-in/anonymous")
    assert browser.sign_up().status_code == 200
    assert len(users(site)) == 2
    assert browser.get("/get-session").json()["user"]["email"] == "ada@example.com"


def test_keeping_linked_users(site_with: MakeSite) -> None:
    """``keep_linked_users``: told, not deleted. A veto of the deletion keeps the user as well."""
    heard: list[str] = []
    kept = site_with(
        plugins=plugins(keep_linked_users=True, on_link_account=lambda e: heard.append(e.user.id))
    )
    browser = kept.browser()
    browser.post("/sign-in/anonymous")
    assert [browser.sign_up().json()["user"]["id"]] == heard
    assert len(users(kept)) == 2
    vetoed = site_with(plugins=plugins())

    @vetoed.auth.on(UserDeleting)
    def veto(event: UserDeleting) -> None:
        raise Forbidden("needed")

    browser = vetoed.browser()
    browser.post("/sign-in/anonymous")
    assert browser.sign_up().status_code == 200
    assert len(users(vetoed)) == 2


def test_whoever_can_come_back_is_nobodys_to_delete(site: Site) -> None:
    """A user who got a password or proved an address is anonymous no longer: a later sign-in in
    that browser deletes nobody's account."""
    for way in ("password", "address"):
        browser = site.browser()
        user_id = browser.post("/sign-in/anonymous").json()["user"]["id"]
        user = site.run(site.auth.users.find(user_id))
        assert user is not None
        if way == "password":
            site.run(site.auth.users.give_password(user, "$argon2id$never$verified"))
        else:
            changes = {"email": f"{way}@example.com", "email_verified": True}
            site.run(site.auth.users.update(user, changes))
        assert browser.get("/get-session").json()["user"]["isAnonymous"] is False
        browser.sign_up(f"new-{way}@example.com")
        assert site.run(site.auth.users.find(user_id)) is not None


def test_deleting(site: Site) -> None:
    """ "POST /delete-anonymous-user": gone with every session (GHSA-2vg6-77g8-24mp); for nobody
    else, and for nobody without a session."""
    browser = site.browser()
    anonymous = browser.post("/sign-in/anonymous").json()
    second = site.session(site.run(site.auth.users.find(anonymous["user"]["id"])))  # type: ignore[arg-type]
    answer = browser.post("/delete-anonymous-user")
    assert answer.json() == {"success": True}
    cleared = session_cookie(answer)
    assert cleared is not None
    assert cleared["value"] == ""
    assert users(site) == []
    for token in (anonymous["token"], second.token):
        assert site.client().get("/get-session", headers=bearer(token)).status_code == 401
    assert browser.post("/delete-anonymous-user").status_code == 401
    browser.sign_up()
    refused = browser.post("/delete-anonymous-user")
    assert (refused.status_code, refused.json()["code"]) == (403, "USER_IS_NOT_ANONYMOUS")


def test_options(site_with: MakeSite) -> None:
    """A domain and names of one's own; no deleting by the user."""
    site = site_with(
        plugins=plugins(
            email_domain="Guests.example.com", make_name=lambda: "Guest", enable_deletion=False
        )
    )
    browser = site.browser()
    user = browser.post("/sign-in/anonymous").json()["user"]
    assert user["name"] == "Guest"
    assert user["email"].endswith("@guests.example.com")
    refused = browser.post("/delete-anonymous-user")
    assert (refused.status_code, refused.json()["code"]) == (400, "DELETE_ANONYMOUS_USER_DISABLED")
    with pytest.raises(ConfigurationError, match="email_domain"):
        AnonymousPlugin(email_domain="no domain")


def test_purging(site: Site) -> None:
    """``purge``: "the anonymous users made longer ago whose sessions are over, whom nobody can be
    any longer"; more than a batch of them, and nobody else."""
    users, clock = site.auth.users, site.clock

    async def make(count: int) -> list[User]:
        fields = {"is_anonymous": True}
        return [await users.create(name="", email=None, fields=fields) for _ in range(count)]

    named = site.user()
    old = site.run(make(PURGE_BATCH + 3))
    clock.move(days=29)
    held = site.session(old[0])
    clock.move(days=2)
    young = site.run(make(1))
    purge = site.auth.plugin(AnonymousPlugin).purge

    @site.auth.on(UserDeleting)
    def keep(event: UserDeleting) -> None:
        if event.user.id == old[1].id:
            raise BadRequest("still owes something", "IN_DEBT")

    assert site.run(purge()) == len(old) - 2
    assert site.run(purge()) == 0
    there = [user for user in (named, *young, *old) if site.run(users.find(user.id))]
    assert there == [named, *young, *old[:2]]
    assert site.client().get("/get-session", headers=bearer(held.token)).status_code == 200
    clock.move(days=1)
    assert site.run(purge(timedelta(hours=1))) == 1  # the young one, who has no session either
