"""Users of a server under measurement: signed up over HTTP, their answers looked at."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from benchmarks.data import PASSWORD
from benchmarks.peers.environments import PeerFailed
from benchmarks.peers.peers import Api
from benchmarks.servers import fetch, request


@dataclass(frozen=True, slots=True)
class SignedIn:
    """One user of one server, by the cookie of one session."""

    port: int
    api: Api
    email: str
    cookie: str

    def check(self) -> bytes:
        """The request that asks who is asking."""
        return request(self.api.check, headers=[("Cookie", self.cookie)])

    def listing(self) -> bytes:
        """The request that asks for the user's sessions."""
        assert self.api.listing is not None
        return request(self.api.listing, headers=[("Cookie", self.cookie)])

    def verify_check(self) -> None:
        """Raises ``PeerFailed`` unless the answer has this user in it."""
        answer = _answer(self.port, self.check())
        user = answer.get("user", answer) if isinstance(answer, dict) else None
        if not isinstance(user, dict) or user.get("email") != self.email:
            raise PeerFailed(f"{self.api.check} does not name the user")

    def verify_listing(self, expected: int) -> None:
        """Raises ``PeerFailed`` unless the answer has ``expected`` different sessions in it."""
        if (listed := self.count_sessions()) != expected:
            raise PeerFailed(f"{self.api.listing} has {listed} sessions, not {expected}")

    def count_sessions(self) -> int:
        """How many different sessions are listed."""
        answer = _answer(self.port, self.listing())
        sessions = answer["sessions"] if isinstance(answer, dict) else answer
        return len({session["id"] for session in sessions})


def sign_up(port: int, api: Api, email: str) -> SignedIn:
    """A new user with a session."""
    _post(port, api, api.sign_up, {"name": "Ada Lovelace", "email": email, "password": PASSWORD})
    return sign_in(port, api, email)


def sign_in(port: int, api: Api, email: str) -> SignedIn:
    """One more session of a user."""
    named = "username" if api.form_sign_in else "email"
    fields = {named: email, "password": PASSWORD}
    cookie = _post(port, api, api.sign_in, fields, form=api.form_sign_in)
    if not cookie:
        raise PeerFailed(f"{api.sign_in} sets no cookie")
    return SignedIn(port, api, email, cookie)


def sign_up_with_sessions(port: int, api: Api, email: str, sessions: int) -> SignedIn:
    """A new user with as many sessions."""
    user = sign_up(port, api, email)
    for _ in range(sessions - user.count_sessions()):
        sign_in(port, api, email)
    return user


def _post(port: int, api: Api, path: str, fields: dict[str, str], *, form: bool = False) -> str:
    """Send ``fields``: the cookies that were set, as a ``Cookie`` header has them."""
    origin = [("Origin", f"http://127.0.0.1:{port}")] if api.names_origin else []
    sent = request(
        path,
        method="POST",
        headers=origin,
        body=(urlencode(fields) if form else json.dumps(fields)).encode(),
        content_type="application/x-www-form-urlencoded" if form else "application/json",
    )
    status, headers, body = fetch(port, sent)
    if not 200 <= status < 300:
        raise PeerFailed(f"{path} answers {status}: {body.decode(errors='replace')[:120]}")
    return "; ".join(value.partition(";")[0] for name, value in headers if name == "set-cookie")


def _answer(port: int, request: bytes) -> Any:
    status, _, body = fetch(port, request)
    if status != 200:
        path = request.split()[1].decode()
        raise PeerFailed(f"{path} answers {status}: {body.decode(errors='replace')[:120]}")
    return json.loads(body)
