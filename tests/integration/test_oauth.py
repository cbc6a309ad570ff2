"""Sign-in through an OpenID provider that is really there: its own process, login and consent."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from better_auth.clock import utc_now
from better_auth.models import Account, Session, Verification
from better_auth.plugins import EmailPasswordPlugin, OAuthPlugin, SessionManagementPlugin
from better_auth.plugins.oauth import Provider
from tests import databases, openid
from tests.conftest import Site, open_site
from tests.openid import APP, OpenIdProvider
from tests.support import NO_TLS, PASSWORD, MovableClock, bearer


class RealClock(MovableClock):
    """The time it is, as the provider has it too, until it is moved."""

    def __init__(self) -> None:
        super().__init__()
        self._began = self.now

    def __call__(self) -> datetime:
        return utc_now() + (self.now - self._began)


class Person:
    """Somebody with a browser, known to the provider by a login."""

    def __init__(self, site: Site, provider: OpenIdProvider) -> None:
        self.site = site
        self.provider = provider
        self.browser = httpx.Client(verify=NO_TLS)
        site.stack.callback(self.browser.close)

    def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """POST to the application, as a page of its own does."""
        headers = {"Origin": APP, **more.pop("headers", {})}
        return self.browser.post(self.site.url + path, json=body or {}, headers=headers, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        """GET from the application."""
        return self.browser.get(self.site.url + path, **more)

    def begin(self, path: str = "/sign-in/social", provider: str = "acme", **body: Any) -> str:
        """Ask where to go; the provider's URL."""
        answer = self.post(path, {"provider": provider, **body})
        assert answer.status_code == 200, answer.text
        assert answer.json()["redirect"] is True
        return str(answer.json()["url"])

    def back(self, location: str) -> httpx.Response:
        """Follow the provider's redirection to the application."""
        assert location.startswith(APP)
        return self.browser.get(self.site.origin + location.removeprefix(APP))

    def at_provider(self, url: str, login: str = "ada") -> str:
        """Sign in there; where the browser is sent then."""
        return str(self.provider.sign_in(self.browser, url, login).headers["location"])

    def sign_in(self, login: str = "ada", provider: str = "acme", **body: Any) -> httpx.Response:
        """All of it."""
        return self.back(self.at_provider(self.begin(provider=provider, **body), login))

    def session(self) -> dict[str, Any]:
        """The current session and user."""
        answer = self.get("/get-session")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def asked(url: str) -> dict[str, str]:
    """The query of a URL."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIdProvider]:
    """The provider."""
    with openid.running() as running:
        yield running


@pytest.fixture
def make(provider: OpenIdProvider, database_kind: str) -> Iterator[Callable[..., Person]]:
    """Makes a site that knows the provider under several ids, and somebody to sign in."""
    with ExitStack() as stack:

        def make(**options: Any) -> Person:
            fields = options.pop("provider", {})
            common = {"issuer": provider.issuer, **fields}
            secret = "a secret: with + and %"
            oauth = OAuthPlugin(
                [
                    Provider(id="acme", client_id="app", client_secret=secret, **common),
                    Provider(
                        id="second",
                        client_id="app-by-post",
                        client_secret="another secret",
                        token_auth="client_secret_post",
                        **common,
                    ),
                    Provider(id="public", client_id="app-public", **common),
                    Provider(
                        id="posting",
                        client_id="app",
                        client_secret=secret,
                        response_mode="form_post",
                        **common,
                    ),
                ],
                allow_http=True,
                **options,
            )
            site = open_site(
                stack,
                RealClock(),
                plugins=[EmailPasswordPlugin(), SessionManagementPlugin(), oauth],
                database=stack.enter_context(databases.new_database(database_kind)),
                base_url=APP,
            )
            return Person(site, provider)

        yield make


@pytest.fixture
def ada(make: Callable[..., Person]) -> Person:
    """Somebody at a site with the default options."""
    return make()


def accounts(person: Person, **where: Any) -> list[Account]:
    """Rows of the table."""
    return person.site.run(person.site.auth.database.find(Account, **where))


def test_sign_up_and_in(ada: Person) -> None:
    """ "Begin to sign in with a provider", "a session ... and on to where the browser wanted"."""
    url = ada.begin(
        callbackURL="/home?a=1",
        newUserCallbackURL="/welcome",
        errorCallbackURL="/oops",
        loginHint="ada",
        scopes=["email"],
    )
    query = asked(url)
    assert query["code_challenge_method"] == "S256"
    assert len(query["code_challenge"]) == 43
    assert {"state", "nonce"} <= query.keys()
    assert query["scope"] == "openid email profile"
    assert query["login_hint"] == "ada"
    assert query["redirect_uri"] == f"{APP}/auth/callback/acme"
    answer = ada.back(ada.at_provider(url))
    assert (answer.status_code, answer.headers["location"]) == (302, "/welcome")
    user = ada.session()["user"]
    assert user["email"] == "ada@example.com"
    assert user["emailVerified"] is True
    assert user["name"] == "Ada of the provider"
    assert user["image"].endswith("/pictures/ada.png")
    (account,) = accounts(ada)
    assert (account.provider_id, account.account_id) == ("acme", "ada")

    again = Person(ada.site, ada.provider)
    answer = again.sign_in(callbackURL="/home?a=1", newUserCallbackURL="/welcome")
    assert answer.headers["location"] == "/home?a=1"
    assert again.session()["user"] == user
    assert len(accounts(ada)) == 1


@pytest.mark.parametrize("client", ["second", "public"])
def test_every_way_a_client_proves_itself(ada: Person, client: str) -> None:
    """``client_secret_basic`` (with a secret that needs encoding), ``_post`` and ``none``."""
    assert ada.sign_in(provider=client).headers["location"] == "/"
    assert ada.session()["user"]["email"] == "ada@example.com"


def test_form_post(ada: Person) -> None:
    """ "Take what a provider posts (``response_mode=form_post``) and have the browser GET it."

    The POST comes from another site, without cookies that count, and is let through there alone.
    """
    page = ada.provider.sign_in(ada.browser, ada.begin(provider="posting", callbackURL="/in"))
    action, fields = openid.form(page)
    assert action == f"{APP}/auth/callback/posting"
    url = ada.site.origin + action.removeprefix(APP)
    foreign = {"Origin": ada.provider.issuer, "Sec-Fetch-Site": "cross-site"}
    with httpx.Client(verify=NO_TLS) as without_cookies:
        posted = without_cookies.post(url, data=fields, headers=foreign)
    assert posted.status_code == 302
    assert not posted.headers.get_list("set-cookie")
    answer = ada.browser.get(url + posted.headers["location"])
    assert answer.headers["location"] == "/in"
    assert ada.session()["user"]["email"] == "ada@example.com"
    refused = ada.browser.post(
        f"{ada.site.url}/sign-in/social", json={"provider": "acme"}, headers=foreign
    )
    assert refused.status_code == 403


def test_a_state_is_good_once(ada: Person) -> None:
    """Of any number of parallel requests with one state, one gets a session."""
    location = ada.at_provider(ada.begin())
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: ada.back(location), range(4)))
    places = sorted(answer.headers["location"] for answer in answers)
    assert places == ["/", *["/?error=state_mismatch"] * 3]
    assert len(ada.site.run(ada.site.auth.database.find(Session))) == 1


def test_a_state_is_this_browsers(ada: Person) -> None:
    """Login CSRF: the attacker's own callback URL, opened by the victim, signs nobody in."""
    location = ada.at_provider(ada.begin())
    victim = Person(ada.site, ada.provider)
    assert victim.back(location).headers["location"] == "/?error=state_mismatch"
    assert victim.get("/get-session").status_code == 401
    victim.begin()  # with a cookie of their own
    location = ada.at_provider(ada.begin())
    assert victim.back(location).headers["location"] == "/?error=state_mismatch"
    assert victim.get("/get-session").status_code == 401


def test_a_state_is_one_providers(ada: Person) -> None:
    """Mix-up: the state of provider A is refused at the callback of B, and is used up."""
    location = ada.at_provider(ada.begin(errorCallbackURL="/oops"))
    elsewhere = location.replace("/callback/acme", "/callback/second")
    assert ada.back(elsewhere).headers["location"] == "/?error=state_mismatch"
    assert ada.back(location).headers["location"] == "/?error=state_mismatch"
    assert ada.get("/get-session").status_code == 401


def test_a_state_ends(ada: Person) -> None:
    """Ten minutes later it is too late."""
    location = ada.at_provider(ada.begin())
    ada.site.clock.move(minutes=10)
    assert ada.back(location).headers["location"] == "/?error=state_mismatch"


def test_two_tabs(ada: Person) -> None:
    """Two sign-ins begun in one browser both come through."""
    first, second = ada.begin(callbackURL="/one"), ada.begin(callbackURL="/two")
    second = ada.at_provider(second)
    first = ada.at_provider(first)
    assert ada.back(first).headers["location"] == "/one"
    assert ada.back(second).headers["location"] == "/two"


def test_code_injection(ada: Person) -> None:
    """A stolen code, put into one's own sign-in, gets nobody in: its challenge is another's."""
    stolen = asked(ada.at_provider(ada.begin()))["code"]
    mallory = Person(ada.site, ada.provider)
    own = mallory.at_provider(mallory.begin(errorCallbackURL="/oops"), "mallory")
    answer = mallory.back(own.replace(asked(own)["code"], stolen))
    assert answer.headers["location"] == "/oops?error=invalid_code"
    assert mallory.get("/get-session").status_code == 401


def test_another_issuer_answers(ada: Person) -> None:
    """RFC 9207: where the provider announces ``iss``, it must be there and be its own."""
    location = ada.at_provider(ada.begin())
    issuer = urlsplit(location).query.rpartition("&iss=")[2]
    wrong = location.replace(issuer, "https%3A%2F%2Fattacker.example")
    assert ada.back(wrong).headers["location"] == "/?error=issuer_mismatch"
    location = ada.at_provider(ada.begin())
    without = location.replace(f"&iss={issuer}", "")
    assert ada.back(without).headers["location"] == "/?error=issuer_missing"
    assert ada.get("/get-session").status_code == 401


def test_nothing_usable_is_stored(ada: Person) -> None:
    """State, verifier and tokens are fingerprints and seals; no answer shows an account's."""
    url = ada.begin()
    (row,) = ada.site.run(ada.site.auth.database.find(Verification))
    assert asked(url)["state"] not in row.identifier
    assert "code_verifier" not in row.value
    ada.back(ada.at_provider(url))
    (account,) = accounts(ada)
    tokens = ada.post("/get-access-token", {"providerId": "acme"}).json()
    refreshed = ada.post("/refresh-token", {"accountId": account.id}).json()
    for secret in (tokens["accessToken"], refreshed["refreshToken"], tokens["idToken"]):
        assert secret
        for column in (account.access_token, account.refresh_token, account.id_token):
            assert secret not in (column or "")
    assert "Token" not in account.model_dump_json(by_alias=True)


def test_tokens_are_refreshed_once(ada: Person) -> None:
    """Of parallel callers one refreshes (a second use of a rotated token would void them all)."""
    ada.sign_in()
    before = ada.post("/get-access-token", {"providerId": "acme"}).json()
    assert before.keys() == {"accessToken", "accessTokenExpiresAt", "scopes", "idToken"}
    again = ada.post("/get-access-token", {"providerId": "acme"}).json()
    assert again["accessToken"] == before["accessToken"]
    ada.site.clock.move(hours=2)
    count = ada.provider.refreshes()
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(lambda _: ada.post("/get-access-token", {"providerId": "acme"}), range(6))
        )
    assert [answer.status_code for answer in answers] == [200] * 6
    (token,) = {answer.json()["accessToken"] for answer in answers}
    assert token != before["accessToken"]
    assert ada.provider.refreshes() == count + 1
    info = ada.get("/account-info", params={"providerId": "acme"})
    assert info.json()["user"]["email"] == "ada@example.com"
    assert info.json()["data"]["sub"] == "ada"
    assert info.json()["account"]["accountId"] == "ada"


def test_refresh_token(ada: Person) -> None:
    """ "Refresh the tokens of one's account at a provider now", in better-auth's shape."""
    ada.sign_in()
    (account,) = accounts(ada)
    for named in ({"accountId": account.id}, {"accountId": "ada", "providerId": "acme"}):
        answer = ada.post("/refresh-token", named)
        assert answer.status_code == 200
        assert answer.json().keys() == {
            "accessToken",
            "refreshToken",
            "accessTokenExpiresAt",
            "refreshTokenExpiresAt",
            "scope",
            "idToken",
            "providerId",
            "accountId",
        }
    assert ada.post("/refresh-token", {}).json()["code"] == "ACCOUNT_NOT_FOUND"
    eve = Person(ada.site, ada.provider)
    eve.sign_in("eve")
    stolen = eve.post("/get-access-token", {"accountId": account.id})
    assert (stolen.status_code, stolen.json()["code"]) == (400, "ACCOUNT_NOT_FOUND")
    nobody = ada.site.client().post("/get-access-token", json={"accountId": account.id})
    assert nobody.status_code == 401


def test_link(make: Callable[..., Person]) -> None:
    """ "Begin to link a provider's account to one's own": by a fresh session that still stands."""
    ada = make(allow_different_emails=True)
    ada.post("/sign-up/email", {"name": "Ada", "email": "a@b.example", "password": PASSWORD})
    user = ada.session()["user"]
    url = ada.begin("/link-social", callbackURL="/settings")
    answer = ada.back(ada.at_provider(url))
    assert answer.headers["location"] == "/settings"
    linked = accounts(ada, provider_id="acme")
    assert [account.user_id for account in linked] == [user["id"]]
    phone = Person(ada.site, ada.provider)
    phone.sign_in()
    assert phone.session()["user"]["id"] == user["id"]

    eve = Person(ada.site, ada.provider)
    eve.post("/sign-up/email", {"name": "Eve", "email": "e@b.example", "password": PASSWORD})
    location = eve.at_provider(eve.begin("/link-social", errorCallbackURL="/oops"))
    taken = "/oops?error=account_already_linked_to_different_user"
    assert eve.back(location).headers["location"] == taken

    location = eve.at_provider(eve.begin("/link-social", errorCallbackURL="/oops"), "eve")
    eve.post("/revoke-sessions")
    gone = "/oops?error=unable_to_link_account"
    assert eve.back(location).headers["location"] == gone
    ada.site.clock.move(days=2)
    stale = ada.post("/link-social", {"provider": "acme"})
    assert (stale.status_code, stale.json()["code"]) == (403, "SESSION_NOT_FRESH")


def test_link_with_another_address(ada: Person) -> None:
    """Without ``allow_different_emails`` the address must be the user's own."""
    ada.post("/sign-up/email", {"name": "Ada", "email": "a@b.example", "password": PASSWORD})
    location = ada.at_provider(ada.begin("/link-social", errorCallbackURL="/oops"))
    assert ada.back(location).headers["location"] == "/oops?error=email_does_not_match"


def test_an_existing_address(make: Callable[..., Person]) -> None:
    """ "Joined ... only where the provider vouches for the address and the user has proven it
    here too" (after GHSA-g38m-r43w-p2q7)."""
    ada = make()
    create = ada.site.user
    create("ada@example.com", email_verified=True)
    create("bob@example.com")
    refused = "/?error=account_not_linked"
    assert ada.sign_in("unverified-ada").headers["location"] == refused
    assert Person(ada.site, ada.provider).sign_in("bob").headers["location"] == refused
    bob = Person(ada.site, ada.provider).sign_in("unverified-bob")
    assert bob.headers["location"] == refused
    assert accounts(ada) == []
    ada = Person(ada.site, ada.provider)
    assert ada.sign_in("ada").headers["location"] == "/"
    assert len(accounts(ada)) == 1


def test_nobody_keeps_what_they_made_before(make: Callable[..., Person]) -> None:
    """ "Whatever was made before that first proof ... does not survive" (after
    GHSA-hc7v-rggr-4hvx: somebody signed up with the victim's address and waits)."""
    mallory = make(provider={"trusted": True})
    signed_up = mallory.post(
        "/sign-up/email", {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}
    ).json()
    ada = Person(mallory.site, mallory.provider)
    assert ada.sign_in().headers["location"] == "/"
    user = ada.session()["user"]
    assert (user["id"], user["emailVerified"]) == (signed_up["user"]["id"], True)
    assert mallory.get("/get-session").status_code == 401
    old = {"email": "ada@example.com", "password": PASSWORD}
    assert mallory.post("/sign-in/email", old).status_code == 401
    assert [account.provider_id for account in accounts(ada)] == ["acme"]


def test_signing_up_is_limited(make: Callable[..., Person]) -> None:
    """``disable_sign_up`` and ``disable_implicit_sign_up``."""
    ada = make(provider={"disable_implicit_sign_up": True})
    assert ada.sign_in().headers["location"] == "/?error=signup_disabled"
    assert ada.sign_in(requestSignUp=True).headers["location"] == "/"
    eve = make(provider={"disable_sign_up": True})
    refused = eve.sign_in("eve", requestSignUp=True, errorCallbackURL="/oops?x=1")
    assert refused.headers["location"] == "/oops?x=1&error=signup_disabled"


def test_the_person_says_no(ada: Person) -> None:
    """``error=access_denied`` comes back as such."""
    login = ada.browser.get(ada.begin(errorCallbackURL="/oops"), follow_redirects=True)
    uid = str(login.url)
    answer = ada.browser.get(f"{uid}/abort")
    while not answer.headers["location"].startswith(APP):
        answer = ada.browser.get(httpx.URL(uid).join(answer.headers["location"]))
    assert ada.back(answer.headers["location"]).headers["location"] == "/oops?error=access_denied"


def test_an_id_token_handed_in(ada: Person) -> None:
    """ "... or sign in with an ID token that it gave the client", better-auth's shape."""
    ada.sign_in()
    token = ada.post("/get-access-token", {"providerId": "acme"}).json()["idToken"]
    app = ada.site.client()
    # The provider put a nonce into it that only this sign-in knew: handing it in is a replay.
    body = {"provider": "acme", "idToken": {"token": token}}
    refused = app.post("/sign-in/social", json=body)
    assert (refused.status_code, refused.json()["code"]) == (401, "INVALID_TOKEN")
    assert app.get("/get-session", headers=bearer(token)).status_code == 401
