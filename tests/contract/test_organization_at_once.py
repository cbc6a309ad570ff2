"""Organizations: what two requests at once, or one and its opposite, leave behind."""

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from better_auth.errors import BadRequest
from better_auth.events import SessionCreating, SessionUpdating
from better_auth.models import User
from better_auth.plugins import OrganizationPlugin
from better_auth.plugins.organization import Invitation
from better_auth.plugins.organization.messages import MemberToRemove
from tests.conftest import Site
from tests.contract.test_organization import Person, plugins


@pytest.fixture
def people_with(site_with: Callable[..., Site]) -> Callable[..., tuple[Person, Person]]:
    """Makes Ada and Bob on a site with options of the plugin."""

    def make(**options: Any) -> tuple[Person, Person]:
        site = site_with(plugins=plugins(**options))
        return Person(site, "ada@example.com"), Person(site, "bob@example.com")

    return make


def at_once(times: int, job: Callable[[int], int]) -> Counter[int]:
    """How many of ``times`` parallel jobs were answered how."""
    with ThreadPoolExecutor(times) as pool:
        return Counter(pool.map(job, range(times)))


def test_organizations_of_a_user(people_with: Callable[..., tuple[Person, Person]]) -> None:
    """`organization_limit` holds for many at once."""
    ada, _ = people_with(organization_limit=2)
    answered = at_once(8, lambda n: ada.post("create", name="A", slug=f"a-{n}").status_code)
    assert answered == {200: 2, 403: 6}
    assert len(ada.get("list").json()) == 2


def test_invitations_of_an_organization(people_with: Callable[..., tuple[Person, Person]]) -> None:
    """`invitation_limit` holds for many at once."""
    ada, _ = people_with(invitation_limit=3)
    ada.create()

    def invite(number: int) -> int:
        return ada.post("invite-member", email=f"x{number}@example.com").status_code

    assert at_once(8, invite) == {200: 3, 403: 5}


@pytest.mark.parametrize("resend", [False, True])
def test_one_address_invited_at_once(
    people_with: Callable[..., tuple[Person, Person]], resend: bool
) -> None:
    """An address has one invitation, which taken back leaves none."""
    ada, bob = people_with()
    ada.create()

    def invite(_: int) -> int:
        return ada.post("invite-member", email=bob.email, resend=resend).status_code

    assert at_once(8, invite) == ({200: 8} if resend else {200: 1, 400: 7})
    database = ada.site.auth.database
    (pending,) = ada.site.run(database.find(Invitation, status="pending"))
    assert ada.post("cancel-invitation", invitationId=pending.id).status_code == 200
    assert ada.site.run(database.count(Invitation, status="pending")) == 0


def put_out(person: Person, by: Person, organization_id: str) -> None:
    """From now on ``person`` is put out in the moment in which a session begins to work there."""
    auth = by.site.auth
    whom = MemberToRemove(member_id_or_email=person.email, organization_id=organization_id)

    async def remove(event: SessionCreating | SessionUpdating) -> None:
        with suppress(BadRequest):  # is no member (any longer)
            await auth.plugin(OrganizationPlugin).remove_member(auth.call(token=by.token), whom)

    auth.on(SessionCreating)(remove)
    auth.on(SessionUpdating)(remove)


def test_put_out_while_joining(people_with: Callable[..., tuple[Person, Person]]) -> None:
    """ "What a session calls its active organization is one its user belongs to"."""
    ada, bob = people_with()
    organization_id = ada.create()
    invitation = ada.post("invite-member", email=bob.email).json()
    put_out(bob, ada, organization_id)
    assert bob.post("accept-invitation", invitationId=invitation["id"]).status_code == 403
    assert bob.active() is None


def test_put_out_while_signing_in(people_with: Callable[..., tuple[Person, Person]]) -> None:
    """The same where a new session works in a default organization."""
    chosen: list[str] = []

    async def default(user: User) -> str | None:
        return chosen[0] if chosen else None

    ada, bob = people_with(default_organization=default)
    chosen.append(ada.create())
    bob.join(ada, chosen[0])
    put_out(bob, ada, chosen[0])
    session = ada.site.session(bob.user)
    assert bob.active(session.token) is None


def test_two_owners_cannot_both_be_deleted(
    people_with: Callable[..., tuple[Person, Person]],
) -> None:
    """ "There is always an owner", whoever goes at the same moment."""
    ada, _ = people_with()
    site = ada.site
    cy = Person(site, "cy@example.com")
    for attempt in range(5):
        owners = [Person(site, f"{name}-{attempt}@example.com") for name in ("dee", "eve")]
        organization_id = owners[0].create(f"acme-{attempt}")
        owners[1].join(owners[0], organization_id, "owner")
        cy.join(owners[0], organization_id)

        async def delete_all(owners: list[Person] = owners) -> list[bool | BaseException]:
            leaving = [site.auth.users.delete(owner.user) for owner in owners]
            return await asyncio.gather(*leaving, return_exceptions=True)

        outcomes = site.run(delete_all())
        assert sorted(str(outcome) for outcome in outcomes if outcome is not True) == [
            "Hand over your organizations first"
        ]
        listed = cy.get("list-members", organizationId=organization_id).json()["members"]
        assert sorted(member["role"] for member in listed) == ["member", "owner"]
