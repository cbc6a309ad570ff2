"""Second factors, bans, roles, impersonation and membership in any order, against a plain model.

Whatever happened before: a token is let in when the model says so, as whom the model says, with
the impersonator and the active organization the model says.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import argon2
import httpx
import pyotp
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from better_auth.plugins import AdminPlugin
from better_auth.plugins.organization.roles import ONLY_OWNER
from tests.support import PASSWORD, MovableClock, bearer, every_plugin, make_auth

T = TypeVar("T")
HASH = argon2.PasswordHasher(memory_cost=19456, time_cost=2, parallelism=1).hash(PASSWORD)
NAMES = ("ada", "bob", "cy")
HOUR = timedelta(hours=1)


@dataclass
class Person:
    """What the model knows of a user."""

    id: str
    email: str
    role: str = "user"
    secret: str | None = None
    banned: bool = False
    banned_until: datetime | None = None
    pending: list[str] = field(default_factory=list)

    def is_banned(self, now: datetime) -> bool:
        """Whether a ban counts now."""
        return self.banned and (self.banned_until is None or self.banned_until > now)


@dataclass
class Device:
    """What the model knows of a live session."""

    token: str
    person: Person
    impersonator: Person | None = None
    until: datetime | None = None
    organization: str | None = None


class PrivilegesMachine(RuleBasedStateMachine):
    """Three people, any number of devices and organizations."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = MovableClock()
        self.people: list[Person] = []
        self.devices: list[Device] = []
        self.dead: list[str] = []
        self.members: dict[str, dict[str, str]] = {}  # organization: user id: role
        self.made = 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work``."""
        return self.loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        """Three people with two devices each; the first of them is an admin."""
        self.auth = make_auth(
            clock=self.clock,
            plugins=every_plugin(),
            session={"expires_in": timedelta(days=3650), "disable_refresh": True},
        )
        self.run(self.auth.start())
        for name in NAMES:
            role = "admin" if name == "ada" else "user"
            user = self.run(
                self.auth.users.create(
                    name=name,
                    email=f"{name}@example.com",
                    password_hash=HASH,
                    fields={"role": role},
                )
            )
            person = Person(user.id, user.email, role)
            self.people.append(person)
            for _ in range(2):
                token = self.run(self.auth.sessions.create(user)).token
                self.devices.append(Device(token, person))

    def ask(
        self, path: str, token: str | None = None, method: str = "POST", **body: Any
    ) -> httpx.Response:
        """One request, through the whole ASGI application."""

        async def work() -> httpx.Response:
            transport = httpx.ASGITransport(self.auth)
            async with httpx.AsyncClient(transport=transport, base_url="http://x/auth") as client:
                headers = bearer(token) if token else {}
                if method == "GET":
                    return await client.get(path, headers=headers)
                return await client.post(path, json=body, headers=headers)

        answer = self.run(work())
        assert answer.status_code < 500, answer.text
        return answer

    def code(self, person: Person) -> str:
        """A TOTP code that was not used yet."""
        assert person.secret is not None
        self.clock.move(seconds=31)
        self.expire()
        return pyotp.TOTP(person.secret).at(self.clock())

    def expire(self) -> None:
        """What time alone ends."""
        now = self.clock()
        self.drop([d for d in self.devices if d.until is not None and d.until <= now])

    def drop(self, gone: list[Device]) -> None:
        """These sessions are over."""
        self.dead += [device.token for device in gone]
        self.devices = [d for d in self.devices if all(d is not other for other in gone)]

    def drop_all_of(self, person: Person) -> None:
        """A user is out everywhere, also where they are someone else."""
        self.drop([d for d in self.devices if person in (d.person, d.impersonator)])
        person.pending = []

    def own(self, person: Person | None = None) -> list[Device]:
        """Devices nobody is impersonated on."""
        return [d for d in self.devices if d.impersonator is None and person in (None, d.person)]

    def admins(self) -> list[Device]:
        """Devices of those who may administer."""
        return [d for d in self.own() if d.person.role == "admin"]

    @rule(data=st.data())
    def sign_in(self, data: st.DataObject) -> None:
        """With a password: a session, a challenge, or a refusal."""
        person = data.draw(st.sampled_from(self.people))
        answer = self.ask("/sign-in/email", email=person.email, password=PASSWORD)
        if person.is_banned(self.clock()):
            assert (answer.status_code, answer.json()["code"]) == (403, "BANNED_USER")
            return
        assert answer.status_code == 200
        person.banned = False
        token = answer.json()["token"]
        if person.secret is not None:
            assert answer.json()["twoFactorRedirect"] is True
            person.pending.append(token)
            self.dead.append(token)  # as a session it never was one
        else:
            self.devices.append(Device(token, person))

    @precondition(lambda self: any(p.pending for p in self.people))
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        """The second factor makes the session, if the challenge still stands."""
        person = data.draw(st.sampled_from([p for p in self.people if p.pending]))
        token = person.pending.pop()
        answer = self.ask("/two-factor/verify-totp", token, code=self.code(person))
        assert answer.status_code == 200, answer.text
        self.devices.append(Device(answer.json()["token"], person))

    @precondition(lambda self: any(d.person.secret is None for d in self.own()))
    @rule(data=st.data())
    def enable(self, data: st.DataObject) -> None:
        """Two-factor on: the session goes on under new tokens."""
        device = data.draw(st.sampled_from([d for d in self.own() if d.person.secret is None]))
        person, first = device.person, device.token
        enrolment = self.ask("/two-factor/enable", first, password=PASSWORD).json()
        secret = parse_qs(urlsplit(enrolment["totpURI"]).query)["secret"][0]
        person.secret = secret
        code = self.code(person)
        verified = self.ask("/two-factor/verify-totp", enrolment["token"], code=code)
        assert verified.status_code == 200, verified.text
        device.token = verified.json()["token"]
        self.dead += [first, enrolment["token"]]

    @precondition(lambda self: any(d.person.secret for d in self.own()))
    @rule(data=st.data())
    def disable(self, data: st.DataObject) -> None:
        """Two-factor off: challenges end, the session goes on under a new token."""
        device = data.draw(st.sampled_from([d for d in self.own() if d.person.secret]))
        answer = self.ask("/two-factor/disable", device.token, password=PASSWORD)
        self.dead.append(device.token)
        device.token = answer.json()["token"]
        device.person.secret = None
        device.person.pending = []

    @precondition(lambda self: self.admins())
    @rule(data=st.data(), hours=st.sampled_from([None, 1]))
    def ban(self, data: st.DataObject, hours: int | None) -> None:
        """Everything of theirs ends; nobody bans oneself."""
        device = data.draw(st.sampled_from(self.admins()))
        person = data.draw(st.sampled_from(self.people))
        body = {"userId": person.id, "banExpiresIn": hours and hours * 3600}
        answer = self.ask("/admin/ban-user", device.token, **body)
        if person is device.person:
            assert answer.status_code == 400
            return
        assert answer.status_code == 200
        person.banned, person.banned_until = True, self.clock() + HOUR if hours else None
        self.drop_all_of(person)

    @precondition(lambda self: self.admins())
    @rule(data=st.data())
    def unban(self, data: st.DataObject) -> None:
        """Nobody is let in by it who would not be otherwise."""
        device = data.draw(st.sampled_from(self.admins()))
        person = data.draw(st.sampled_from(self.people))
        assert self.ask("/admin/unban-user", device.token, userId=person.id).status_code == 200
        person.banned = False

    @precondition(lambda self: self.admins())
    @rule(data=st.data(), role=st.sampled_from(["admin", "user"]))
    def set_role(self, data: st.DataObject, role: str) -> None:
        """A change of role ends everything of theirs."""
        device = data.draw(st.sampled_from(self.admins()))
        person = data.draw(st.sampled_from(self.people))
        answer = self.ask("/admin/set-role", device.token, userId=person.id, role=role)
        if person is device.person:
            assert answer.status_code == 400
            return
        assert answer.json()["user"]["role"] == role
        if person.role != role:
            person.role = role
            self.drop_all_of(person)

    @rule()
    def operator_appoints(self) -> None:
        """There is a way back in when no admin is left."""
        ada = self.people[0]
        if ada.role != "admin":
            user = self.run(self.auth.users.find(ada.id))
            assert user is not None
            self.run(self.auth.plugin(AdminPlugin).give_role(user, "admin"))
            ada.role = "admin"
            self.drop_all_of(ada)

    @precondition(lambda self: self.own())
    @rule(data=st.data())
    def impersonate(self, data: st.DataObject) -> None:
        """Only by an admin, only of a user who is none and not banned."""
        device = data.draw(st.sampled_from(self.admins() or self.own()))
        person = data.draw(st.sampled_from(self.people))
        answer = self.ask("/admin/impersonate-user", device.token, userId=person.id)
        if device.person.role != "admin":
            assert answer.status_code == 403
        elif person is device.person:
            assert answer.status_code == 400
        elif person.role == "admin" or person.is_banned(self.clock()):
            assert answer.status_code == 403
        else:
            person.banned = False
            token = answer.json()["session"]["token"]
            self.devices.append(Device(token, person, device.person, self.clock() + HOUR))

    @precondition(lambda self: any(d.impersonator for d in self.devices))
    @rule(data=st.data())
    def stop_impersonating(self, data: st.DataObject) -> None:
        """It ends, and opens nothing else."""
        device = data.draw(st.sampled_from([d for d in self.devices if d.impersonator]))
        answer = self.ask("/admin/stop-impersonating", device.token)
        assert answer.status_code == 200
        session = answer.json()["session"]
        if session is not None:
            self.dead.append(session["token"])
        self.drop([device])

    @precondition(lambda self: self.devices)
    @rule(data=st.data())
    def create_organization(self, data: st.DataObject) -> None:
        """Whoever a session is, owns it and works in it."""
        device = data.draw(st.sampled_from(self.devices))
        self.made += 1
        body = {"name": "Acme", "slug": f"acme-{self.made}"}
        answer = self.ask("/organization/create", device.token, **body)
        device.organization = answer.json()["id"]
        self.members[answer.json()["id"]] = {device.person.id: "owner"}

    @precondition(lambda self: self.members and self.own())
    @rule(data=st.data(), role=st.sampled_from(["owner", "admin", "member"]))
    def join(self, data: st.DataObject, role: str) -> None:
        """By an invitation of an owner's."""
        organization = data.draw(st.sampled_from(list(self.members)))
        members = self.members[organization]
        owners = [d for d in self.own() if members.get(d.person.id) == "owner"]
        guests = [d for d in self.own() if d.person.id not in members]
        if not owners or not guests:
            return
        owner, guest = data.draw(st.sampled_from(owners)), data.draw(st.sampled_from(guests))
        body = {"email": guest.person.email, "role": role, "organizationId": organization}
        invitation = self.ask("/organization/invite-member", owner.token, **body, resend=True)
        which = {"invitationId": invitation.json()["id"]}
        answer = self.ask("/organization/accept-invitation", guest.token, **which)
        assert answer.status_code == 200, answer.text
        members[guest.person.id] = role
        guest.organization = organization

    @precondition(lambda self: self.members and self.devices)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """No session of theirs works there any longer; the last owner stays."""
        organization = data.draw(st.sampled_from(list(self.members)))
        device = data.draw(st.sampled_from(self.devices))
        members = self.members[organization]
        answer = self.ask("/organization/leave", device.token, organizationId=organization)
        role = members.get(device.person.id)
        if role is None:
            assert answer.status_code == 403
        elif role == "owner" and list(members.values()).count("owner") == 1:
            assert (answer.status_code, answer.json()["code"]) == (400, ONLY_OWNER)
        else:
            assert answer.status_code == 200
            del members[device.person.id]
            for other in self.devices:
                if other.person is device.person and other.organization == organization:
                    other.organization = None

    @precondition(lambda self: self.members and self.devices)
    @rule(data=st.data(), nothing=st.booleans())
    def set_active(self, data: st.DataObject, nothing: bool) -> None:
        """For one session alone, members only."""
        device = data.draw(st.sampled_from(self.devices))
        organization = None if nothing else data.draw(st.sampled_from(list(self.members)))
        answer = self.ask("/organization/set-active", device.token, organizationId=organization)
        if organization is not None and device.person.id not in self.members[organization]:
            assert answer.status_code == 403
        else:
            assert answer.status_code == 200
            device.organization = organization

    @precondition(lambda self: self.devices)
    @rule(data=st.data())
    def delete_organization(self, data: st.DataObject) -> None:
        """Owners only; nobody works there any longer."""
        if not self.members:
            return
        organization = data.draw(st.sampled_from(list(self.members)))
        device = data.draw(st.sampled_from(self.devices))
        answer = self.ask("/organization/delete", device.token, organizationId=organization)
        if self.members[organization].get(device.person.id) != "owner":
            assert answer.status_code == 403
            return
        assert answer.json()["id"] == organization
        del self.members[organization]
        for other in self.devices:
            if other.organization == organization:
                other.organization = None

    @rule(minutes=st.sampled_from([1, 9, 30, 60]))
    def time_passes(self, minutes: int) -> None:
        """Impersonations, bans and challenges end by themselves."""
        self.clock.move(minutes=minutes)
        self.expire()
        if minutes >= 9:
            for person in self.people:
                person.pending = []  # older than ten minutes, or soon

    @invariant()
    def everybody_is_who_they_should_be(self) -> None:
        """Every token ever seen, as the model has it."""
        for device in self.devices:
            answer = self.ask("/get-session", device.token, "GET")
            assert answer.status_code == 200
            session, user = answer.json()["session"], answer.json()["user"]
            assert user["id"] == device.person.id
            assert user["twoFactorEnabled"] is (device.person.secret is not None)
            assert user["role"] == device.person.role
            impersonator = device.impersonator and device.impersonator.id
            assert session["impersonatedBy"] == impersonator
            assert session["activeOrganizationId"] == device.organization
        for token in self.dead[-20:]:
            assert self.ask("/get-session", token, "GET").status_code == 401

    def teardown(self) -> None:
        """Close the database and the loop."""
        if hasattr(self, "auth"):
            self.run(self.auth.stop())
        self.loop.close()


TestPrivileges = PrivilegesMachine.TestCase
TestPrivileges.settings = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
