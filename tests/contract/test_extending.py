"""What an application adds: plugins, events, a User of its own; endpoints without HTTP."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

import pytest
from pydantic import Field

import better_auth
from better_auth import AuthError, Column, ConfigurationError, ReadOnly, User
from better_auth.errors import Forbidden, Unauthorized
from better_auth.events import (
    SessionCreating,
    SessionsRevoked,
    SessionsRevoking,
    UserCreated,
    UserCreating,
)
from better_auth.http.endpoints import Endpoint
from better_auth.models import Fields, Record
from better_auth.plugins import (
    Call,
    EmailPasswordPlugin,
    Input,
    Plugin,
    SessionManagementPlugin,
    UserManagementPlugin,
    get,
    on,
    post,
)
from better_auth.plugins.session_management import RevokeSession
from tests.conftest import Site
from tests.support import PASSWORD, bearer, make_auth

MakeSite = Callable[..., Site]


class Badge(Record):
    """A record of the plugin's own."""

    table_name = "badge"
    user_id: Annotated[str, Column(index=True, length=64, references="user")]
    title: Annotated[str, Column(length=50)]


class BadgeUser(Fields):
    """What the plugin adds to every user."""

    level: int = 1


class BadgeSession(Fields):
    """What the plugin adds to every session."""

    theme: Annotated[str | None, Column(length=20)] = None


class Award(Input):
    """A badge to give."""

    title: str = Field(min_length=1, max_length=50)


class Badges(Fields):
    """A user's badges."""

    titles: list[str]


class BadgePlugin(Plugin):
    """A capability with everything a plugin may bring."""

    records = [Badge]
    user_fields = BadgeUser
    session_fields = BadgeSession
    started = 0

    async def start(self) -> None:
        self.started += 1

    @on(UserCreated)
    async def first(self, event: UserCreated) -> None:
        await self.context.database.insert(Badge(user_id=event.user.id, title="newcomer"))

    @post("/badges/award", access="session")
    async def award(self, call: Call, body: Award) -> Badges:
        """Give oneself a badge."""
        caller = await call.require()
        await self.context.database.insert(Badge(user_id=caller.user.id, title=body.title))
        await self.context.sessions.update(caller.session, {"theme": "gold"})
        return await self.of(call)

    @get("/badges/of/{name}")
    async def of(self, call: Call) -> Badges:
        """All badges, whatever the name."""
        found = await self.context.database.find(Badge, order_by="title")
        return Badges(titles=[badge.title for badge in found])


def test_plugin(site_with: MakeSite) -> None:
    """ "Plugin brings routes, its own records, fields for user or session, event handlers,
    start-up work"."""
    plugin = BadgePlugin()
    site = site_with(plugins=[EmailPasswordPlugin(), SessionManagementPlugin(), plugin])
    token = site.browser().sign_up(level=9).json()["token"]
    client = site.client()
    assert plugin.started == 1
    answer = client.post("/badges/award", json={"title": "first"}, headers=bearer(token))
    assert answer.json() == {"titles": ["first", "newcomer"]}
    assert client.get("/badges/of/ada").json() == {"titles": ["first", "newcomer"]}
    assert client.post("/badges/award", json={"title": ""}, headers=bearer(token)).is_client_error
    body = client.get("/get-session", headers=bearer(token)).json()
    assert body["user"]["level"] == 1
    assert body["session"]["theme"] == "gold"
    schemas = site.auth.openapi()["components"]["schemas"]
    assert "theme" in schemas["Session"]["properties"]
    assert "level" in schemas["User"]["properties"]


def test_around_every_endpoint(site_with: MakeSite) -> None:
    """A plugin may stand around every endpoint, whichever plugin's; the first listed outermost."""
    seen: list[str] = []

    class Around(Plugin):
        name = "outer"

        def around(self, endpoint: Endpoint) -> Endpoint:
            async def function(call: Call, **arguments: Any) -> Any:
                seen.append(f"{self.title} {endpoint.route.path}")
                return await endpoint.function(call, **arguments)

            return replace(endpoint, function=function)

    class Inner(Around):
        name = "inner"

    site = site_with(plugins=[Around(), EmailPasswordPlugin(), Inner()])
    assert site.browser().sign_up().status_code == 200
    assert site.client().get("/ok").json() == {"ok": True}
    assert seen == ["outer /sign-up/email", "inner /sign-up/email", "outer /ok", "inner /ok"]


def test_around_a_lasting_answer(site_with: MakeSite) -> None:
    """What stands around ``/get-session`` is asked every time, whatever the answer was before."""
    seen: list[str] = []

    class Around(Plugin):
        def around(self, endpoint: Endpoint) -> Endpoint:
            async def function(call: Call, **arguments: Any) -> Any:
                seen.append(endpoint.route.path)
                return await endpoint.function(call, **arguments)

            return replace(endpoint, function=function)

    site = site_with(plugins=[EmailPasswordPlugin(), SessionManagementPlugin(), Around()])
    browser = site.browser()
    browser.sign_up()
    seen.clear()
    for _ in range(4):
        assert browser.get("/get-session").status_code == 200
    assert seen == ["/get-session"] * 4


def test_a_lasting_answer(site_with: MakeSite) -> None:
    """``is_lasting``: a known caller's answer is made once, and anew after any change to them."""

    class Greeting(Plugin):
        asked = 0

        @get("/greeting", access="session", is_lasting=True)
        async def greeting(self, call: Call) -> Badges:
            """Greets whoever asks."""
            self.asked += 1
            return Badges(titles=[(await call.require()).user.name])

    basic, plugin = [EmailPasswordPlugin(), SessionManagementPlugin()], Greeting()
    site = site_with(plugins=[*basic, UserManagementPlugin(), plugin])
    ada, bob = site.browser(), site.browser()
    token = ada.sign_up(name="Ada").json()["token"]
    bob.sign_up(name="Bob", email="bob@example.com")
    for _ in range(4):
        assert ada.get("/greeting").json() == {"titles": ["Ada"]}
        assert bob.get("/greeting").json() == {"titles": ["Bob"]}

    async def is_remembered() -> bool:
        return site.auth.sessions.at_hand(token) is not None

    assert plugin.asked == (2 if site.run(is_remembered()) else 8)
    assert ada.post("/update-user", json={"name": "Countess"}).status_code == 200
    for _ in range(4):
        assert ada.get("/greeting").json() == {"titles": ["Countess"]}
        assert bob.get("/greeting").json() == {"titles": ["Bob"]}
    assert ada.post("/sign-out").status_code == 200
    assert ada.get("/greeting").status_code == 401


def test_two_answers_to_one_path() -> None:
    """Two plugins that bring the same route, table or themselves twice are refused by name."""

    class Other(Plugin):
        @get("/badges/of/{name}")
        async def also(self, call: Call) -> Badges:
            """The same path."""
            return Badges(titles=[])

    class SameTable(Plugin):
        records = [Badge]

    for plugins in ([BadgePlugin(), Other()], [BadgePlugin(), SameTable()], [BadgePlugin()] * 2):
        with pytest.raises(ConfigurationError, match=r"badge|Badge"):
            make_auth(plugins=plugins)


class Member(User):
    """An application's own user."""

    company: Annotated[str, Column(length=80), Field(max_length=80)] = "none"
    age: int | None = None
    plan: Annotated[str, ReadOnly()] = "free"
    notes: str | None = Field(default=None, exclude=True)


def test_own_user_fields(site_with: MakeSite) -> None:
    """ "The user's own User fields (a typed subclass) reach the table, sign-up, answers and
    OpenAPI", also where another application of the process has a plain User."""
    assert site_with().browser().sign_up().status_code == 200
    site = site_with(user_model=Member)
    answer = site.browser().sign_up(company="Analytical", age=36, plan="gold", notes="secret")
    user = answer.json()["user"]
    assert (user["company"], user["age"], user["plan"]) == ("Analytical", 36, "free")
    assert "notes" not in user
    stored = site.run(site.auth.users.find(user["id"]))
    assert isinstance(stored, Member)
    assert stored.notes == "secret"
    client = site.client()
    body = client.get("/get-session", headers=bearer(answer.json()["token"])).json()
    assert body["user"] == user
    wrong = site.browser().sign_up("b@example.com", age="36")
    assert wrong.status_code == 400
    assert "body.age" in wrong.json()["message"]
    schemas = site.auth.openapi()["components"]["schemas"]
    assert {"company", "age", "plan"} <= schemas["User"]["properties"].keys()
    assert "notes" not in schemas["User"]["properties"]
    assert "plan" not in schemas["SignUpEmail"]["properties"]


class Birthday(User):
    """An application's own user, with a moment that says nothing of UTC."""

    born_at: datetime | None = None


def test_own_moments(site_with: MakeSite) -> None:
    """ "Times are UTC": an own field's as well, wherever it was given, in every answer."""
    browser = site_with(user_model=Birthday).browser()
    answer = browser.sign_up(bornAt="2024-01-01T01:30:00.123456+02:00")
    assert answer.json()["user"]["bornAt"] == "2023-12-31T23:30:00.123Z"
    assert browser.get("/get-session").json()["user"]["bornAt"] == "2023-12-31T23:30:00.123Z"
    answer = browser.sign_up(email="b@example.com", bornAt="2024-01-01T01:30:00")
    assert answer.status_code == 400
    assert "time zone" in answer.json()["message"]


def test_before_may_change(site: Site) -> None:
    """ "a before may change"."""

    @site.auth.on(UserCreating)
    def rename(event: UserCreating) -> None:
        event.user = event.user.revised(name="Countess")

    @site.auth.on(SessionCreating)
    async def shorten(event: SessionCreating) -> None:
        event.session = event.session.revised(user_agent="changed")

    browser = site.browser()
    assert browser.sign_up().json()["user"]["name"] == "Countess"
    assert browser.get("/get-session").json()["session"]["userAgent"] == "changed"


def test_before_may_refuse(site: Site) -> None:
    """ "or refuse": nothing is stored, and the refusal is the answer."""

    @site.auth.on(UserCreating)
    def only_invited(event: UserCreating) -> None:
        if event.user.email.startswith("eve"):
            raise Forbidden("Not invited", "NOT_INVITED")

    @site.auth.on(SessionsRevoking)
    def keep(event: SessionsRevoking) -> None:
        raise Forbidden("Sessions stay", "KEPT")

    answer = site.browser().sign_up("eve@example.com")
    assert (answer.status_code, answer.json()["code"]) == (403, "NOT_INVITED")
    assert site.run(site.auth.users.find_by_email("eve@example.com")) is None
    token = site.session(site.user()).token
    assert site.client().post("/revoke-sessions", headers=bearer(token)).status_code == 403
    assert site.client().get("/get-session", headers=bearer(token)).status_code == 200


def test_after_is_told_and_cannot_undo(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """After handlers learn what is stored; one that fails is logged, not answered."""
    told: list[Any] = []

    @site.auth.on(UserCreated)
    def fail(event: UserCreated) -> None:
        told.append(event.user.email)
        raise RuntimeError("handler")

    site.auth.on(SessionsRevoked)(told.append)
    browser = site.browser()
    assert browser.sign_up().status_code == 200
    assert told == ["ada@example.com"]
    assert "UserCreated failed" in caplog.text
    browser.post("/sign-out")
    assert [len(event.sessions) for event in told[1:]] == [1]


def test_in_process(site: Site) -> None:
    """ "Every endpoint is callable in-process with no HTTP"."""
    auth = site.auth
    sessions = auth.plugin(SessionManagementPlugin)
    emails = auth.plugin(EmailPasswordPlugin)

    async def work() -> None:
        from better_auth.plugins.email_password import SignInEmail, SignUpEmail

        up = SignUpEmail(name="Ada", email="ada@example.com", password=PASSWORD)
        made = await emails.sign_up(auth.call(ip_address="203.0.113.1", user_agent="test"), up)
        assert made.token
        again = await emails.sign_in(
            auth.call(), SignInEmail(email="ada@example.com", password=PASSWORD)
        )
        listed = await sessions.list_sessions(auth.call(token=made.token))
        assert [s.ip_address for s in listed.sessions] == ["203.0.113.1", None] or [
            s.ip_address for s in listed.sessions
        ] == [None, "203.0.113.1"]
        await sessions.revoke_session(auth.call(token=made.token), RevokeSession(token=again.token))
        assert await auth.sessions.resolve(again.token) is None
        with pytest.raises(Unauthorized):
            await sessions.get_session(auth.call())
        with pytest.raises(AuthError):
            await sessions.get_session(auth.call(token=again.token))

    site.run(work())


def test_public_names() -> None:
    """The page's names, where Python has the same thing."""
    from better_auth.adapters import MemoryDatabaseAdapter
    from better_auth.handlers import CurrentSession, OptionalSession
    from better_auth.plugins import SessionManagementPlugin as FromPlugins

    names = ("BetterAuth", "AuthConfig", "SameSite", "AuthUser")
    assert all(hasattr(better_auth, name) for name in names)
    assert all((MemoryDatabaseAdapter, CurrentSession, OptionalSession, FromPlugins))
    config = better_auth.AuthConfig("a secret of at least 32 characters")
    config.session.cookie_same_site = better_auth.SameSite.LAX
    assert better_auth.BetterAuth(config, database=MemoryDatabaseAdapter()).config == config


class Wish(Input):
    """A body."""

    wish: str


def test_two_models_of_one_name(site_with: Callable[..., Site]) -> None:
    """Plugins need not know each other's names: the document stays valid."""
    first = Wish

    def second() -> type[Input]:
        class Wish(Input):
            """Another body of that name."""

            other: int

        return Wish

    class Wishes(Plugin):
        """Two endpoints."""

        async def one(self, call: Call, body: Input) -> Wish:
            """One."""
            raise NotImplementedError

        async def two(self, call: Call, body: Input) -> Wish:
            """Two."""
            raise NotImplementedError

    Wishes.one.__annotations__["body"] = first
    Wishes.two.__annotations__["body"] = second()
    post("/one")(Wishes.one)
    post("/two")(Wishes.two)
    document = site_with(plugins=[Wishes()]).auth.openapi()
    bodies = [
        document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        for path in ("/one", "/two")
    ]
    names = [body["$ref"].rpartition("/")[2] for body in bodies]
    fields = [list(document["components"]["schemas"][name]["properties"]) for name in names]
    assert fields == [["wish"], ["other"]]
