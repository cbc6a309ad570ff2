"""Which passwords may be chosen."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from better_auth.crypto import HaveIBeenPwned, PasswordPolicy
from better_auth.crypto.password_policy import commonest
from better_auth.errors import AuthError
from better_auth.plugins import AdminPlugin, EmailPasswordPlugin
from tests.conftest import Site
from tests.support import PASSWORD, serve

DATABASES = ["sqlite"]
KNOWN = "a password from a breach"


@dataclass
class Range:
    """A copy of the range service; knows one password, and pads as the real one does."""

    asked: list[tuple[str, dict[bytes, bytes]]] = field(default_factory=list)
    status: int = 200

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            return
        self.asked.append((scope["path"], dict(scope["headers"])))
        digest = hashlib.sha1(KNOWN.encode()).hexdigest().upper()
        padding = hashlib.sha1(PASSWORD.encode()).hexdigest().upper()
        lines = ["0" * 35 + ":3", padding[5:] + ":0"]
        if scope["path"].endswith(digest[:5]):
            lines.append(digest[5:] + ":42")
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": "\r\n".join(lines).encode()})


@pytest.fixture
def pwned() -> Iterator[tuple[Range, str]]:
    """The service and its URL."""
    service = Range()
    with ExitStack() as stack:
        yield service, stack.enter_context(serve(service)) + "/range/"


def refused(policy: PasswordPolicy, password: str) -> str | None:
    """The code that ``password`` is refused with."""
    try:
        asyncio.run(policy.check(password))
    except AuthError as error:
        return error.code
    return None


def test_the_commonest_are_refused() -> None:
    """ "the 10k commonest refused (a maintained list package)", whatever their case."""
    policy = PasswordPolicy()
    assert len(commonest()) > 9_900
    for password in (
        "password123",
        "PassWord123",
        "iloveyou1",
        "1q2w3e4r5t",
        "ｐａｓｓｗｏｒｄ１２３",
    ):
        assert refused(policy, password) == "PASSWORD_TOO_COMMON", password
    assert refused(policy, PASSWORD) is None
    assert refused(PasswordPolicy(refuse_common=False), "password123") is None


def test_length_counts_characters() -> None:
    """ "Policy: length"."""
    policy = PasswordPolicy(min_length=10, max_length=12)
    assert refused(policy, "é" * 9) == "PASSWORD_TOO_SHORT"
    assert refused(policy, "é" * 10) is None
    assert refused(policy, "é" * 13) == "PASSWORD_TOO_LONG"


def test_have_i_been_pwned(pwned: tuple[Range, str]) -> None:
    """ "an option for Have I Been Pwned by k-anonymity": five digits of a hash are all that is
    told, and padding counts for nothing."""
    service, url = pwned
    policy = PasswordPolicy(is_breached=HaveIBeenPwned(url=url))
    assert refused(policy, KNOWN) == "PASSWORD_COMPROMISED"
    assert refused(policy, PASSWORD) is None
    digest = hashlib.sha1(KNOWN.encode()).hexdigest().upper()
    path, headers = service.asked[0]
    assert path == f"/range/{digest[:5]}"
    assert headers[b"add-padding"] == b"true"
    told = path + repr(headers)
    assert digest[5:] not in told
    assert KNOWN not in told
    assert refused(policy, "password123") == "PASSWORD_TOO_COMMON"
    assert len(service.asked) == 2


@pytest.mark.parametrize("trouble", ["down", "500"])
def test_when_it_cannot_be_asked(pwned: tuple[Range, str], trouble: str) -> None:
    """`when_unreachable`: "``accept`` it, or ``refuse`` it with 503"."""
    service, url = pwned
    service.status = 500
    if trouble == "down":
        url = "http://127.0.0.1:9/"
    assert refused(PasswordPolicy(is_breached=HaveIBeenPwned(url=url)), KNOWN) is None
    closed = HaveIBeenPwned(url=url, when_unreachable="refuse")
    assert refused(PasswordPolicy(is_breached=closed), KNOWN) == "SERVICE_UNAVAILABLE"


def test_wherever_a_password_is_chosen(site_with: Callable[..., Site]) -> None:
    """ "checked at sign-up, change, reset", and by an admin."""

    async def is_breached(password: str) -> bool:
        return password == KNOWN

    site = site_with(plugins=[EmailPasswordPlugin(is_breached=is_breached), AdminPlugin()])
    for password, code in {
        "password123": "PASSWORD_TOO_COMMON",
        KNOWN: "PASSWORD_COMPROMISED",
    }.items():
        body = {"name": "Ada", "email": "ada@example.com", "password": password}
        answer = site.browser().post("/sign-up/email", body)
        assert (answer.status_code, answer.json()["code"]) == (400, code)
    admin = site.user("boss@example.com", fields={"role": "admin"})
    headers = {"Authorization": f"Bearer {site.session(admin).token}"}
    body = {"userId": admin.id, "newPassword": "password123"}
    answer = site.client().post("/admin/set-user-password", json=body, headers=headers)
    assert answer.json()["code"] == "PASSWORD_TOO_COMMON"
    lax = site_with(plugins=[EmailPasswordPlugin(refuse_common_passwords=False)])
    body = {"name": "Ada", "email": "ada@example.com", "password": "password123"}
    assert lax.browser().post("/sign-up/email", body).status_code == 200
