"""``/revoke-session``, ``/revoke-sessions``, ``/revoke-other-sessions``: what ends, what stays."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.conftest import Site
from tests.support import bearer


def alive(site: Site, token: str) -> bool:
    """Whether ``token`` still opens its session."""
    return site.client().get("/get-session", headers=bearer(token)).status_code == 200


def revoke(site: Site, own: str, body: Any) -> httpx.Response:
    """``POST /revoke-session`` by the holder of ``own``."""
    return site.client().post("/revoke-session", json=body, headers=bearer(own))


def test_revoke_by_token(site: Site) -> None:
    """ "Revoke a Specific Session: POST /revoke-session { "token": "session_to_revoke..." }
    Returns { "success": true }."."""
    user = site.user()
    own, lost, other = (site.session(user).token for _ in range(3))
    answer = revoke(site, own, {"token": lost})
    assert answer.status_code == 200
    assert answer.json() == {"success": True}
    assert [alive(site, token) for token in (own, lost, other)] == [True, False, True]


def test_revoke_by_id(site: Site) -> None:
    """ "Sessions can be revoked by id as well as by token (`{"id": ...}`)"."""
    user = site.user()
    own, lost, other = (site.session(user) for _ in range(3))
    answer = revoke(site, own.token, {"id": lost.id})
    assert answer.status_code == 200
    assert answer.json() == {"success": True}
    assert [alive(site, s.token) for s in (own, lost, other)] == [True, False, True]


@pytest.mark.parametrize("body", [{}, {"token": None}, {"token": "a", "id": "b"}, {"id": None}])
def test_either_token_or_id(site: Site, body: dict[str, Any]) -> None:
    """ "400 for what is not the JSON object expected, naming the field": which session to revoke
    is said once."""
    answer = revoke(site, site.session(site.user()).token, body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "VALIDATION_ERROR"
    assert "token" in answer.json()["message"]
    assert "id" in answer.json()["message"]


@pytest.mark.parametrize("name", ["token", "id"])
def test_the_current_one(site: Site, name: str) -> None:
    """ "Selective revocation: Revoke individual sessions": the current one too."""
    user = site.user()
    own, other = site.session(user), site.session(user)
    assert revoke(site, own.token, {name: getattr(own, name)}).json() == {"success": True}
    assert not alive(site, own.token)
    assert alive(site, other.token)
    assert revoke(site, own.token, {"token": other.token}).status_code == 401


@pytest.mark.parametrize("name", ["token", "id"])
def test_anothers_unknown_and_expired_look_alike(site: Site, name: str) -> None:
    """ "Revoking another user's token, an unknown one or an expired one answers like success,
    changes nothing of anyone else's and does not tell whether it exists"."""
    victim, attacker = site.user(), site.user("eve@example.com")
    expired = site.session(attacker, remember=False)
    site.clock.move(days=1)
    prey, own = site.session(victim), site.session(attacker)
    known = site.session(attacker)
    unknown = {"token": "session_" + "A" * 43, "id": "00000000-0000-4000-8000-000000000000"}[name]
    answers = [
        revoke(site, own.token, {name: value})
        for value in (
            getattr(known, name),
            getattr(prey, name),
            unknown,
            getattr(expired, name),
            "x",
        )
    ]
    assert {(a.status_code, a.text) for a in answers} == {(200, '{"success":true}')}
    assert len({tuple(sorted(a.headers.keys())) for a in answers}) == 1
    assert alive(site, prey.token)
    assert not alive(site, known.token)


def test_revoke_twice(site: Site) -> None:
    """ "Revoking ... an unknown one ... answers like success": a second time as the first."""
    user = site.user()
    own, lost = site.session(user).token, site.session(user).token
    assert revoke(site, own, {"token": lost}).json() == {"success": True}
    assert revoke(site, own, {"token": lost}).json() == {"success": True}


def test_revoke_all(site: Site) -> None:
    """ "Revokes all sessions for the user, including the current one: { "count": 3 }"."""
    user, other = site.user(), site.user("eve@example.com")
    tokens = [site.session(user).token for _ in range(3)]
    others = site.session(other).token
    answer = site.client().post("/revoke-sessions", headers=bearer(tokens[0]))
    assert answer.status_code == 200
    assert answer.json() == {"count": 3}
    assert [alive(site, token) for token in tokens] == [False, False, False]
    assert alive(site, others)


def test_revoke_others(site: Site) -> None:
    """ "Revokes all sessions except the current one: { "count": 2 }"."""
    user, other = site.user(), site.user("eve@example.com")
    tokens = [site.session(user).token for _ in range(3)]
    others = site.session(other).token
    answer = site.client().post("/revoke-other-sessions", headers=bearer(tokens[1]))
    assert answer.status_code == 200
    assert answer.json() == {"count": 2}
    assert [alive(site, token) for token in tokens] == [False, True, False]
    assert alive(site, others)


@pytest.mark.parametrize(
    ("path", "count"), [("/revoke-sessions", 2), ("/revoke-other-sessions", 1)]
)
def test_the_count_is_of_live_sessions(site: Site, path: str, count: int) -> None:
    """ "n: live sessions really ended; `revoke-sessions` includes the current one"."""
    user = site.user()
    for _ in range(3):
        site.session(user, remember=False)  # ends after a day
    site.clock.move(days=1)
    tokens = [site.session(user).token for _ in range(2)]
    answer = site.client().post(path, headers=bearer(tokens[0]))
    assert answer.json() == {"count": count}
    again = site.session(user).token
    assert site.client().post("/revoke-other-sessions", headers=bearer(again)).json() == {
        "count": 2 - count
    }


def test_who_revoked_everything_may_sign_in_again(site: Site) -> None:
    """ "Revocation: Sessions can be explicitly revoked via the API": which bars nobody."""
    browser = site.browser()
    browser.sign_up()
    assert browser.post("/revoke-sessions").json() == {"count": 1}
    assert browser.get("/get-session").status_code == 401
    assert browser.sign_in().status_code == 200
    assert browser.get("/get-session").status_code == 200


@pytest.mark.parametrize("path", ["/revoke-session", "/revoke-sessions", "/revoke-other-sessions"])
def test_401(site: Site, path: str) -> None:
    """ "401 where the token is missing, invalid or expired", and nothing is revoked."""
    user = site.user()
    expired = site.session(user, remember=False).token
    site.clock.move(days=1)
    living = site.session(user).token
    client, body = site.client(), {"token": living}
    for headers in ({}, bearer("session_no"), bearer(expired)):
        answer = client.post(path, json=body, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["code"] == "UNAUTHORIZED"
    assert alive(site, living)


def test_everybody_is_out_whatever_their_clocks_said(site: Site) -> None:
    """ "revoke-all-sessions: everyone's": made by a server whose clock is ahead, or before this
    one's was put back, and in whatever parts it is done."""
    users = [site.user(f"user{number}@example.com") for number in range(3)]
    site.clock.move(hours=1)
    tokens = [site.session(user).token for user in users for _ in range(3)]
    site.clock.move(hours=-1)
    assert site.run(site.auth.sessions.revoke_everyone(batch=2)) == 9
    assert not any(alive(site, token) for token in tokens)


def test_a_session_revoked_elsewhere_is_out_at_once(site_with: Callable[..., Site]) -> None:
    """ "Validation: On each authenticated request, the token is verified against the database":
    revoked by one, refused to another that was using it a moment ago."""
    site = site_with()
    user = site.user()
    phone, desk = site.session(user).token, site.session(user).token
    client = site.client()
    assert client.get("/get-session", headers=bearer(phone)).status_code == 200
    revoke(site, desk, {"token": phone})
    assert client.get("/get-session", headers=bearer(phone)).status_code == 401
    assert client.get("/list-sessions", headers=bearer(phone)).status_code == 401
    assert client.post("/sign-out", headers=bearer(phone)).status_code == 401


def test_everybodys_are_all_of_them(site: Site) -> None:
    """ "Revocation": of everybody's sessions none is left, neither one whose host's clock is ahead
    of this one's, nor the last of many."""
    site.clock.move(hours=1)
    ahead = site.session(site.user("b@example.com")).token
    site.clock.move(hours=-1)
    user = site.user()
    tokens = [site.session(user).token for _ in range(5)]
    assert site.run(site.auth.sessions.revoke_everyone(batch=2)) == 6
    assert not any(alive(site, token) for token in (ahead, *tokens))
    assert site.run(site.auth.sessions.revoke_everyone()) == 0
