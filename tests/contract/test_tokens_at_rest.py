"""What a token is made of, what the database keeps of it, and what a listing shows."""

import hashlib
import re
import sqlite3
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Site
from tests.support import SECRET, bearer

DATABASES = ["sqlite"]
"""These tests look into the file, or spoil it."""

NEW = "new-secret-of-more-than-32-characters"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test's database file is."""
    return tmp_path / "auth.db"


@pytest.fixture
def on_file(site_with: Callable[..., Site], path: Path) -> Callable[..., Site]:
    """Serves an application on the file at ``path``, again and again if need be."""
    return lambda **settings: site_with(database=f"sqlite:///{path}", **settings)


def stored_bytes(path: Path) -> bytes:
    """Everything on the disk that belongs to the database."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(path.name + "*")))


def listed(site: Site, token: str) -> list[dict[str, Any]]:
    """``/list-sessions`` as the holder of ``token`` sees it."""
    answer = site.client().get("/list-sessions", headers=bearer(token))
    assert answer.status_code == 200
    rows: list[dict[str, Any]] = answer.json()["sessions"]
    return rows


def status(site: Site, token: str) -> int:
    """What ``/get-session`` answers to ``token``."""
    return site.client().get("/get-session", headers=bearer(token)).status_code


def test_the_shape_of_a_token(site: Site) -> None:
    """ "Token: `session_` + at least 256 bits from the operating system", and "Token entropy:
    Tokens are generated using OsRng with sufficient entropy"."""
    user = site.user()
    raw = []
    for _ in range(50):
        token = site.session(user).token
        assert re.fullmatch(r"session_[A-Za-z0-9_-]{43,}", token)
        body = token.removeprefix("session_")
        raw.append(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert all(len(value) >= 32 for value in raw)
    assert len(set(raw)) == 50
    for column in zip(*raw, strict=True):
        assert len(set(column)) > 25, "a byte that hardly varies is not random"


def test_the_operating_system_is_asked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """ "at least 256 bits from the operating system": every bit of a token is one it gave."""
    asked: list[bytes] = []

    def system(size: int) -> bytes:
        asked.append(bytes([len(asked) + 1]) * size)
        return asked[-1]

    monkeypatch.setattr("secrets.token_bytes", system)
    token = site.session(site.user()).token
    given = [given for given in asked if len(given) * 8 >= 256]
    assert token in {"session_" + urlsafe_b64encode(b).decode().rstrip("=") for b in given}


def test_no_token_is_in_the_database(on_file: Callable[..., Site], path: Path) -> None:
    """ "At rest a keyed fingerprint and the sealed token": no token, nor its random part, nor its
    bytes, stands anywhere in the file, its journal included."""
    site = on_file(session={"update_age": 0})
    browser = site.browser()
    tokens = [browser.sign_up().json()["token"], browser.sign_in().json()["token"]]
    site.clock.move(days=1)
    assert [status(site, token) for token in tokens] == [200, 200]
    assert {row["token"] for row in listed(site, tokens[0])} == set(tokens)
    stored = stored_bytes(path)
    assert b"ada@example.com" in stored, "this is where the data is"
    for token in tokens:
        body = token.removeprefix("session_")
        raw = urlsafe_b64decode(body + "=" * (-len(body) % 4))
        for needle in (body.encode(), raw, raw.hex().encode(), body[:20].encode()):
            assert needle not in stored
    assert not re.search(rb"session_[A-Za-z0-9_-]{43}", stored)


def test_a_stolen_database_opens_nothing(on_file: Callable[..., Site], path: Path) -> None:
    """ "At rest a keyed fingerprint and the sealed token": what stands in the row is no token."""
    site = on_file()
    site.session(site.user())
    with sqlite3.connect(path) as database:
        rows = database.execute("SELECT * FROM session").fetchall()
    assert len(rows) == 1
    for value in rows[0]:
        assert status(site, str(value)) == 401
        assert status(site, f"session_{value}") == 401


def test_the_fingerprint_is_keyed(on_file: Callable[..., Site], path: Path) -> None:
    """ "a *keyed* fingerprint": under another secret the same database knows no token."""
    site = on_file()
    token = site.session(site.user()).token
    assert status(site, token) == 200
    assert status(on_file(secrets=[NEW]), token) == 401


def test_a_row_put_in_by_hand_opens_nothing(on_file: Callable[..., Site], path: Path) -> None:
    """ "a *keyed* fingerprint": who may write to the database and has no secret cannot make a
    session of a token they chose by hashing it."""
    site = on_file()
    session = site.session(site.user())
    chosen = "session_" + "A" * 43
    for hashed in (
        chosen,
        hashlib.sha256(chosen.encode()).hexdigest(),
        hashlib.blake2b(chosen.encode(), digest_size=32).hexdigest(),
    ):
        with sqlite3.connect(path) as database:
            database.execute("UPDATE session SET token_key = ?", (hashed,))
        assert status(site, chosen) == 401
    assert status(site, session.token) == 401


def test_sealed_tokens_cannot_be_swapped(on_file: Callable[..., Site], path: Path) -> None:
    """ "the sealed token": sealed for its own row; put into another user's row it does not show
    its token to them."""
    site = on_file()
    victim, attacker = site.session(site.user()), site.session(site.user("eve@example.com"))
    own = site.session(site.run(site.auth.users.find(attacker.user_id)))
    with sqlite3.connect(path) as database:
        database.execute(
            "UPDATE session SET sealed_token = (SELECT sealed_token FROM session WHERE id = ?)"
            " WHERE id = ?",
            (victim.id, attacker.id),
        )
    rows = {row["id"]: row["token"] for row in listed(site, own.token)}
    assert rows.keys() == {attacker.id, own.id}
    assert rows[attacker.id] != victim.token
    assert status(site, rows[attacker.id]) == 401


def test_plain_storage(on_file: Callable[..., Site], path: Path) -> None:
    """ "`token_storage="plain"` as the named option"."""
    site = on_file(session={"token_storage": "plain"})
    user = site.user()
    first, second = site.session(user), site.session(user)
    assert first.token.encode() in stored_bytes(path)
    assert status(site, first.token) == 200
    assert {row["token"] for row in listed(site, first.token)} == {first.token, second.token}
    client = site.client()
    client.post("/revoke-session", json={"token": second.token}, headers=bearer(first.token))
    assert [status(site, s.token) for s in (first, second)] == [200, 401]
    assert status(site, first.token.upper()) == 401


def test_rotation_logs_nobody_out(on_file: Callable[..., Site]) -> None:
    """ "Several secrets: the first signs and seals, all verify, so a rotation logs nobody out"."""
    before = on_file()
    user = before.user()
    old = before.session(user).token
    after = on_file(secrets=[NEW, SECRET])
    new = after.session(user).token
    assert [status(after, token) for token in (old, new)] == [200, 200]
    assert {row["token"] for row in listed(after, old)} == {old, new}
    client = after.client()
    answer = client.post("/revoke-session", json={"token": old}, headers=bearer(new))
    assert answer.json() == {"success": True}
    assert [status(after, token) for token in (old, new)] == [401, 200]


def test_the_first_signs_and_seals(on_file: Callable[..., Site]) -> None:
    """ "the first signs and seals": what is made under a pair of secrets needs only the first."""
    both = on_file(secrets=[NEW, SECRET])
    token = both.session(both.user()).token
    assert status(on_file(secrets=[SECRET]), token) == 401
    alone = on_file(secrets=[NEW])
    assert status(alone, token) == 200
    assert [row["token"] for row in listed(alone, token)] == [token]


def test_rotation_moves_sessions(on_file: Callable[..., Site]) -> None:
    """ "a rotation logs nobody out": a session in use is moved to the current secret, listing and
    all, so that the old one can be struck from the list."""
    before = on_file()
    user = before.user()
    used, idle = before.session(user).token, before.session(user).token
    both = on_file(secrets=[NEW, SECRET])
    both.clock.move(days=1)
    for _ in range(2):
        assert status(both, used) == 200
    alone = on_file(secrets=[NEW])
    assert status(alone, used) == 200
    assert status(alone, idle) == 401
    rows = [row["token"] for row in listed(alone, used)]
    assert used in rows
    assert idle not in rows, "what was sealed under a secret no longer listed stays shut"


def test_handles(site_with: Callable[..., Site]) -> None:
    """ "`list_tokens="handles"`: in a listing the `token` of the other sessions is a `session_...`
    handle that revoke-session accepts and that authenticates nothing"."""
    site = site_with(session={"list_tokens": "handles"})
    user = site.user()
    own, second, third = (site.session(user) for _ in range(3))
    rows = {row["id"]: row["token"] for row in listed(site, own.token)}
    assert rows[own.id] == own.token
    for other in (second, third):
        handle = rows[other.id]
        assert handle.startswith("session_")
        assert handle != other.token
        assert status(site, handle) == 401
    client = site.client()
    body = {"token": rows[second.id]}
    answer = client.post("/revoke-session", json=body, headers=bearer(own.token))
    assert answer.json() == {"success": True}
    assert [status(site, s.token) for s in (own, second, third)] == [200, 401, 200]


def test_a_handle_by_cookie_or_forged(site_with: Callable[..., Site]) -> None:
    """ "authenticates nothing": nor do its pieces, and a handle of another user's session revokes
    nothing, nor one made up without the secret."""
    site = site_with(session={"list_tokens": "handles"})
    victim, own = site.session(site.user()), site.session(site.user("eve@example.com"))
    handle = site.auth.sessions.tokens.handle(victim.id)
    cookie = {"Cookie": f"better-auth.session-token={handle}"}
    client = site.client()
    assert client.get("/get-session", headers=cookie).status_code == 401
    forged = "session_" + urlsafe_b64encode(b"0" * 32 + victim.id.encode()).decode().rstrip("=")
    for token in (handle, forged, victim.id):
        answer = client.post("/revoke-session", json={"token": token}, headers=bearer(own.token))
        assert answer.json() == {"success": True}
    assert status(site, victim.token) == 200


def test_with_handles_nothing_is_sealed(on_file: Callable[..., Site], path: Path) -> None:
    """ "`list_tokens="handles"`": what is never shown is not kept either."""
    site = on_file(session={"list_tokens": "handles"})
    token = site.session(site.user()).token
    assert status(site, token) == 200
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT sealed_token FROM session").fetchall() == [(None,)]


def test_turning_to_handles_and_back(on_file: Callable[..., Site]) -> None:
    """ "`list_tokens`": changed under sessions that exist, it hides or cannot show, and breaks
    nothing."""
    tokens = on_file()
    user = tokens.user()
    first = tokens.session(user)
    handles = on_file(session={"list_tokens": "handles"})
    second = handles.session(user)
    rows = {row["id"]: row["token"] for row in listed(handles, second.token)}
    assert rows[first.id] != first.token
    back = {row["id"]: row["token"] for row in listed(tokens, first.token)}
    assert back[first.id] == first.token
    assert back[second.id] != second.token
    client = tokens.client()
    client.post("/revoke-session", json={"token": back[second.id]}, headers=bearer(first.token))
    assert [status(tokens, s.token) for s in (first, second)] == [200, 401]


def test_passwords_are_not_in_the_database(on_file: Callable[..., Site], path: Path) -> None:
    """ "Argon2id at m=19456 KiB, t=2, p=1 or stronger": that, and nothing else of a password."""
    site = on_file(password={})
    site.browser().sign_up(password="the plaintext of it")
    stored = stored_bytes(path)
    assert b"the plaintext" not in stored
    with sqlite3.connect(path) as database:
        (kept,) = database.execute("SELECT password_hash FROM account").fetchone()
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
