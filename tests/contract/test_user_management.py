"""What users do with themselves: change, write on their session, leave, unlink."""

from collections.abc import Callable
from typing import Annotated

import pytest

from better_auth import Account, Session, User
from better_auth.events import AccountsDeleted
from better_auth.models import Column, Fields, ReadOnly, Settable
from better_auth.plugins import (
    AccountManagementPlugin,
    AdminPlugin,
    OrganizationPlugin,
    Plugin,
    UserManagementPlugin,
)
from tests.conftest import Site
from tests.integration.test_races import at_once
from tests.mailbox import Mailbox, mailbox
from tests.support import PASSWORD, bearer, session_cookie

MakeSite = Callable[..., Site]


class Customer(User):
    """A user with fields of the application's own."""

    city: Annotated[str | None, Column(length=64)] = None
    age: int
    rank: Annotated[int, ReadOnly()] = 0


class Theme(Fields):
    """What a plugin lets users write on their session."""

    theme: Annotated[str | None, Settable(), Column(length=16)] = None
    secret_note: Annotated[str | None, Column(length=16)] = None


class ThemePlugin(Plugin):
    """A plugin with session fields."""

    session_fields = Theme


@pytest.fixture
def box(site_with: MakeSite) -> Mailbox:
    return mailbox(site_with, more=[ThemePlugin(), OrganizationPlugin(), AdminPlugin()])


def test_update_user(site_with: MakeSite) -> None:
    """ "`/update-user`": name, image, and "an application's own ``User`` fields"."""
    box = mailbox(site_with, user_model=Customer)
    user = box.site.user(fields={"age": 36})
    browser = box.browser(user)
    answer = browser.post("/update-user", {"name": "Augusta", "city": "London", "image": "/a.png"})
    assert (answer.status_code, answer.json()) == (200, {"status": True})
    assert browser.post("/update-user", {"image": None}).status_code == 200
    shown = browser.get("/get-session").json()["user"]
    assert {key: shown[key] for key in ("name", "city", "age", "image", "rank")} == {
        "name": "Augusta",
        "city": "London",
        "age": 36,
        "image": None,
        "rank": 0,
    }
    for body, code in {
        '{"rank": 7}': "FIELD_NOT_ALLOWED",
        '{"emailVerified": true, "name": "x"}': "FIELD_NOT_ALLOWED",
        '{"email_verified": true}': "FIELD_NOT_ALLOWED",
        '{"id": "x"}': "FIELD_NOT_ALLOWED",
        '{"email": "x@example.com"}': "EMAIL_CAN_NOT_BE_UPDATED",
        "{}": "NO_FIELDS_TO_UPDATE",
        '{"unknown": 1}': "NO_FIELDS_TO_UPDATE",
        '{"name": ""}': "VALIDATION_ERROR",
        '{"name": " "}': "VALIDATION_ERROR",
        '{"name": null}': "VALIDATION_ERROR",
        '{"age": null}': "VALIDATION_ERROR",
        '{"age": "36"}': "VALIDATION_ERROR",
    }.items():
        refused = browser.http.post(
            "/update-user", content=body, headers={"content-type": "application/json"}
        )
        assert (refused.status_code, refused.json()["code"]) == (400, code), body
    assert box.found(user).name == "Augusta"


def test_update_session(box: Mailbox) -> None:
    """ "`/update-session` (only application's own/plugin fields marked writable)"."""
    browser = box.browser(box.user(password=None))
    answer = browser.post("/update-session", {"theme": "dark"})
    assert answer.status_code == 200
    assert answer.json()["session"]["theme"] == "dark"
    assert browser.get("/get-session").json()["session"]["theme"] == "dark"


@pytest.mark.parametrize(
    "field",
    [
        "token",
        "userId",
        "user_id",
        "id",
        "expiresAt",
        "activeOrganizationId",
        "impersonatedBy",
        "secretNote",
        "authenticatedAt",
        "remember",
        "tokenKey",
    ],
)
def test_update_session_sets_nothing_else(box: Mailbox, field: str) -> None:
    """ "update-session could set `activeOrganizationId`, `activeTeamId`, `impersonatedBy`: each →
    400, unchanged in DB" (known faults, #6)."""
    user = box.user(password=None)
    browser = box.browser(user)
    [before] = box.site.run(box.site.auth.database.find(Session))
    answer = browser.post("/update-session", {"theme": "dark", field: "x"})
    assert (answer.status_code, answer.json()["code"]) == (400, "FIELD_NOT_ALLOWED")
    assert box.site.run(box.site.auth.database.find(Session)) == [before]


def test_update_session_of_one_that_has_ended(box: Mailbox) -> None:
    """ "revoke, then update-session with warm cache → 401 and cookies cleared" (known faults,
    #5)."""
    user = box.user(password=None)
    browser = box.browser(user)
    box.site.run(box.site.auth.sessions.revoke_all(user.id))
    assert browser.post("/update-session", {"theme": "dark"}).status_code == 401
    assert box.site.run(box.site.auth.database.count(Session)) == 0


def test_delete_user_with_a_password(box: Mailbox) -> None:
    """`POST /delete-user` `{password}`: whatever the session's age; "sessions deleted, cookies
    cleared"."""
    user = box.user()
    browser = box.browser(user)
    box.site.clock.move(days=2)
    stale = browser.post("/delete-user", {})
    assert (stale.status_code, stale.json()["code"]) == (403, "SESSION_NOT_FRESH")
    wrong = browser.post("/delete-user", {"password": "wrong password"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "INVALID_PASSWORD")
    answer = browser.post("/delete-user", {"password": PASSWORD})
    assert answer.json() == {"success": True, "message": "User deleted"}
    cookie = session_cookie(answer)
    assert cookie is not None
    assert cookie["max-age"] == "0"
    for record in (User, Session, Account):
        assert box.site.run(box.site.auth.database.count(record)) == 0


def test_delete_user_with_a_fresh_session(box: Mailbox) -> None:
    """A fresh session needs no password."""
    browser = box.browser(box.user(password=None))
    assert browser.post("/delete-user", {}).status_code == 200
    assert browser.get("/get-session").status_code == 401


def test_delete_user_by_a_link(site_with: MakeSite) -> None:
    """`confirm_deletion`: "confirmed by a link in mail", good once, for its user alone."""
    box = mailbox(site_with, users=UserManagementPlugin(confirm_deletion=True))
    user, bob = box.user(), box.user("bob@example.com", None)
    browser, other = box.browser(user), box.browser(bob)
    asked = browser.post("/delete-user", {"password": PASSWORD, "callbackURL": "/bye"})
    assert asked.json() == {"success": True, "message": "Verification email sent"}
    link, token = box.link("delete-account"), box.token("delete-account")
    foreign = other.get(link)
    assert (foreign.status_code, foreign.json()["code"]) == (404, "INVALID_TOKEN")
    by_post = other.post("/delete-user", {"token": token})
    assert (by_post.status_code, by_post.json()["code"]) == (404, "INVALID_TOKEN")
    assert box.browser().get(link).status_code == 401
    followed = browser.get(link)
    assert (followed.status_code, followed.headers["location"]) == (302, "/bye")
    assert box.site.run(box.site.auth.users.find(user.id)) is None
    assert box.found(bob)


def test_delete_user_with_the_token_of_the_mail(site_with: MakeSite) -> None:
    """`POST /delete-user` `{token}`, for a day."""
    box = mailbox(site_with, users=UserManagementPlugin(confirm_deletion=True))
    user = box.user(password=None)
    browser = box.browser(user)
    browser.post("/delete-user", {})
    token = box.token("delete-account")
    box.site.clock.move(hours=25)
    assert browser.post("/delete-user", {"token": token}).status_code == 404
    fresh = box.browser(user)
    fresh.post("/delete-user", {})
    answer = fresh.post("/delete-user", {"token": box.token("delete-account")})
    assert answer.json() == {"success": True, "message": "User deleted"}


def test_a_deletion_asked_for_before_something_happened_is_void(site_with: MakeSite) -> None:
    """After the password was changed it must be asked for again."""
    box = mailbox(site_with, users=UserManagementPlugin(confirm_deletion=True))
    user = box.user()
    browser = box.browser(user)
    assert browser.post("/delete-user", {}).status_code == 200
    link = box.link("delete-account")
    change = {"currentPassword": PASSWORD, "newPassword": "another " + PASSWORD}
    assert browser.post("/change-password", change).status_code == 200
    followed = browser.get(link)
    assert (followed.status_code, followed.json()["code"]) == (404, "INVALID_TOKEN")
    assert box.found(user)


def test_asking_for_deletion_floods_nobody(site_with: MakeSite) -> None:
    """At most five links in 15 minutes, to whoever has a session or has stolen one."""
    box = mailbox(site_with, users=UserManagementPlugin(confirm_deletion=True))
    browser = box.browser(box.user(password=None))
    answers = {browser.post("/delete-user", {}).text for _ in range(7)}
    assert len(answers) == 1
    assert len(box.of("delete-account")) == 5


def test_deletion_may_be_off(site_with: MakeSite) -> None:
    """`enable_deletion=False` "takes the two deletions away"."""
    box = mailbox(site_with, users=UserManagementPlugin(enable_deletion=False))
    browser = box.browser(box.user(password=None))
    assert browser.post("/delete-user", {}).status_code == 404
    assert browser.get("/delete-user/callback?token=x").status_code == 404


def test_the_last_owner_cannot_leave_that_way(box: Mailbox) -> None:
    """ "There is always an owner... nor their user be deleted while others belong"."""
    user, bob = box.user(password=None), box.user("bob@example.com", None)
    browser = box.browser(user)
    made = browser.post("/organization/create", {"name": "Acme", "slug": "acme"}).json()
    plugin = box.site.auth.plugin(OrganizationPlugin)
    box.site.run(plugin.add_member(made["id"], bob.id, "member"))
    answer = browser.post("/delete-user", {})
    assert (answer.status_code, answer.json()["code"]) == (403, "LAST_OWNER")
    assert browser.get("/get-session").status_code == 200


def test_an_impersonator_changes_nothing_of_that(box: Mailbox) -> None:
    """ "Raises ``Forbidden``: ... ``NOT_WHILE_IMPERSONATING``": an admin in a user's session
    neither leaves for them nor changes how they sign in, whatever password they know: they may
    have given it themselves."""
    admin = box.site.user("boss@example.com", fields={"role": "admin"})
    user = box.user()
    started = box.browser(admin).post("/admin/impersonate-user", {"userId": user.id})
    headers = bearer(started.json()["session"]["token"])
    client = box.site.client()
    asked: list[tuple[str, dict[str, str]]] = [
        ("/delete-user", {}),
        ("/delete-user", {"password": PASSWORD}),
        ("/change-email", {"newEmail": "new@example.com"}),
        ("/set-password", {"newPassword": "another long passphrase"}),
        ("/unlink-account", {"accountId": user.id}),
        ("/change-password", {"newPassword": "another password", "currentPassword": PASSWORD}),
        ("/verify-password", {"password": PASSWORD}),
    ]
    for path, body in asked:
        answer = client.post(path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "NOT_WHILE_IMPERSONATING")


def link(box: Mailbox, user: User, provider: str, account_id: str = "7") -> Account:
    """Another way of signing in for ``user``."""
    now = box.site.clock()
    account = Account(
        user_id=user.id,
        provider_id=provider,
        account_id=account_id,
        created_at=now,
        updated_at=now,
    )
    return box.site.run(box.site.auth.database.insert(account))


def test_list_accounts(box: Mailbox) -> None:
    """`GET /list-accounts`: one's own, and no hash."""
    user, bob = box.user(), box.user("bob@example.com", None)
    link(box, bob, "github", "bob's")
    box.site.clock.move(seconds=1)
    link(box, user, "github")
    listed = box.browser(user).get("/list-accounts").json()
    assert [account["providerId"] for account in listed] == ["credential", "github"]
    assert sorted(listed[1]) == sorted(
        ["id", "providerId", "accountId", "userId", "scopes", "createdAt", "updatedAt"]
    )
    assert listed[1]["accountId"] == "7"


def test_unlink_account(box: Mailbox) -> None:
    """`POST /unlink-account` "(never the last one; fresh)"."""
    user = box.user()
    gone: list[AccountsDeleted] = []
    box.site.auth.on(AccountsDeleted)(gone.append)
    account, foreign = link(box, user, "github"), box.user("bob@example.com")
    stale = box.browser(user)
    box.site.clock.move(days=1)
    browser = box.browser(user)
    assert stale.post("/unlink-account", {"accountId": account.id}).json()["code"] == (
        "SESSION_NOT_FRESH"
    )
    for body in ({"accountId": foreign.id}, {"providerId": "gitlab"}, {"accountId": "x"}):
        refused = browser.post("/unlink-account", body)
        assert (refused.status_code, refused.json()["code"]) == (400, "ACCOUNT_NOT_FOUND")
    assert browser.post("/unlink-account", {}).json()["code"] == "VALIDATION_ERROR"
    answer = browser.post("/unlink-account", {"providerId": "github", "accountId": "7"})
    assert (answer.status_code, answer.json()) == (200, {"status": True})
    assert [account.provider_id for account in gone[0].accounts] == ["github"]
    last = browser.post("/unlink-account", {"providerId": "credential"})
    assert (last.status_code, last.json()["code"]) == (400, "FAILED_TO_UNLINK_LAST_ACCOUNT")


def test_of_two_unlinked_at_once_one_stays(box: Mailbox) -> None:
    """ "never the last one", also for two at once."""
    user = box.user()
    accounts = [link(box, user, f"provider-{n}") for n in range(3)]
    browsers = [box.browser(user) for _ in accounts] + [box.browser(user)]
    bodies = [{"accountId": account.id} for account in accounts] + [{"providerId": "credential"}]
    answers = at_once(
        [
            lambda b=b, body=body: b.post("/unlink-account", body)
            for b, body in zip(browsers, bodies, strict=True)
        ]
    )
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 400]


def test_all_may_be_unlinked_where_that_is_wanted(site_with: MakeSite) -> None:
    """`allow_unlinking_all`."""
    box = mailbox(site_with, accounts=AccountManagementPlugin(allow_unlinking_all=True))
    browser = box.browser(box.user())
    assert browser.post("/unlink-account", {"providerId": "credential"}).status_code == 200
    assert browser.get("/list-accounts").json() == []
