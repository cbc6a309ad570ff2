"""One walk of the official client, against this server and against better-auth's own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from better_auth import BetterAuth, User
from better_auth.events import UserCreating
from better_auth.mail import Letter
from better_auth.plugins import (
    AccountManagementPlugin,
    AdminPlugin,
    AnonymousPlugin,
    EmailOtpPlugin,
    EmailPasswordPlugin,
    EmailVerificationPlugin,
    MagicLinkPlugin,
    MultiSessionPlugin,
    OneTimeTokenPlugin,
    OrganizationPlugin,
    PasswordManagementPlugin,
    SessionManagementPlugin,
    TwoFactorPlugin,
    UserManagementPlugin,
    UsernamePlugin,
)
from better_auth.plugins.organization import Invitation, Organization
from tests.interop.compare import differences
from tests.interop.differences import DELIBERATE, EVERYWHERE
from tests.interop.node import peer, walked
from tests.support import SECRET, make_auth, serve

WALKS = sorted(path.stem for path in (Path(__file__).parent / "walks").glob("*.mjs"))


SIGN_IN = {"sign-in"}
"""The walks for which there are further ways to sign in, which add to what a user has."""


class Application:
    """This server as the peer is set up, with the same ``/outbox``."""

    def __init__(self, walk: str) -> None:
        self.outbox: list[dict[str, str]] = []
        others: list[Any] = [
            UsernamePlugin(),
            MultiSessionPlugin(),
            AnonymousPlugin(),
            OneTimeTokenPlugin(),
            MagicLinkPlugin(send=self.send),
            EmailOtpPlugin(send=self.send),
        ]
        self.auth: BetterAuth = make_auth(
            wire="javascript",
            plugins=[
                EmailPasswordPlugin(),
                SessionManagementPlugin(),
                TwoFactorPlugin(issuer="Interop", send_otp=self.send_otp),
                AdminPlugin(),
                OrganizationPlugin(send_invitation=self.send_invitation),
                PasswordManagementPlugin(send_reset=self.send),
                EmailVerificationPlugin(send=self.send, send_on_sign_up=False),
                UserManagementPlugin(enable_deletion=False),
                AccountManagementPlugin(),
                *(others if walk in SIGN_IN else []),
            ],
        )
        self.auth.on(UserCreating)(self.appoint)

    async def send_otp(self, user: User, code: str) -> None:
        """As if sent."""
        self.outbox.append({"to": user.email, "code": code})

    async def send_invitation(self, invitation: Invitation, _: Organization, by: User) -> None:
        """As if sent."""
        self.outbox.append({"to": invitation.email, "code": invitation.id})

    async def send(self, letter: Letter) -> None:
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
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(self.outbox).encode()})


@contextmanager
def two_servers(folder: Path, walk: str) -> Iterator[tuple[str, str]]:
    """The origins of this server and of better-auth on Node, both new."""
    environment = {"SECRET": SECRET, "SIGN_IN": "1" if walk in SIGN_IN else ""}
    with serve(Application(walk)) as ours, peer(folder, **environment) as theirs:
        yield ours, theirs


@pytest.mark.parametrize("walk", WALKS)
def test_the_official_client_is_answered_as_by_its_own_server(folder: Path, walk: str) -> None:
    """A front end written with better-auth/client talks to this server with no change."""
    with two_servers(folder, walk) as (ours, theirs):
        lines = list(differences(walked(folder, walk, ours), walked(folder, walk, theirs)))
    deliberate = DELIBERATE.get(walk, [])
    known = [*deliberate, *EVERYWHERE]
    unknown = [line for line in lines if not any(known_.explains(line) for known_ in known)]
    assert not unknown, "\n" + "\n".join(unknown)
    idle = [d.fields for d in deliberate if not any(d.explains(line) for line in lines)]
    assert not idle, f"listed, and no difference any longer: {idle}"
