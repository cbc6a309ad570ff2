"""Providers that a correct one is not: what they say wrong is believed by nobody. And what the
endpoints promise where no provider need be asked."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from better_auth.errors import ConfigurationError
from better_auth.events import SessionCreating, SignInFailed
from better_auth.models import Account, Session
from better_auth.plugins import (
    AdminPlugin,
    EmailPasswordPlugin,
    OAuthPlugin,
    SessionManagementPlugin,
    TwoFactorPlugin,
)
from better_auth.plugins.oauth import Provider, preset, providers_from_env
from tests.conftest import Site
from tests.support import Browser, bearer, every_plugin, make_auth, set_cookies

DATABASES = ["sqlite"]

ISSUER = "https://op.test"
KEY = RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256", "use": "sig"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256"})
LATER_KEY = RSAKey.generate_key(2048, {"kid": "two", "alg": "RS256"})
SECRET = "the client's secret"


class Fake:
    """A provider that says what the test wants it to say."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "one"}
        self.key: Any = KEY
        self.keys: list[Any] = [KEY.as_dict(private=False)]
        self.userinfo: Any = {}
        self.emails: Any = []
        self.token: Any = None
        self.metadata: dict[str, Any] = {}
        self.asked: list[httpx.Request] = []
        self.nonce = ""
        self.now = 0

    def id_token(self, **claims: Any) -> str:
        """A token that is right, but for ``claims`` and what was set before."""
        right = {
            "iss": ISSUER,
            "sub": "ada",
            "aud": "app",
            "iat": self.now,
            "exp": self.now + 300,
            "nonce": self.nonce,
            "email": "ada@example.com",
            "email_verified": True,
            "name": "Ada",
        }
        merged = {**right, **self.claims, **claims}
        said = {name: value for name, value in merged.items() if value is not None}
        algorithms = ["RS256", "ES256", "HS256", "none"]
        return jwt.encode(self.header, said, self.key, algorithms=algorithms)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        path = request.url.path
        if path == "/.well-known/openid-configuration":
            return httpx.Response(
                200,
                json={
                    "issuer": ISSUER,
                    "authorization_endpoint": f"{ISSUER}/authorize",
                    "token_endpoint": f"{ISSUER}/token",
                    "userinfo_endpoint": f"{ISSUER}/userinfo",
                    "jwks_uri": f"{ISSUER}/jwks",
                    **self.metadata,
                },
            )
        if path == "/jwks":
            return httpx.Response(200, json={"keys": self.keys})
        if path == "/token":
            if isinstance(self.token, Exception):
                raise self.token
            if callable(self.token):
                answered: httpx.Response = await self.token()
                return answered
            if self.token is not None:
                return httpx.Response(200, json=self.token)
            answer = {"access_token": "at", "token_type": "Bearer", "id_token": self.id_token()}
            return httpx.Response(200, json=answer)
        if path == "/emails":
            return httpx.Response(200, json=self.emails)
        return httpx.Response(200, json=self.userinfo)

    def paths(self) -> list[str]:
        """What was asked for."""
        return [request.url.path for request in self.asked]


PLAIN = Provider(
    id="plain",
    client_id="app",
    client_secret=SECRET,
    authorization_endpoint=f"{ISSUER}/authorize",
    token_endpoint=f"{ISSUER}/token",
    userinfo_endpoint=f"{ISSUER}/userinfo",
    email_list_endpoint=f"{ISSUER}/emails",
    scopes=("user",),
    claims=preset("github", client_id="app").claims,
)


class World:
    """A site, the fake, and a browser."""

    def __init__(self, site: Site, fake: Fake) -> None:
        self.site = site
        self.fake = fake
        self.browser = site.browser()
        fake.now = int(site.clock().timestamp())

    def begin(self, provider: str = "acme", **body: Any) -> dict[str, str]:
        """Begin to sign in; the query of the authorization URL."""
        answer = self.browser.post("/sign-in/social", {"provider": provider, **body})
        assert answer.status_code == 200, answer.text
        url = urlsplit(answer.json()["url"])
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.fake.nonce = query.get("nonce", "")
        return query

    def back(self, provider: str = "acme", **query: Any) -> httpx.Response:
        """Come back from the provider."""
        return self.browser.get(f"/callback/{provider}", params=query)

    def sign_in(self, provider: str = "acme", **body: Any) -> str:
        """All of it; where the browser is sent then."""
        state = self.begin(provider, **body)["state"]
        answer = self.back(provider, state=state, code="a-code")
        assert answer.status_code == 302, answer.text
        return str(answer.headers["location"])

    def is_in(self) -> bool:
        """Whether the browser has a session."""
        return self.browser.get("/get-session").status_code == 200

    def hand_in(self, token: str, **more: Any) -> httpx.Response:
        """Sign in with an ID token."""
        body = {"provider": "acme", "idToken": {"token": token, **more}}
        return self.site.client().post("/sign-in/social", json=body)


@pytest.fixture
def make(site_with: Callable[..., Site]) -> Callable[..., World]:
    """Makes a site whose provider is the fake."""

    def make(*more: Any, provider: dict[str, Any] | None = None, **options: Any) -> World:
        fake = Fake()
        acme = {"id": "acme", "client_id": "app", "client_secret": SECRET, "issuer": ISSUER}
        oauth = OAuthPlugin(
            [Provider(**acme, **(provider or {})), PLAIN],
            transport=httpx.MockTransport(fake),
            **options,
        )
        plugins = [EmailPasswordPlugin(), SessionManagementPlugin(), oauth, *more]
        return World(site_with(plugins=plugins), fake)

    return make


@pytest.fixture
def world_at(site_with: Callable[..., Site]) -> Callable[[str], World]:
    """Makes a site with the default options, asked below another path by that path's wire."""

    def make(path: str) -> World:
        fake = Fake()
        acme = Provider(id="acme", client_id="app", client_secret=SECRET, issuer=ISSUER)
        oauth = OAuthPlugin([acme], transport=httpx.MockTransport(fake))
        plugins = [EmailPasswordPlugin(), SessionManagementPlugin(), oauth]
        world = World(site_with(plugins=plugins, javascript_path=path), fake)
        world.browser = Browser(world.site.origin, path)
        world.site.stack.callback(world.browser.close)
        return world

    return make


@pytest.fixture
def world(make: Callable[..., World]) -> World:
    """A site with the default options."""
    return make()


def test_right(world: World) -> None:
    """What follows fails for what is wrong in it, not for everything."""
    assert world.sign_in() == "/"
    assert world.is_in()


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": 5},
        {"iss": "https://attacker.test"},
        {"iss": None},
        {"aud": "another-app"},
        {"aud": ["another-app"]},
        {"aud": ["app", "another-app"]},
        {"aud": ["app", "another-app"], "azp": "another-app"},
        {"azp": "another-app"},
        {"aud": None},
        {"exp": 0},
        {"exp": None},
        {"exp": "never"},
        {"iat": 1 << 40},
        {"iat": None},
        {"sub": None},
        {"sub": ["ada"]},
    ],
)
def test_a_wrong_claim(world: World, claims: dict[str, Any]) -> None:
    """Nonce, issuer, audience, azp, times and subject of an ID token are all checked."""
    world.fake.claims = claims
    assert world.sign_in() == "/?error=invalid_id_token"
    assert not world.is_in()


def test_a_token_nobody_vouches_for(world: World) -> None:
    """``alg`` none, a shared secret, another's key and a key that is not there."""
    public = KEY.as_pem(private=False)
    forged: list[tuple[dict[str, Any], Any]] = [
        ({"alg": "none"}, OctKey.import_key("x" * 16)),
        ({"alg": "HS256", "kid": "one"}, OctKey.import_key(SECRET)),
        ({"alg": "HS256", "kid": "one"}, OctKey.import_key(public.hex())),
        ({"alg": "RS256", "kid": "one"}, OTHER_KEY),
        ({"alg": "RS256", "kid": "unknown"}, OTHER_KEY),
        ({"alg": "ES256", "kid": "one"}, ECKey.generate_key("P-256")),
    ]
    for header, key in forged:
        world.fake.header, world.fake.key = header, key
        assert world.sign_in() == "/?error=invalid_id_token", header
    world.fake.token = {"access_token": "at", "id_token": "a.b.c"}
    assert world.sign_in() == "/?error=invalid_id_token"
    world.fake.token = {"access_token": "at"}
    assert world.sign_in() == "/?error=invalid_id_token"
    assert not world.is_in()


def test_keys_are_kept_and_read_again_within_bounds(world: World) -> None:
    """A new key is found at once; made-up key ids do not make us ask without end."""
    for _ in range(3):
        assert world.sign_in() == "/"
    assert world.fake.paths().count("/jwks") == 1
    world.fake.key, world.fake.header = LATER_KEY, {"alg": "RS256", "kid": "two"}
    world.fake.keys = [LATER_KEY.as_dict(private=False)]
    assert world.sign_in() == "/?error=invalid_id_token"  # asked for a moment ago
    world.site.clock.move(seconds=30)
    world.fake.now += 30
    assert world.sign_in() == "/"
    assert world.fake.paths().count("/jwks") == 2
    for number in range(5):
        world.fake.header = {"alg": "RS256", "kid": f"made-up-{number}"}
        world.sign_in()
    assert world.fake.paths().count("/jwks") == 2


def test_a_provider_that_is_not_well(make: Callable[..., World]) -> None:
    """ "Down: redirect with error or 503, never hang/500"; nothing is followed or read for ever."""
    world = make(timeout=timedelta(seconds=0.3))

    async def slow() -> httpx.Response:
        await asyncio.sleep(30)
        return httpx.Response(200)

    async def endless() -> httpx.Response:
        return httpx.Response(200, content=b" " * 2_000_000)

    async def elsewhere() -> httpx.Response:
        return httpx.Response(302, headers={"location": "http://169.254.169.254/"})

    async def broken() -> httpx.Response:
        return httpx.Response(200, content=b'{"access_token": NaN, "x": "\\ud800"')

    async def deep() -> httpx.Response:
        return httpx.Response(200, content=b"[" * 100_000)

    async def down() -> httpx.Response:
        return httpx.Response(503, json={})

    for token in (slow, endless, elsewhere, broken, deep, down, httpx.ConnectError("no"), []):
        world.fake.token = token
        assert world.sign_in() == "/?error=provider_unavailable", token
    assert not any(request.url.host != "op.test" for request in world.fake.asked)
    world.fake.token = {"error": "invalid_grant", "error_description": "<script>"}
    assert world.sign_in() == "/?error=invalid_code"
    assert not world.is_in()


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://attacker.test"},
        {"token_endpoint": "http://op.test/token"},
        {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": "https://user@op.test/jwks"},
        {"authorization_endpoint": 5},
    ],
)
def test_metadata_are_not_believed_blindly(world: World, metadata: dict[str, Any]) -> None:
    """The issuer must be the one that was asked, and every address https: 503, not 500."""
    world.fake.metadata = metadata
    answer = world.browser.post("/sign-in/social", {"provider": "acme"})
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


def test_userinfo_about_somebody_else(world: World) -> None:
    """ "Counts only if it is about the same subject"."""
    world.fake.claims = {"email": None}
    world.fake.userinfo = {"sub": "eve", "email": "ada@example.com", "email_verified": True}
    assert world.sign_in() == "/?error=unable_to_get_user_info"
    world.fake.userinfo = {"sub": "ada", "email": "ada@example.com", "email_verified": True}
    assert world.sign_in() == "/"


@pytest.mark.parametrize("trusted", [False, True])
def test_look_alike_addresses(make: Callable[..., World], trusted: bool) -> None:
    """A provider vouches for what it wrote, not for what normalisation makes of it; one whose
    word counts for everything, too."""
    world = make(provider={"trusted": trusted})
    world.fake.claims = {"email": "\uff42ob@example.com", "sub": "bob"}
    assert world.sign_in() == "/"
    assert world.browser.get("/get-session").json()["user"]["emailVerified"] is False
    world.site.user("ada@example.com", email_verified=True)
    for stated in ("\uff41da@example.com", "ada@\uff45xample.com", "ada\uff20example.com"):
        world.fake.claims = {"email": stated, "sub": f"mallory-{stated}"}
        assert world.sign_in() == "/?error=account_not_linked", stated
    world.fake.claims = {"email": "ADA@Example.com"}
    assert world.sign_in() == "/"


@pytest.mark.parametrize("handed_in", [False, True])
def test_an_account_that_is_taken_while_it_signs_in(world: World, handed_in: bool) -> None:
    """ "Whatever was made before that first proof (passwords, other links, sessions) ... does not
    survive", a session that is just being made not either."""
    world.fake.claims = {"email_verified": False}
    world.sign_in()
    auth = world.site.auth

    @auth.on(SessionCreating)
    async def claim(event: SessionCreating) -> None:
        await auth.users.claim_email(event.user)

    if handed_in:
        answer = world.hand_in(world.fake.id_token(), nonce=world.fake.nonce)
        assert (answer.status_code, answer.json()["code"]) == (401, "ACCOUNT_NOT_LINKED")
    else:
        assert world.sign_in() == "/?error=account_not_linked"
    assert not world.is_in()
    assert world.site.run(auth.database.find(Session)) == []


@pytest.mark.parametrize("email", [None, 5, "nonsense", "a@b\x00.c", "x" * 400 + "@b.c"])
def test_no_address(world: World, email: Any) -> None:
    """Whoever has no address at the provider is told so."""
    world.fake.claims = {"email": email}
    world.fake.userinfo = {"sub": "ada"}
    assert world.sign_in() == "/?error=email_not_found"


def test_hostile_profile(world: World) -> None:
    """What a profile says is bounded and cleaned; nothing of it makes a 500."""
    world.fake.claims = {
        "name": "A\x00d\r\na " + "x" * 10_000,
        "picture": "javascript:alert(1)",
    }
    assert world.sign_in() == "/"
    user = world.browser.get("/get-session").json()["user"]
    assert user["name"].startswith("Ada xxx")
    assert len(user["name"]) == 255
    assert user["image"] is None


def test_a_list_of_addresses(world: World) -> None:
    """GitHub's way: the primary address of the list counts, and only as verified as it says."""
    world.fake.userinfo = {"id": 7, "login": "ada", "email": "public@example.com"}
    world.fake.token = {"access_token": "at", "scope": "user,user:email"}
    world.fake.emails = [
        {"email": "second@example.com", "primary": False, "verified": True},
        {"email": "ada@example.com", "primary": True, "verified": False},
    ]
    world.site.user("ada@example.com", email_verified=True)
    assert world.sign_in("plain") == "/?error=account_not_linked"
    world.fake.emails[1]["verified"] = True
    assert world.sign_in("plain") == "/"
    (account,) = world.site.run(world.site.auth.database.find(Account))
    assert (account.account_id, account.scope) == ("7", "user,user:email")
    world.fake.emails = {"message": "Not Found"}
    world.fake.userinfo["id"] = 8
    assert world.sign_in("plain") == "/"  # a new user, with an unverified public address
    assert world.browser.get("/get-session").json()["user"]["emailVerified"] is False


@pytest.mark.parametrize("field", ["callbackURL", "errorCallbackURL", "newUserCallbackURL"])
@pytest.mark.parametrize(
    "url", ["https://evil.test/", "//evil.test", "/\\evil.test", "/%2fevil.test", "javascript:x"]
)
def test_no_open_redirect(world: World, field: str, url: str) -> None:
    """A browser is sent to trusted places only."""
    answer = world.browser.post("/sign-in/social", {"provider": "acme", field: url})
    codes = {
        "callbackURL": "INVALID_CALLBACK_URL",
        "errorCallbackURL": "INVALID_ERROR_CALLBACK_URL",
        "newUserCallbackURL": "INVALID_NEW_USER_CALLBACK_URL",
    }
    assert (answer.status_code, answer.json()["code"]) == (403, codes[field])


@pytest.mark.parametrize("name", ["state", "redirect_uri", "code_challenge", "client_id", "scope"])
def test_a_client_adds_nothing_of_ours(world: World, name: str) -> None:
    """``additionalParams`` reach the provider; what the request itself says is not theirs to say
    (a state or redirect URI of somebody else's making)."""
    body = {"provider": "acme", "additionalParams": {"prompt": "login", "hd": "example.com"}}
    url = world.browser.post("/sign-in/social", body).json()["url"]
    query = parse_qs(urlsplit(url).query)
    assert (query["prompt"], query["hd"]) == (["login"], ["example.com"])
    answer = world.browser.post(
        "/sign-in/social", {"provider": "acme", "additionalParams": {name: "x"}}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert "body.additionalParams" in answer.json()["message"]


@pytest.mark.parametrize("path", ["/native", "/api/auth"])
def test_signing_in_again_is_fresh(
    world_at: Callable[[str], World], make: Callable[..., World], path: str
) -> None:
    """`SESSION_NOT_FRESH` is never a dead end: who has a provider's account alone goes there once
    more, on either wire."""
    world = make() if path == "/native" else world_at(path)
    assert world.sign_in() == "/"
    world.site.clock.move(days=2)
    stale = world.browser.post("/link-social", {"provider": "acme"})
    assert (stale.status_code, stale.json()["code"]) == (403, "SESSION_NOT_FRESH")
    world.fake.now = int(world.site.clock().timestamp())
    assert world.sign_in() == "/"
    assert world.browser.post("/link-social", {"provider": "acme"}).status_code == 200


def test_nothing_is_reflected(world: World) -> None:
    """What comes by URL goes into no page and no redirection (the XSS of error pages)."""
    evil = "<script>alert(1)</script>"
    for query in (
        {"error": evil, "error_description": evil},
        {"state": evil, "code": evil},
        {"error": evil, "state": world.begin()["state"]},
    ):
        answer = world.back(**query)
        assert answer.status_code == 302
        assert answer.content == b""
        assert "script" not in answer.headers["location"]
    state = world.begin()["state"]
    assert world.back(state=state, error=evil).headers["location"] == "/?error=oauth_error"
    assert world.back("nobody", state="x").headers["location"] == (
        "/?error=oauth_provider_not_found"
    )
    assert world.back(code="x").headers["location"] == "/?error=state_not_found"
    assert world.back(state=world.begin()["state"]).headers["location"] == "/?error=no_code"


def test_the_cookie(world: World) -> None:
    """The state's cookie is HttpOnly, Lax and short-lived, and its row is sealed."""
    answer = world.browser.post("/sign-in/social", {"provider": "acme"})
    (cookie,) = set_cookies(answer)
    assert cookie["name"] == "better-auth.oauth-state"
    assert (cookie["samesite"], cookie["max-age"]) == ("Lax", "600")
    assert "httponly" in cookie


def test_the_javascript_clients_wire(world_at: Callable[[str], World]) -> None:
    """Each wire has callbacks of its own: the cookies of one are not the other's."""
    world = world_at("/api/auth")
    query = world.begin()
    assert query["redirect_uri"] == f"{world.site.origin}/api/auth/callback/acme"
    answer = world.back(state=query["state"], code="a-code")
    assert answer.headers["location"] == "/"
    assert world.browser.get("/get-session").json()["user"]["email"] == "ada@example.com"
    native = world.site.browser()
    assert native.http.get("/get-session").status_code == 401


def test_banned(make: Callable[..., World]) -> None:
    """A banned user is sent back with an error."""
    world = make(AdminPlugin())
    world.sign_in()
    user = world.site.run(world.site.auth.users.find_by_email("ada@example.com"))
    assert user is not None
    world.site.run(world.site.auth.users.update(user, {"banned": True}))
    assert world.sign_in(errorCallbackURL="/oops") == "/oops?error=banned"
    assert not world.is_in()


@pytest.mark.parametrize("second_factor", ["ask", "trust-provider"])
def test_second_factor(make: Callable[..., World], second_factor: str) -> None:
    """ "``ask`` whoever has two-factor on, whichever way they come, or ``trust-provider``"."""
    world = make(TwoFactorPlugin(), second_factor=second_factor)
    world.sign_in()
    user = world.site.run(world.site.auth.users.find_by_email("ada@example.com"))
    assert user is not None
    world.site.run(world.site.auth.users.update(user, {"two_factor_enabled": True}))
    world.browser = world.site.browser()
    place = world.sign_in(callbackURL="/home")
    if second_factor == "ask":
        assert place == "/home?twoFactorRedirect=true&twoFactorMethods=totp"
    assert world.is_in() is (second_factor != "ask")


def test_an_id_token_handed_in(make: Callable[..., World]) -> None:
    """A token that a native app got: for one of its client ids, recent, with the nonce it knows."""
    world = make(provider={"audiences": ("ios-app",)})
    token = world.fake.id_token(aud="ios-app", nonce=None)
    answer = world.hand_in(token)
    assert answer.json().keys() == {"redirect", "token", "url", "user"}
    assert answer.json()["redirect"] is False
    session = world.site.client().get("/get-session", headers=bearer(answer.json()["token"]))
    assert session.json()["user"]["email"] == "ada@example.com"
    assert world.hand_in(world.fake.id_token(nonce="n"), nonce="n").status_code == 200
    now = world.fake.now
    for wrong in (
        world.fake.id_token(nonce="n"),
        world.fake.id_token(aud="another-app", nonce=None),
        world.fake.id_token(nonce=None, iat=now - 7200, exp=now + 7200),
        "nonsense",
    ):
        refused = world.hand_in(wrong)
        assert (refused.status_code, refused.json()["code"]) == (401, "INVALID_TOKEN")
    body = {"provider": "plain", "idToken": {"token": token}}
    answer = world.site.client().post("/sign-in/social", json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "ID_TOKEN_NOT_SUPPORTED")
    answer = world.site.client().post("/sign-in/social", json={"provider": "nobody"})
    assert (answer.status_code, answer.json()["code"]) == (404, "PROVIDER_NOT_FOUND")
    world.fake.claims = {"aud": "ios-app"}  # by a code, only what is for this client counts
    assert world.sign_in() == "/?error=invalid_id_token"


@pytest.mark.parametrize("path", ["/get-access-token", "/refresh-token", "/account-info"])
def test_an_impersonator_is_given_nothing(site_with: Callable[..., Site], path: str) -> None:
    """What a provider gave somebody is no admin's to have."""
    site = site_with(plugins=every_plugin())
    admin, user = site.user("admin@example.com"), site.user()
    for fields, expected in (({"impersonated_by": admin.id}, 403), ({}, 400)):
        headers = bearer(site.session(user, fields=fields).token)
        client, which = site.client(), {"providerId": "twitter"}
        if path == "/account-info":
            answer = client.get(path, params=which, headers=headers)
        else:
            answer = client.post(path, json=which, headers=headers)
        assert answer.status_code == expected, answer.text


def test_a_link_with_an_id_token(world: World) -> None:
    """``/link-social`` with an ID token links at once."""
    token = world.site.session(world.site.user("ada@example.com")).token
    client = world.site.client()
    body = {"provider": "acme", "idToken": {"token": world.fake.id_token(nonce=None)}}
    answer = client.post("/link-social", json=body, headers=bearer(token))
    assert answer.json() == {"url": "", "redirect": False, "status": True}
    eve = world.site.session(world.site.user("eve@example.com")).token
    taken = client.post("/link-social", json=body, headers=bearer(eve))
    assert (taken.status_code, taken.json()["code"]) == (409, "SOCIAL_ACCOUNT_ALREADY_LINKED")
    body["idToken"] = {"token": world.fake.id_token(nonce=None, sub="x")}
    other = client.post("/link-social", json=body, headers=bearer(eve))
    assert other.json()["code"] == "LINKING_DIFFERENT_EMAILS_NOT_ALLOWED"
    unsure = {"token": world.fake.id_token(nonce=None, sub="y", email_verified=False)}
    refused = client.post(
        "/link-social", json={"provider": "acme", "idToken": unsure}, headers=bearer(token)
    )
    assert refused.json()["code"] == "LINKING_NOT_ALLOWED"
    assert client.post("/link-social", json=body).status_code == 401


def test_failures_are_told_without_secrets(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """``SignInFailed`` says why; no log line holds a token, a code or the client's secret."""
    told: list[SignInFailed] = []
    world.site.auth.on(SignInFailed)(told.append)
    caplog.set_level(logging.DEBUG)
    world.fake.claims = {"nonce": "another"}
    state = world.begin()["state"]
    world.back(state=state, code="a-secret-code")
    assert [(event.method, event.reason) for event in told] == [("oauth", "invalid id token")]
    ours = [record for record in caplog.records if record.name.startswith("better_auth")]
    text = "".join(record.getMessage() for record in ours)
    assert "another nonce" in text
    for secret in (state, "a-secret-code", SECRET, "eyJ"):
        assert secret not in text


def test_store_nothing(make: Callable[..., World]) -> None:
    """``store_tokens="none"``: only who somebody is is kept."""
    world = make(store_tokens="none")
    world.sign_in()
    (account,) = world.site.run(world.site.auth.database.find(Account))
    assert (account.access_token, account.id_token) == (None, None)
    answer = world.browser.post("/get-access-token", {"providerId": "acme"})
    assert answer.json()["code"] == "ACCESS_TOKEN_NOT_FOUND"


def test_tokens_in_a_shared_database() -> None:
    """The server in TypeScript reads plain tokens: sealed ones are refused, plain the default."""
    with pytest.raises(ConfigurationError, match="store_tokens"):
        make_auth(share_database_with_typescript=True, plugins=[OAuthPlugin(store_tokens="sealed")])
    make_auth(share_database_with_typescript=True, plugins=[OAuthPlugin()])


def test_configuration_is_checked() -> None:
    """What is missing, doubled or without TLS is refused by name."""
    acme = {"id": "acme", "client_id": "app", "client_secret": SECRET}
    for wrong in (
        {**acme, "issuer": "http://op.test"},
        {**acme, "issuer": "https://user@op.test"},
    ):
        with pytest.raises(ConfigurationError, match="acme: issuer"):
            OAuthPlugin([Provider(**wrong)])
    with pytest.raises(ConfigurationError, match="twice"):
        OAuthPlugin([Provider(**acme, issuer=ISSUER)] * 2)
    for wrong in (
        acme,
        {**acme, "issuer": ISSUER, "id_token_algorithms": ("HS256",)},
        {**acme, "issuer": ISSUER, "id": "credential"},
        {**acme, "issuer": ISSUER, "unknown": 1},
    ):
        with pytest.raises(ConfigurationError) as raised:
            Provider(**wrong)
        assert SECRET not in str(raised.value)
    assert SECRET not in repr(Provider(**acme, issuer=ISSUER))


def test_from_the_environment() -> None:
    """``OAUTH_<ID>_...``: presets by their id, any issuer by its URL."""
    found = providers_from_env(
        {
            "OAUTH_GOOGLE_CLIENT_ID": "g",
            "OAUTH_GOOGLE_CLIENT_SECRET": "s",
            "OAUTH_ACME_CORP_CLIENT_ID": "a",
            "OAUTH_ACME_CORP_ISSUER": ISSUER,
            "OAUTH_ACME_CORP_TRUSTED": "true",
            "PATH": "/bin",
        }
    )
    assert [(one.id, one.client_id, one.trusted) for one in found] == [
        ("acme-corp", "a", True),
        ("google", "g", False),
    ]
    with pytest.raises(ConfigurationError, match="OAUTH_ACME_ISSUER"):
        providers_from_env({"OAUTH_ACME_CLIENT_ID": "a"})
    with pytest.raises(ConfigurationError, match="OAUTH_ACME_CLIENT_ID"):
        providers_from_env({"OAUTH_ACME_ISSUER": ISSUER})
