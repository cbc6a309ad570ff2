"""Whatever comes in on the JavaScript client's wire: no 5xx, no hang, an error that is JSON."""

from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import quote

import pytest

from tests.conftest import Site, open_site
from tests.contract.test_bad_input import ask_wrongly, check_refused
from tests.support import MovableClock, bearer, every_plugin, make_auth

DATABASES = ["sqlite"]
"""No database has a say in this."""

DOCUMENT = make_auth(wire="javascript", plugins=every_plugin()).openapi()
COOKIE = "better-auth.session_token"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One application for all, with every plugin there is."""
    with ExitStack() as stack:
        yield open_site(stack, MovableClock(), wire="javascript", plugins=every_plugin())


@pytest.mark.parametrize("path", sorted(DOCUMENT["paths"]))
def test_every_endpoint(site: Site, path: str) -> None:
    """Every field of every endpoint, wrong in every way, asked by who may do it all."""
    ask_wrongly(site, DOCUMENT, path)


@pytest.mark.parametrize("name", [COOKIE, "better-auth.two_factor", "better-auth.trust_device"])
def test_broken_cookies(site: Site, name: str) -> None:
    """A cookie that nobody signed is nobody's: null, never 500; nor does one of another name
    count, or keep anybody out."""
    client = site.client()
    token = site.session(site.user(f"{name}@example.com")).token
    signed = client.get("/get-session", headers=bearer(token)).headers.get("set-auth-token")
    assert signed is None  # nothing was set, so nothing is told
    for broken in (
        b"",
        b"x",
        b".",
        b"a.b.c",
        b"%",
        b"%ff%00",
        b"%E0%A4%A.x",
        b"caf\xc3\xa9.\xff",
        token.encode(),
        quote(f"{token}.{'A' * 43}=").encode(),
        b"x" * 4_000 + b"." + b"A" * 43 + b"=",
        b'"' + token.encode() + b'"',
    ):
        cookie = [(b"Cookie", name.encode() + b"=" + broken)]
        answer = client.get("/get-session", headers=cookie)
        assert (answer.status_code, answer.json()) == (200, None), broken
        for path in ("/list-sessions", "/multi-session/list-device-sessions"):
            assert client.get(path, headers=cookie).status_code in (200, 401), broken
        origin = [(b"Origin", site.origin.encode())]
        body = {"code": "000000"}
        answer = client.post("/two-factor/verify-totp", json=body, headers=cookie + origin)
        check_refused(answer)
        assert answer.status_code == 401


@pytest.mark.parametrize(
    "authorization",
    [
        b"Bearer \xff\xfe",
        b"Bearer " + b"x" * 8_000,
        b"Bearer",
        b"\xe9 token",
        b"Bearer a, Bearer b",
    ],
)
def test_garbage_authorization(site: Site, authorization: bytes) -> None:
    """A garbage header is nobody's, never 500."""
    headers = [(b"Authorization", authorization)]
    answer = site.client().get("/get-session", headers=headers)
    assert (answer.status_code, answer.json()) == (200, None)
    check_refused(site.client().get("/list-sessions", headers=headers))


@pytest.mark.parametrize(
    "query", ["disableRefresh", "disableCookieCache", "%ff=%00", "=&&=", "a[]"]
)
def test_odd_queries(site: Site, query: str) -> None:
    """A query that nobody meant changes nobody's session."""
    user = site.user(f"{quote(query, safe='')}@example.com".replace("%", "p").replace("=", "e"))
    headers = bearer(site.session(user).token)
    answer = site.client().get(f"/get-session?{query}", headers=headers)
    assert answer.json()["user"]["id"] == user.id
