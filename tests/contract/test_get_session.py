"""``/get-session``: its body, its 401 and the look of ids and times."""

import asyncio
import re
from collections.abc import Callable
from uuid import UUID

import httpx
import pytest
from pydantic import Field

from better_auth import User
from tests.conftest import Site
from tests.support import bearer

SESSION_KEYS = {
    "id",
    "token",
    "userId",
    "expiresAt",
    "createdAt",
    "updatedAt",
    "ipAddress",
    "userAgent",
}
USER_KEYS = {"id", "name", "email", "emailVerified", "image", "createdAt", "updatedAt"}


class Reader(User):
    """A user with a field that holds more than one value."""

    shelves: dict[str, int] = Field(default_factory=dict)


def test_a_field_of_several_values(site_with: Callable[..., Site]) -> None:
    """An application's own field may be an object; the check reads it on every database."""
    site = site_with(user_model=Reader)
    token = site.session(site.user(fields={"shelves": {"novels": 3}})).token
    for _ in range(2):
        answer = site.client().get("/get-session", headers=bearer(token))
        assert answer.json()["user"]["shelves"] == {"novels": 3}


def test_the_body(site: Site) -> None:
    """ "Response { "session": { "id", "token", "userId", "expiresAt", "createdAt", "updatedAt",
    "ipAddress", "userAgent" }, "user": { "id", "email", ... } }"."""
    user = site.user()
    session = site.session(user)
    answer = site.client().get("/get-session", headers=bearer(session.token))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "session": {
            "id": session.id,
            "token": session.token,
            "userId": user.id,
            "expiresAt": "2024-01-08T00:00:00.000Z",
            "createdAt": "2024-01-01T00:00:00.000Z",
            "updatedAt": "2024-01-01T00:00:00.000Z",
            "ipAddress": None,
            "userAgent": None,
        },
        "user": {
            "id": user.id,
            "name": "Ada",
            "email": "ada@example.com",
            "emailVerified": False,
            "image": None,
            "createdAt": "2024-01-01T00:00:00.000Z",
            "updatedAt": "2024-01-01T00:00:00.000Z",
        },
    }


def test_session_fields_after_a_sign_up(site: Site) -> None:
    """ "ipAddress: Client IP address (if available)", "userAgent: Client User-Agent string (if
    available)", and "Session keys: id, token, userId, expiresAt, createdAt, updatedAt, ipAddress,
    userAgent, and impersonatedBy / activeOrganizationId where those plugins are on"."""
    browser = site.browser()
    browser.http.headers["User-Agent"] = "Mosaic/1.0"
    token = browser.sign_up().json()["token"]
    body = browser.get("/get-session").json()
    assert body["session"].keys() == SESSION_KEYS
    assert body["user"].keys() == USER_KEYS
    assert body["session"]["token"] == token
    assert body["session"]["ipAddress"] == "127.0.0.1"
    assert body["session"]["userAgent"] == "Mosaic/1.0"


def test_ids_are_uuids(site: Site) -> None:
    """ "Ids are UUIDs", and "id: Unique session identifier", "userId: ID of the authenticated
    user"."""
    user = site.user()
    sessions = [site.session(user) for _ in range(2)]
    for session in sessions:
        body = site.client().get("/get-session", headers=bearer(session.token)).json()
        assert str(UUID(body["session"]["id"])) == body["session"]["id"] == session.id
        assert str(UUID(body["user"]["id"])) == body["session"]["userId"] == user.id
    assert sessions[0].id != sessions[1].id


@pytest.mark.parametrize(
    ("microseconds", "fraction"), [(0, "000"), (7_000, "007"), (999_999, "999")]
)
def test_times_always_have_three_digits(site: Site, microseconds: int, fraction: str) -> None:
    """ "Times are UTC `2024-01-01T00:00:00.000Z`, three fraction digits always"."""
    site.clock.move(microseconds=microseconds)
    token = site.session(site.user()).token
    body = site.client().get("/get-session", headers=bearer(token)).json()
    for name in ("createdAt", "updatedAt", "expiresAt"):
        assert re.fullmatch(rf"2024-01-0[18]T00:00:00\.{fraction}Z", body["session"][name])
    assert body["user"]["createdAt"] == f"2024-01-01T00:00:00.{fraction}Z"


def test_post_answers_the_same(site: Site) -> None:
    """ "`GET` (and `POST`) `/get-session`"."""
    token = site.session(site.user()).token
    client = site.client()
    got = client.get("/get-session", headers=bearer(token))
    posted = client.post("/get-session", headers=bearer(token))
    assert posted.status_code == got.status_code == 200
    assert posted.json() == got.json()
    assert client.post("/get-session").status_code == 401


def refused(answer: httpx.Response) -> bool:
    """Whether this is the one 401 of every endpoint."""
    return answer.status_code == 401 and answer.json() == {
        "code": "UNAUTHORIZED",
        "message": "A valid session is required",
    }


def test_401_without_a_token(site: Site) -> None:
    """ "Returns 401 if the token is missing, ..."."""
    assert refused(site.client().get("/get-session"))


@pytest.mark.parametrize(
    "token", ["session_" + "A" * 43, "session_", "x", "session_" + "A" * 5000, "a b c", "..", "%00"]
)
def test_401_for_an_invalid_token(site: Site, token: str) -> None:
    """ "Returns 401 if the token is ... invalid, ..."."""
    site.session(site.user())
    assert refused(site.client().get("/get-session", headers=bearer(token)))
    cookie = {"Cookie": f"better-auth.session-token={token}"}
    assert refused(site.client().get("/get-session", headers=cookie))


def test_a_token_is_compared_whole(site: Site) -> None:
    """ "Returns 401 if the token is ... invalid, ...": also where all but a letter is right."""
    token = site.session(site.user()).token
    client = site.client()
    for wrong in (token[:-1], token + "A", token.swapcase(), token.removeprefix("session_")):
        assert refused(client.get("/get-session", headers=bearer(wrong)))
    assert client.get("/get-session", headers=bearer(token)).status_code == 200


def test_a_token_that_no_database_takes(site_with: Callable[..., Site]) -> None:
    """Asked for beside others, one with a zero byte in it is nobody's, and they are let in."""
    site = site_with(session={"token_storage": "plain"})
    user = site.user()
    tokens = [site.session(user).token for _ in range(20)]

    async def check() -> list[bool]:
        resolve = site.auth.sessions.resolve
        asked = [*tokens[:10], "session_\x00", *tokens[10:]]
        found = await asyncio.gather(*(resolve(token) for token in asked))
        return [who is not None for who in found]

    assert site.run(check()) == [True] * 10 + [False] + [True] * 10


def test_401_when_it_expires(site_with: Callable[..., Site]) -> None:
    """ "Returns 401 if the token is ... or expired": alive to the last millisecond, then not."""
    site = site_with(session={"disable_refresh": True})
    token = site.session(site.user()).token
    site.clock.move(days=7, milliseconds=-1)
    assert site.client().get("/get-session", headers=bearer(token)).status_code == 200
    site.clock.move(milliseconds=1)
    assert refused(site.client().get("/get-session", headers=bearer(token)))


def test_401_when_the_user_is_gone(site: Site) -> None:
    """ "On each authenticated request, the token is verified against the database"."""
    user = site.user()
    token = site.session(user).token
    assert site.run(site.auth.users.delete(user))
    assert refused(site.client().get("/get-session", headers=bearer(token)))


def test_the_user_is_as_the_database_has_it_now(site: Site) -> None:
    """ "On each authenticated request, the token is verified against the database": nothing of
    an earlier answer is remembered."""
    user = site.user()
    token = site.session(user).token
    client = site.client()
    assert client.get("/get-session", headers=bearer(token)).json()["user"]["name"] == "Ada"
    site.run(site.auth.users.update(user, {"name": "Countess"}))
    assert client.get("/get-session", headers=bearer(token)).json()["user"]["name"] == "Countess"


def test_nothing_about_a_session_is_cached(site: Site) -> None:
    """ "`Cache-Control: no-store` on everything about a session"."""
    site.browser().sign_up()
    browser = site.browser()
    answers = [browser.sign_in(), browser.get("/get-session"), browser.get("/list-sessions")]
    answers += [
        browser.post("/revoke-session", {"id": "none"}),
        browser.post("/revoke-other-sessions"),
        browser.post("/sign-out"),
        browser.sign_in(password="wrong"),
        browser.get("/get-session"),
        browser.get("/list-sessions"),
    ]
    assert {answer.status_code for answer in answers} == {200, 401}
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
