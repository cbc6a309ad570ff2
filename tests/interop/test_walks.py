"""One walk of the official client, against this server and against better-auth's own."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from better_auth import BetterAuth, User
from better_auth.events import UserCreating
from better_auth.mail import Letter
from better_auth.plugins import (
    AdminPlugin,
    AnonymousPlugin,
    EmailOtpPlugin,
    EmailVerificationPlugin,
    MagicLinkPlugin,
    MultiSessionPlugin,
    OAuthPlugin,
    OneTimeTokenPlugin,
    OrganizationPlugin,
    PasswordManagementPlugin,
    TwoFactorPlugin,
    UserManagementPlugin,
    UsernamePlugin,
)
from better_auth.plugins.oauth import PRESETS, Provider, preset
from better_auth.plugins.organization import Invitation, Organization
from tests import openid
from tests.interop.compare import differences
from tests.interop.differences import DELIBERATE, EVERYWHERE
from tests.interop.node import peer, walked
from tests.support import NO_TLS, SECRET, account_plugins, make_auth, serve

WALKS = sorted(path.stem for path in (Path(__file__).parent / "walks").glob("*.mjs"))


class Application:
    """This server as the peer is set up, with the same ``/outbox``."""

    def __init__(self, walk: str, issuer: str) -> None:
        self.outbox: list[dict[str, str]] = []
        further: dict[str, list[Any]] = {
            "several-accounts": [MultiSessionPlugin()],
            "ways-in": [
                UsernamePlugin(),
                AnonymousPlugin(),
                OneTimeTokenPlugin(),
                MagicLinkPlugin(send=self.send_letter),
                EmailOtpPlugin(send=self.send_letter),
            ],
            "other-address": [EmailOtpPlugin(send=self.send_letter, enable_change_email=True)],
            "provider": [
                OAuthPlugin(
                    [
                        Provider(
                            id="acme",
                            issuer=issuer,
                            client_id="app",
                            client_secret="a secret: with + and %",
                        )
                    ]
                    if issuer
                    else [],
                    allow_http=True,
                )
            ],
            "social": [
                OAuthPlugin([preset(id_, client_id="app", client_secret="x") for id_ in PRESETS])
            ],
        }
        is_leaving, is_deferred = walk == "leaving", walk == "deferred"
        self.auth: BetterAuth = make_auth(
            wire="javascript",
            session={"defer_refresh": True, "update_age": 0} if is_deferred else {},
            plugins=[
                *account_plugins(
                    passwords=PasswordManagementPlugin(send_reset=self.send_letter),
                    verification=EmailVerificationPlugin(
                        send=self.send_letter, send_on_sign_up=False
                    ),
                    users=UserManagementPlugin(
                        send_deletion=self.send_letter if is_leaving else None
                    ),
                ),
                TwoFactorPlugin(issuer="Interop", send_otp=self.send_otp),
                AdminPlugin(),
                OrganizationPlugin(send_invitation=self.send_invitation),
                *further.get(walk, []),
            ],
        )
        self.auth.on(UserCreating)(self.appoint)

    async def send_otp(self, user: User, code: str) -> None:
        """As if sent."""
        self.outbox.append({"to": user.email, "code": code})

    async def send_invitation(self, invitation: Invitation, _: Organization, by: User) -> None:
        """As if sent."""
        self.outbox.append({"to": invitation.email, "code": invitation.id})

    def send_letter(self, letter: Letter) -> None:
        """As if sent."""
        self.outbox.append({"to": letter.to, "code": letter.code or letter.token or ""})

    @staticmethod
    def appoint(event: UserCreating) -> None:
        """The peer does the same."""
        if event.user.email.startswith("admin"):
            event.user = event.user.revised(role="admin")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") != "/outbox":
            await self.auth(scope, receive, send)
            return
        await self.auth.mail.flush()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(self.outbox).encode()})


NOT_FOR_CLIENTS = {
    "GET /error": "a page of the server's own; browsers are sent to one of the application's",
    "POST /callback/:id": "what a provider's page sends; see tests/integration/test_oauth.py",
}
"""What the peer answers, and its client never asks."""


@contextmanager
def issuer_for(walk: str) -> Iterator[str]:
    """The URL of an OpenID provider, where ``walk`` needs one."""
    if walk == "provider":
        with openid.running() as provider:
            yield provider.issuer
    else:
        yield ""


@cache
def ours_walked(walk: str, folder: Path) -> list[dict[str, Any]]:
    """The steps of ``walk`` as this server answered them."""
    with issuer_for(walk) as issuer, serve(Application(walk, issuer)) as ours:
        return walked(folder, walk, ours)


def test_every_capability_is_walked(folder: Path) -> None:
    """The client "walks every capability": whatever its own server can be asked with these
    plugins is asked by some walk."""
    with peer(folder, SECRET=SECRET) as theirs:
        endpoints = httpx.get(f"{theirs}/endpoints", verify=NO_TLS).json()
    steps = [step for walk in WALKS for step in ours_walked(walk, folder)]
    asked = {line.replace("/api/auth", "", 1) for step in steps for line in step["asked"]}

    def is_walked(endpoint: str) -> bool:
        pattern = re.sub(r":\w+", "[^/]+", endpoint)
        return any(re.fullmatch(pattern, line) for line in asked)

    assert len(endpoints) > 80
    assert {line for line in endpoints if not is_walked(line)} == NOT_FOR_CLIENTS.keys()


@pytest.mark.parametrize("walk", WALKS)
def test_the_official_client_is_answered_as_by_its_own_server(folder: Path, walk: str) -> None:
    """A front end written with better-auth/client talks to this server with no change."""
    with (
        issuer_for(walk) as issuer,
        peer(folder, SECRET=SECRET, WALK=walk, ISSUER=issuer) as theirs,
    ):
        lines = list(differences(ours_walked(walk, folder), walked(folder, walk, theirs)))
    deliberate = DELIBERATE.get(walk, [])
    known = [*deliberate, *EVERYWHERE]
    unknown = [line for line in lines if not any(known_.explains(line) for known_ in known)]
    assert not unknown, "\n" + "\n".join(unknown)
    idle = [d.fields for d in deliberate if not any(d.explains(line) for line in lines)]
    assert not idle, f"listed, and no difference any longer: {idle}"
