"""Organizations: the active one of a session, members and their roles, invitations."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from better_auth.errors import AuthError
from better_auth.models import User
from better_auth.plugins import (
    AccessControl,
    EmailPasswordPlugin,
    OrganizationPlugin,
    SessionManagementPlugin,
)
from better_auth.plugins.organization import Invitation, Member, Organization
from better_auth.plugins.organization.roles import ONLY_OWNER, STATEMENTS
from tests.conftest import Site
from tests.support import bearer


class Person:
    """A user with a session, who asks by Bearer."""

    def __init__(self, site: Site, email: str) -> None:
        self.site, self.email = site, email
        self.user = site.user(email)
        self.token = site.session(self.user).token

    def post(self, path: str, **body: Any) -> httpx.Response:
        """POST an organization endpoint."""
        client = self.site.client()
        return client.post(f"/organization/{path}", json=body, headers=bearer(self.token))

    def get(self, path: str, **query: Any) -> httpx.Response:
        """GET an organization endpoint."""
        client = self.site.client()
        return client.get(f"/organization/{path}", params=query, headers=bearer(self.token))

    def active(self, token: str | None = None) -> str | None:
        """The active organization of a session of theirs."""
        headers = bearer(token or self.token)
        answer = self.site.client().get("/get-session", headers=headers)
        assert answer.status_code == 200
        return answer.json()["session"]["activeOrganizationId"]

    def create(self, slug: str = "acme", **more: Any) -> str:
        """Create an organization: its id."""
        answer = self.post("create", name=slug.title(), slug=slug, **more)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def join(self, other: "Person", organization_id: str, role: str = "member") -> str:
        """Be invited by ``other`` and accept: the member's id."""
        body = {"email": self.email, "role": role, "organizationId": organization_id}
        invitation = other.post("invite-member", **body).json()
        self.site.clock.move(milliseconds=1)
        answer = self.post("accept-invitation", invitationId=invitation["id"])
        assert answer.status_code == 200, answer.text
        return str(answer.json()["member"]["id"])


def plugins(**options: Any) -> list[Any]:
    """Sign-in, sessions and organizations."""
    return [EmailPasswordPlugin(), SessionManagementPlugin(), OrganizationPlugin(**options)]


@pytest.fixture
def people_with(site_with: Callable[..., Site]) -> Callable[..., tuple[Person, Person, Person]]:
    """Makes Ada, Bob and Cy on a site with options of the plugin."""

    def make(**options: Any) -> tuple[Person, Person, Person]:
        site = site_with(plugins=plugins(**options))
        ada, bob, cy = (Person(site, f"{name}@example.com") for name in ("ada", "bob", "cy"))
        return ada, bob, cy

    return make


@pytest.fixture
def people(people_with: Callable[..., tuple[Person, Person, Person]]) -> Any:
    """Ada, Bob and Cy."""
    return people_with()


People = tuple[Person, Person, Person]


def test_create(people: People) -> None:
    """Whoever creates an organization owns it, and works in it."""
    ada, bob, _ = people
    answer = ada.post("create", name="Acme", slug="acme", metadata={"plan": "gold"}).json()
    assert answer["name"] == "Acme"
    assert answer["metadata"] == {"plan": "gold"}
    assert [(m["role"], m["user"]["email"]) for m in answer["members"]] == [
        ("owner", "ada@example.com")
    ]
    assert ada.active() == answer["id"]
    assert bob.post("create", name="Other", slug="acme").status_code == 400
    for slug in ("", "A", "a b", "-a", "a--b", "ü", "../x"):
        assert bob.post("create", name="Other", slug=slug).status_code == 400, slug
    assert bob.post("check-slug", slug="acme").status_code == 400
    assert bob.post("check-slug", slug="free").json() == {"status": True}
    kept = ada.create("second", keepCurrentActiveOrganization=True)
    assert ada.active() == answer["id"] != kept


def test_metadata_are_written_as_they_were_read(people: People) -> None:
    """What is stored of an application's own can always be answered as JSON again: numbers that no
    JSON can hold are refused, on every database alike."""
    ada, _, _ = people
    body = b'{"name":"A","slug":"a","metadata":{"n":1e999}}'
    headers = bearer(ada.token) | {"Content-Type": "application/json"}
    answer = ada.site.client().post("/organization/create", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_JSON")
    metadata = {"n": 1e308, "i": 2**70, "t": "\u00e9\U0001f600", "deep": [[[{}]]]}
    assert ada.create("b", metadata=metadata)
    assert ada.get("get-organization").json()["metadata"] == metadata


def test_set_active_is_for_this_session_alone(people: People) -> None:
    """ "activeOrganizationId: Active organization ID" of one session; null clears it."""
    ada, _, _ = people
    one = ada.create("one")
    two = ada.create("two")
    other = ada.site.session(ada.user).token
    assert ada.post("set-active", organizationId=one).json()["id"] == one
    assert (ada.active(), ada.active(other)) == (one, None)
    assert ada.post("set-active", organizationSlug="two").json()["id"] == two
    cleared = ada.post("set-active", organizationId=None)
    assert cleared.json() is None
    assert ada.active() is None
    assert ada.get("get-active-member").status_code == 400


def test_membership_is_checked(people: People) -> None:
    """Nobody works in, reads or changes what they do not belong to, nor learns whether it is."""
    ada, bob, _ = people
    organization_id = ada.create()
    member_id = ada.get("get-active-member").json()["id"]
    where = {"organizationId": organization_id}
    for name in (organization_id, "nothing"):
        answer = bob.post("set-active", organizationId=name)
        assert (answer.status_code, answer.json()["code"]) == (
            403,
            "USER_IS_NOT_A_MEMBER_OF_THE_ORGANIZATION",
        )
    assert bob.active() is None
    refused = [
        bob.get("get-full-organization", **where),
        bob.get("get-full-organization", organizationSlug="acme"),
        bob.get("list-members", **where),
        bob.get("list-invitations", **where),
        bob.post("update", **where, data={"name": "Mine"}),
        bob.post("delete", **where),
        bob.post("leave", **where),
        bob.post("invite-member", **where, email="x@example.com"),
        bob.post("update-member-role", **where, memberId=member_id, role="member"),
        bob.post("remove-member", **where, memberIdOrEmail=member_id),
        bob.post("has-permission", **where, permissions={}),
    ]
    assert {answer.status_code for answer in refused} == {403}
    anonymous = ada.site.client().post("/organization/set-active", json=where)
    assert anonymous.status_code == 401


def test_update_and_delete(people: People) -> None:
    """Owners and admins change an organization; only an owner deletes it."""
    ada, bob, _ = people
    organization_id = ada.create()
    bob.join(ada, organization_id, "admin")
    assert bob.active() == organization_id
    changed = bob.post("update", data={"name": "Better", "logo": "https://example.com/l.png"})
    assert (changed.json()["name"], changed.json()["slug"]) == ("Better", "acme")
    assert bob.post("update", data={}).status_code == 400
    assert bob.post("update", data={"name": None}).status_code == 400
    bob.create("taken", keepCurrentActiveOrganization=True)
    assert ada.post("update", data={"slug": "taken"}).status_code == 400
    assert bob.post("delete", organizationId=organization_id).status_code == 403
    assert ada.post("delete", organizationId=organization_id).json()["id"] == organization_id
    assert ada.active() is None
    assert bob.active() is None, "nobody's session works in what is deleted"
    listed = bob.get("list").json()
    assert [organization["slug"] for organization in listed] == ["taken"]


def test_full_organization(people: People) -> None:
    """Members see each other; pending invitations only who may invite."""
    ada, bob, _ = people
    organization_id = ada.create()
    bob.join(ada, organization_id)
    ada.post("invite-member", email="cy@example.com")
    full = ada.get("get-full-organization").json()
    assert [m["user"]["email"] for m in full["members"]] == ["ada@example.com", "bob@example.com"]
    assert [i["email"] for i in full["invitations"]] == ["cy@example.com"]
    assert bob.get("get-full-organization").json()["invitations"] == []
    assert bob.get("list-invitations").status_code == 403
    page = bob.get("list-members", limit=1, offset=1).json()
    assert (page["total"], page["members"][0]["user"]["email"]) == (2, "bob@example.com")
    assert "createdAt" not in page["members"][0]["user"]


def test_there_is_always_an_owner(people: People) -> None:
    """The last owner cannot leave, be removed, be demoted, or be deleted."""
    ada, bob, _ = people
    organization_id = ada.create()
    own_id = ada.get("get-active-member").json()["id"]
    bob_id = bob.join(ada, organization_id, "admin")
    refused = [
        ada.post("leave", organizationId=organization_id),
        ada.post("remove-member", memberIdOrEmail=own_id),
        ada.post("update-member-role", memberId=own_id, role="admin"),
    ]
    assert [a.json()["code"] for a in refused] == [ONLY_OWNER] * 3
    site = ada.site
    with pytest.raises(AuthError):
        site.run(site.auth.users.delete(ada.user))
    assert ada.post("update-member-role", memberId=bob_id, role="owner").status_code == 200
    left = ada.post("leave", organizationId=organization_id).json()
    assert (left["id"], left["role"]) == (own_id, "owner")
    assert ada.active() is None


def test_two_owners_cannot_both_leave(people: People) -> None:
    """At the same moment, either."""
    ada, bob, _ = people
    for attempt in range(5):
        organization_id = ada.create(f"acme-{attempt}")
        bob.join(ada, organization_id, "owner")
        leave = partial(Person.post, path="leave", organizationId=organization_id)
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(leave, (ada, bob)))
        assert sorted(a.status_code for a in answers) == [200, 400]


def test_an_organization_goes_with_its_only_member(people: People) -> None:
    """Deleting a user deletes what nobody else belongs to."""
    ada, _, _ = people
    ada.create()
    site = ada.site
    site.run(site.auth.users.delete(ada.user))
    assert site.run(site.auth.database.find(Organization)) == []
    assert site.run(site.auth.database.find(Member)) == []


def test_roles_reach_no_higher(people: People) -> None:
    """An admin makes no owner, and neither demotes nor removes one; a member does nothing."""
    ada, bob, cy = people
    organization_id = ada.create()
    owner_id = ada.get("get-active-member").json()["id"]
    bob.join(ada, organization_id, "admin")
    cy_id = cy.join(ada, organization_id)
    refused = [
        bob.post("update-member-role", memberId=cy_id, role="owner"),
        bob.post("update-member-role", memberId=owner_id, role="member"),
        bob.post("remove-member", memberIdOrEmail=owner_id),
        bob.post("invite-member", email="x@example.com", role="owner"),
        cy.post("invite-member", email="x@example.com"),
        cy.post("update-member-role", memberId=cy_id, role="admin"),
        cy.post("remove-member", memberIdOrEmail=cy_id),
        cy.post("update", data={"name": "Mine"}),
    ]
    assert {answer.status_code for answer in refused} == {403}
    unknown = bob.post("update-member-role", memberId=cy_id, role="king")
    assert unknown.status_code == 400
    assert bob.post("update-member-role", memberId=cy_id, role="admin").status_code == 200
    wanted = {"permissions": {"member": ["remove"]}}
    assert cy.post("has-permission", **wanted).json() == {"success": True, "error": None}
    more = {"permissions": {"organization": ["delete"]}}
    assert cy.post("has-permission", **more).json() == {"success": False, "error": None}


def test_members_of_other_organizations_are_out_of_reach(people: People) -> None:
    """A member's id of one organization is nothing in another."""
    ada, bob, _ = people
    ada.create("one")
    theirs = ada.get("get-active-member").json()["id"]
    bob.create("two")
    assert bob.post("remove-member", memberIdOrEmail=theirs).status_code == 400
    assert bob.post("update-member-role", memberId=theirs, role="member").status_code == 400
    assert bob.post("remove-member", memberIdOrEmail="ada@example.com").status_code == 400


@pytest.mark.parametrize("by", ["removed", "left"])
def test_leaving_clears_the_active_organization(people: People, by: str) -> None:
    """Leaving and being removed clear it on every session of those concerned, and on no other."""
    ada, bob, _ = people
    organization_id = ada.create()
    bob.join(ada, organization_id)
    second = ada.site.session(bob.user).token
    client = ada.site.client()
    body = {"organizationId": organization_id}
    client.post("/organization/set-active", json=body, headers=bearer(second))
    elsewhere = bob.create("elsewhere")
    assert (bob.active(), bob.active(second)) == (elsewhere, organization_id)
    if by == "removed":
        assert ada.post("remove-member", memberIdOrEmail="BOB@example.com").status_code == 200
    else:
        assert bob.post("leave", organizationId=organization_id).status_code == 200
    assert (bob.active(), bob.active(second)) == (elsewhere, None)
    assert ada.active() == organization_id


def test_invitation_serves_only_the_invited(people: People) -> None:
    """Only the invited e-mail, once, before it expires."""
    ada, bob, cy = people
    organization_id = ada.create()
    invitation = ada.post("invite-member", email="BOB@example.com", role="admin").json()
    assert (invitation["email"], invitation["status"]) == ("bob@example.com", "pending")
    which = {"invitationId": invitation["id"]}
    for path in ("accept-invitation", "reject-invitation"):
        assert cy.post(path, **which).status_code == 403
    assert cy.get("get-invitation", id=invitation["id"]).status_code == 403
    seen = bob.get("get-invitation", id=invitation["id"]).json()
    assert seen["organizationName"] == "Acme"
    assert seen["inviterEmail"] == "ada@example.com"
    accepted = bob.post("accept-invitation", **which).json()
    assert accepted["invitation"]["status"] == "accepted"
    assert accepted["member"]["role"] == "admin"
    assert bob.active() == organization_id
    assert bob.post("accept-invitation", **which).status_code == 400
    assert ada.post("invite-member", email="bob@example.com").status_code == 400


def test_an_invitation_lifts_nobody_above_their_role(people: People) -> None:
    """Whoever knows an invitation's id and signs up with its address is let in, so nobody is
    shown, or may replace or take back, one to a role above their own."""
    ada, bob, _ = people
    organization_id = ada.create()
    bob.join(ada, organization_id, "admin")
    invite = {"email": "dee@example.com", "role": "owner", "organizationId": organization_id}
    invitation = ada.post("invite-member", **invite).json()
    pending = [invitation["id"]]
    for person, expected in ((ada, pending), (bob, [])):
        listed = person.get("list-invitations", organizationId=organization_id).json()
        assert [i["id"] for i in listed if i["status"] == "pending"] == expected
        full = person.get("get-full-organization", organizationId=organization_id).json()
        assert [i["id"] for i in full["invitations"]] == expected
    again = {**invite, "role": "member", "resend": True}
    assert bob.post("invite-member", **again).status_code == 403
    assert bob.post("cancel-invitation", invitationId=invitation["id"]).status_code == 403
    assert ada.post("cancel-invitation", invitationId=invitation["id"]).status_code == 200


def test_invitation_ends(people: People) -> None:
    """Expired, rejected or canceled, it serves nobody."""
    ada, bob, _ = people
    ada.create()
    for end in ("expire", "reject", "cancel"):
        invitation = ada.post("invite-member", email="bob@example.com").json()
        which = {"invitationId": invitation["id"]}
        if end == "expire":
            ada.site.clock.move(hours=48)
        elif end == "reject":
            assert bob.post("reject-invitation", **which).json()["member"] is None
        else:
            assert bob.post("cancel-invitation", **which).status_code == 403
            assert ada.post("cancel-invitation", **which).json()["status"] == "canceled"
            assert ada.post("cancel-invitation", **which).status_code == 400
        assert bob.post("accept-invitation", **which).status_code == 400


@pytest.mark.parametrize("how", ["removed", "left"])
def test_who_is_gone_lets_nobody_in(people: People, how: str) -> None:
    """Whoever was put out or left may have invited an address of theirs to come back by: what they
    sent and nobody has answered is void. What others sent stays, and so does what was answered."""
    ada, bob, cy = people
    organization_id = ada.create()
    member_id = bob.join(ada, organization_id, role="admin")
    cy.join(bob, organization_id)
    dee, eve = (Person(ada.site, f"{name}@example.com") for name in ("dee", "eve"))
    bobs, adas = (
        by.post("invite-member", email=to.email, organizationId=organization_id).json()["id"]
        for by, to in ((bob, dee), (ada, eve))
    )
    if how == "removed":
        gone = ada.post("remove-member", memberIdOrEmail=member_id)
    else:
        gone = bob.post("leave", organizationId=organization_id)
    assert gone.status_code == 200
    assert dee.post("accept-invitation", invitationId=bobs).status_code == 400
    assert eve.post("accept-invitation", invitationId=adas).status_code == 200
    listed = ada.get("list-invitations").json()
    assert {i["email"]: i["status"] for i in listed} == {
        "bob@example.com": "accepted",
        "cy@example.com": "accepted",
        "dee@example.com": "canceled",
        "eve@example.com": "accepted",
    }


def test_who_is_demoted_lets_nobody_in_whom_they_could_not_invite(
    people_with: Callable[..., People],
) -> None:
    """What a member sent and nobody has answered is void once they could not send it any longer:
    all of it with a role that may not invite, what leads above theirs with one that may."""
    inviting = {"invitation": ("create",)}
    roles = AccessControl(STATEMENTS, {"owner": STATEMENTS, "admin": STATEMENTS, "guide": inviting})
    ada, bob, cy = people_with(roles=roles)
    organization_id = ada.create()
    bob_id = bob.join(ada, organization_id, role="admin")
    dee = Person(ada.site, "dee@example.com")
    as_admin, as_guide = (
        bob.post("invite-member", email=to.email, role=role, organizationId=organization_id).json()[
            "id"
        ]
        for to, role in ((cy, "admin"), (dee, "guide"))
    )
    demoted = ada.post("update-member-role", memberId=bob_id, role="guide")
    assert demoted.status_code == 200
    assert cy.post("accept-invitation", invitationId=as_admin).status_code == 400
    assert dee.post("accept-invitation", invitationId=as_guide).status_code == 200
    listed = ada.get("list-invitations").json()
    assert {i["email"]: i["status"] for i in listed} == {
        "bob@example.com": "accepted",
        "cy@example.com": "canceled",
        "dee@example.com": "accepted",
    }


@pytest.mark.parametrize("role", ["owner", "member"])
def test_a_new_role_and_invitations(people: People, role: str) -> None:
    """Whoever may do more than before keeps what they sent; whoever may invite nobody, nothing."""
    ada, bob, cy = people
    organization_id = ada.create()
    bob_id = bob.join(ada, organization_id, role="admin")
    body = {"email": cy.email, "organizationId": organization_id}
    invitation = bob.post("invite-member", **body).json()
    ada.post("update-member-role", memberId=bob_id, role=role)
    answer = cy.post("accept-invitation", invitationId=invitation["id"])
    assert answer.status_code == (200 if role == "owner" else 400)


def test_who_is_demoted_while_they_invite(people: People) -> None:
    """The invitation of a member who is demoted in the same moment is void."""
    ada, bob, _ = people
    organization_id = ada.create()
    member_id = bob.join(ada, organization_id, role="admin")
    for _ in range(5):
        ada.post("update-member-role", memberId=member_id, role="admin")
        with ThreadPoolExecutor(2) as pool:
            invited = pool.submit(
                bob.post, "invite-member", email="dee@example.com", organizationId=organization_id
            )
            gone = pool.submit(ada.post, "update-member-role", memberId=member_id, role="member")
            assert gone.result().status_code == 200
            assert invited.result().status_code in (200, 403)
        listed = ada.get("list-invitations").json()
        dees = [i["status"] for i in listed if i["email"] == "dee@example.com"]
        assert "pending" not in dees


def test_who_is_put_out_while_they_invite(people: People) -> None:
    """The invitation of a member who is removed in the same moment does not outlive them."""
    ada, bob, _ = people
    organization_id = ada.create()
    for _ in range(5):
        member_id = bob.join(ada, organization_id, role="admin")
        with ThreadPoolExecutor(2) as pool:
            invited = pool.submit(
                bob.post, "invite-member", email="dee@example.com", organizationId=organization_id
            )
            gone = pool.submit(ada.post, "remove-member", memberIdOrEmail=member_id)
            assert gone.result().status_code == 200
            assert invited.result().status_code in (200, 403)
        listed = ada.get("list-invitations").json()
        dees = [i["status"] for i in listed if i["email"] == "dee@example.com"]
        assert "pending" not in dees


def test_inviting_again(people: People) -> None:
    """An address is invited once at a time; resending voids the invitation before."""
    ada, bob, _ = people
    ada.create()
    first = ada.post("invite-member", email="bob@example.com").json()
    assert ada.post("invite-member", email="bob@example.com").status_code == 400
    second = ada.post("invite-member", email="bob@example.com", resend=True).json()
    assert bob.post("accept-invitation", invitationId=first["id"]).status_code == 400
    assert bob.post("accept-invitation", invitationId=second["id"]).status_code == 200
    listed = ada.get("list-invitations").json()
    assert {i["status"] for i in listed} == {"canceled", "accepted"}


def test_one_invitation_accepted_at_once(people: People) -> None:
    """Of many parallel acceptances one makes a member."""
    ada, bob, _ = people
    ada.create()
    invitation = ada.post("invite-member", email="bob@example.com").json()
    with ThreadPoolExecutor(10) as pool:
        answers = list(
            pool.map(
                lambda _: bob.post("accept-invitation", invitationId=invitation["id"]), range(20)
            )
        )
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == 1
    assert set(statuses) == {200, 400}
    assert len(ada.site.run(ada.site.auth.database.find(Member))) == 2


def test_an_address_is_not_flooded_with_invitations(
    people_with: Callable[..., People],
) -> None:
    """At most five letters in 15 minutes to one address, however many organizations invite it."""
    sent: list[str] = []

    async def send(invitation: Invitation, organization: Organization, by: User) -> None:
        sent.append(invitation.email)

    ada, bob, _ = people_with(send_invitation=send)
    statuses = []
    for number in range(4):
        for person in (ada, bob):
            person.create(f"{person.user.id[:8]}-{number}")
            answer = person.post("invite-member", email="victim@example.com")
            statuses.append(answer.status_code)
    assert statuses == [200] * 5 + [429] * 3
    assert sent == ["victim@example.com"] * 5
    assert answer.headers["retry-after"] == "900"
    assert ada.post("invite-member", email="other@example.com").status_code == 200
    ada.site.clock.move(minutes=15)
    again = ada.post("invite-member", email="victim@example.com", resend=True)
    assert again.status_code == 200


def test_limits(people_with: Callable[..., People]) -> None:
    """On organizations of a user, members of one, and invitations."""
    ada, bob, cy = people_with(organization_limit=1, membership_limit=2, invitation_limit=2)
    ada.create()
    assert ada.post("create", name="Two", slug="two").status_code == 403
    invitations = [ada.post("invite-member", email=p.email).json() for p in (bob, cy)]
    assert ada.post("invite-member", email="x@example.com").status_code == 403
    assert bob.post("accept-invitation", invitationId=invitations[0]["id"]).status_code == 200
    full = cy.post("accept-invitation", invitationId=invitations[1]["id"])
    assert (full.status_code, full.json()["code"]) == (403, "ORGANIZATION_MEMBERSHIP_LIMIT_REACHED")
    nobody = people_with(allow_creating=False)[0]
    assert nobody.post("create", name="X", slug="x").status_code == 403


def test_verified_addresses_only(people_with: Callable[..., People]) -> None:
    """By option, only who has proven the invited address may accept."""
    ada, bob, _ = people_with(require_verified_email=True)
    ada.create()
    invitation = ada.post("invite-member", email="bob@example.com").json()
    which = {"invitationId": invitation["id"]}
    assert bob.post("accept-invitation", **which).status_code == 403
    site = ada.site
    site.run(site.auth.users.update(bob.user, {"email_verified": True}))
    assert bob.post("accept-invitation", **which).status_code == 200


def test_invitations_are_sent(people_with: Callable[..., People]) -> None:
    """The application delivers them."""
    sent: list[tuple[str, str, str]] = []

    async def send(invitation: Invitation, organization: Organization, inviter: User) -> None:
        sent.append((invitation.email, organization.slug, inviter.email))

    ada, _, _ = people_with(send_invitation=send)
    ada.create()
    ada.post("invite-member", email="bob@example.com")
    assert sent == [("bob@example.com", "acme", "ada@example.com")]


def test_adding_members_is_for_the_server(people: People) -> None:
    """``add-member`` is a function, not an endpoint; it keeps the same rules."""
    ada, bob, _ = people
    organization_id = ada.create()
    site = ada.site
    plugin = site.auth.plugin(OrganizationPlugin)
    member = site.run(plugin.add_member(organization_id, bob.user.id, "admin"))
    assert member.role == "admin"
    for organization, role in ((organization_id, "admin"), ("nothing", "admin"), ("x", "king")):
        with pytest.raises(AuthError):
            site.run(plugin.add_member(organization, bob.user.id, role))
    assert ada.post("add-member", userId=bob.user.id, role="owner").status_code == 404


def test_default_organization(people_with: Callable[..., People]) -> None:
    """A new session works where the application says, if its user belongs there."""
    chosen: dict[str, str] = {}

    async def default(user: User) -> str | None:
        return chosen.get(user.id)

    ada, bob, _ = people_with(default_organization=default)
    organization_id = ada.create()
    chosen[ada.user.id] = chosen[bob.user.id] = organization_id
    site = ada.site
    assert ada.active(site.session(ada.user).token) == organization_id
    assert bob.active(site.session(bob.user).token) is None


def test_expired_invitations_are_purged(people: People) -> None:
    """They do not stay for ever."""
    ada, _, _ = people
    ada.create()
    ada.post("invite-member", email="bob@example.com")
    site = ada.site
    site.clock.now += timedelta(days=3)

    async def purge() -> None:
        async for _ in site.auth.sessions.purge():
            pass

    site.run(purge())
    assert site.run(site.auth.database.find(Invitation)) == []


def test_invitations_to_ones_own_address(people: People) -> None:
    """Who has proven an address sees the invitations to it; claiming it is not enough."""
    ada, bob, _ = people
    ada.create()
    ada.post("invite-member", email="bob@example.com")
    refused = bob.get("list-user-invitations")
    code = "EMAIL_VERIFICATION_REQUIRED_FOR_INVITATION"
    assert (refused.status_code, refused.json()["code"]) == (403, code)
    site = ada.site
    site.run(site.auth.users.update(bob.user, {"email_verified": True}))
    listed = bob.get("list-user-invitations").json()
    assert [(i["email"], i["organizationName"]) for i in listed] == [("bob@example.com", "Acme")]
    site.clock.move(hours=48)
    assert bob.get("list-user-invitations").json() == []


def test_roles_are_told_to_members(people: People) -> None:
    """A member asks for their own role, and for another's."""
    ada, bob, cy = people
    organization_id = ada.create()
    bob.join(ada, organization_id, "admin")
    assert bob.get("get-active-member-role").json() == {"role": "admin"}
    assert bob.get("get-active-member-role", userId=ada.user.id).json() == {"role": "owner"}
    assert bob.get("get-active-member-role", userId=cy.user.id).status_code == 403
    assert cy.get("get-active-member-role", organizationId=organization_id).status_code == 403
    assert cy.get("get-active-member-role").status_code == 400


def test_no_organization_is_null(people: People) -> None:
    """Without one named or active there is none to show."""
    ada, bob, _ = people
    organization_id = ada.create()
    assert bob.get("get-organization").json() is None
    assert bob.get("get-full-organization").json() is None
    assert ada.get("get-organization").json()["id"] == organization_id
    assert bob.get("get-organization", organizationSlug="acme").status_code == 403
