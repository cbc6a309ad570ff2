"""Mail by a real SMTP server: after the answer, again where it failed, in one's own words."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.message import Message
from email.policy import default
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiosmtpd.controller import Controller

from better_auth.mail import Mailer, SmtpProvider
from better_auth.plugins import (
    EmailPasswordPlugin,
    PasswordManagementPlugin,
    SessionManagementPlugin,
)
from tests.conftest import Site

DATABASES = ["sqlite"]
"""No database has a say in this."""


class Post:
    """An SMTP server that is busy until told otherwise, and refuses the first attempt for now."""

    def __init__(self) -> None:
        self.attempts = 0
        self.received: list[Message] = []
        self.open = threading.Event()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        await asyncio.to_thread(self.open.wait, 30)
        self.attempts += 1
        if self.attempts == 1:
            return "451 try again later"
        self.received.append(message_from_bytes(envelope.content, policy=default))
        return "250 OK"


@pytest.fixture
def post() -> Iterator[tuple[str, Post]]:
    """The URL of the server, and the server."""
    handler = Post()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield f"smtp://127.0.0.1:{port}", handler
    finally:
        handler.open.set()
        controller.stop()


def test_a_reset_by_real_mail(
    site_with: Callable[..., Site], post: tuple[str, Post], tmp_path: Path
) -> None:
    """ "E-mail through a provider protocol: SMTP (aiosmtplib) ... templates in Jinja2, text and
    HTML, easily overridden; sending happens after the answer and is retried"."""
    url, server = post
    (tmp_path / "reset-password.txt").write_text(
        "{{ app_name }}: a new password\n\nChoose one, {{ to }}:\n\n{{ url }}\n"
    )
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    provider = SmtpProvider(url, sender="Pequod <no-reply@example.com>")
    mailer = Mailer(provider, templates=tmp_path, app_name="Pequod", sleep=sleep)
    plugins = [EmailPasswordPlugin(), SessionManagementPlugin(), PasswordManagementPlugin()]
    site = site_with(plugins=plugins, mail=mailer)
    site.user("ishmael@example.com")
    browser = site.browser()
    answer = browser.post("/request-password-reset", {"email": "ishmael@example.com"})
    assert answer.status_code == 200
    assert (server.attempts, server.received) == (0, [])  # answered while the server is busy
    server.open.set()
    assert site.run(mailer.flush(30))
    assert (server.attempts, slept) == (2, [1.0])
    [message] = server.received
    assert message["To"] == "ishmael@example.com"
    assert message["Subject"] == "Pequod: a new password"
    text = message.get_body(("plain",)).get_content()  # type: ignore[attr-defined]
    html = message.get_body(("html",)).get_content()  # type: ignore[attr-defined]
    [link] = [line for line in text.splitlines() if line.startswith("http")]
    assert link.startswith(f"{site.url}/reset-password/")
    assert "Choose one, ishmael@example.com" in html
    token = urlsplit(link).path.rpartition("/")[2]
    body = {"newPassword": "call me something", "token": token}
    assert browser.post("/reset-password", body).status_code == 200
