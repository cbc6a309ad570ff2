"""Nothing usable in a stolen database; secrets that rotate; what a listing shows."""

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from better_auth import ConfigurationError
from tests.conftest import Site
from tests.support import PASSWORD, SECRET, bearer, make_auth

MakeSite = Callable[..., Site]


def test_a_stolen_database_opens_nothing(site_with: MakeSite, tmp_path: Path) -> None:
    """No token and no password stands in the database's bytes."""
    site = site_with(database=f"sqlite:///{tmp_path / 'auth.db'}")
    tokens = [site.browser().sign_up().json()["token"], site.browser().sign_in().json()["token"]]
    stolen = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"ada@example.com" in stolen
    for token in tokens:
        assert token.encode() not in stolen
        assert token.removeprefix("session_").encode() not in stolen
    assert PASSWORD.encode() not in stolen
    row_values = [part for part in stolen.split(b"\x00") if part]
    assert row_values


def test_what_the_row_keeps_is_no_credential(site: Site) -> None:
    """Fingerprint and sealed token, presented as a token, authenticate nothing."""
    session = site.session(site.user())
    ask = site.client().get
    for kept in (session.token_key, session.sealed_token, session.id):
        for token in (kept, f"session_{kept}"):
            assert ask("/get-session", headers=bearer(str(token))).status_code == 401


def test_plain_storage(site_with: MakeSite, tmp_path: Path) -> None:
    """token_storage="plain" keeps the tokens themselves, by name."""
    site = site_with(
        database=f"sqlite:///{tmp_path / 'auth.db'}", session={"token_storage": "plain"}
    )
    session = site.session(site.user())
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert session.token.encode() in stored
    listed = site.client().get("/list-sessions", headers=bearer(session.token)).json()
    assert listed["sessions"][0]["token"] == session.token


def test_rotating_secrets_logs_nobody_out(site_with: MakeSite, tmp_path: Path) -> None:
    """ "the first signs and seals, all verify, so a rotation logs nobody out"."""
    database, new = f"sqlite:///{tmp_path / 'auth.db'}", "another-secret-of-more-than-32-characters"
    old_site = site_with(database=database)
    user = old_site.user()
    first, second = old_site.session(user), old_site.session(user)
    site = site_with(database=database, secrets=[new, SECRET])
    ask = site.client().get
    listed = ask("/list-sessions", headers=bearer(first.token)).json()["sessions"]
    assert {s["token"] for s in listed} == {first.token, second.token}
    site.clock.move(days=2)
    assert ask("/get-session", headers=bearer(first.token)).status_code == 200  # moves to new
    gone = site_with(database=database, secrets=[new])
    ask = gone.client().get
    assert ask("/get-session", headers=bearer(first.token)).status_code == 200
    assert ask("/get-session", headers=bearer(second.token)).status_code == 401
    listed = ask("/list-sessions", headers=bearer(first.token)).json()["sessions"]
    assert first.token in {s["token"] for s in listed}
    revoked = gone.client().post(
        "/revoke-session", json={"token": first.token}, headers=bearer(first.token)
    )
    assert revoked.json() == {"success": True}
    assert ask("/get-session", headers=bearer(first.token)).status_code == 401


def test_handles(site_with: MakeSite) -> None:
    """list_tokens="handles": what revoke-session accepts and what authenticates nothing."""
    site = site_with(session={"list_tokens": "handles"})
    user = site.user()
    mine, other = site.session(user), site.session(user)
    assert other.sealed_token is None
    client = site.client()
    listed = client.get("/list-sessions", headers=bearer(mine.token)).json()["sessions"]
    tokens = {s["id"]: s["token"] for s in listed}
    assert tokens[mine.id] == mine.token
    handle = tokens[other.id]
    assert handle.startswith("session_")
    assert handle != other.token
    assert client.get("/get-session", headers=bearer(handle)).status_code == 401
    stranger = site.session(site.user("b@example.com"))
    for headers, status in ((bearer(stranger.token), 200), (bearer(mine.token), 401)):
        client.post("/revoke-session", json={"token": handle}, headers=headers)
        answer = client.get("/get-session", headers=bearer(other.token))
        assert answer.status_code == status


def test_entropy() -> None:
    """ "Tokens are generated using OsRng with sufficient entropy": 256 bits, spread evenly."""
    from better_auth.sessions import new_token

    tokens = [new_token() for _ in range(2_000)]
    assert len(set(tokens)) == len(tokens)
    letters = Counter("".join(token.removeprefix("session_")[:42] for token in tokens))
    total = letters.total()
    bits = -sum(n / total * math.log2(n / total) for n in letters.values())
    assert 42 * bits > 250


@pytest.mark.parametrize("secret", ["short", "x" * 31, "better-auth-secret-12345678901234567890"])
def test_weak_secrets_are_refused(secret: str) -> None:
    """A secret is 32 characters or more, and none of those that stand in documentation."""
    with pytest.raises(ConfigurationError, match="secret"):
        make_auth(secrets=[secret])


def test_reprs_hold_no_secret(site: Site) -> None:
    """Neither a session's nor the configuration's repr shows what must not be in a log."""
    session = site.session(site.user())
    shown = repr(session) + repr(site.auth.config) + repr(site.auth.database)
    for hidden in (session.token, session.token_key, session.sealed_token, SECRET):
        assert str(hidden) not in shown
