"""Sign-in through a real provider where atomic statements decide: on every kind of database."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from better_auth.models import Session, User, Verification
from tests import openid
from tests.openid import OpenIdProvider
from tests.openid.people import Person, accounts, asked, somebody


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIdProvider]:
    """The provider."""
    with openid.running() as running:
        yield running


@pytest.fixture
def ada(provider: OpenIdProvider, database_kind: str) -> Iterator[Person]:
    """Somebody at a site with the default options."""
    with ExitStack() as stack:
        yield somebody(stack, provider, database_kind)


def test_a_state_is_good_once(ada: Person) -> None:
    """Of any number of parallel requests with one state, one gets a session."""
    location = ada.at_provider(ada.begin())
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: ada.back(location), range(4)))
    places = sorted(answer.headers["location"] for answer in answers)
    assert places == ["/", *["/?error=state_mismatch"] * 3]
    assert len(ada.site.run(ada.site.auth.database.find(Session))) == 1


def test_somebody_new_in_several_tabs(ada: Person) -> None:
    """Of parallel first sign-ins each gets a session, and all together one user and account."""
    places = [ada.at_provider(ada.begin()) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ada.back, places))
    assert {answer.headers["location"] for answer in answers} == {"/"}
    assert len(ada.site.run(ada.site.auth.database.find(User))) == 1
    assert len(accounts(ada)) == 1


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
