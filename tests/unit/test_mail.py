"""Mail: words, providers, and a mailer that sends after the answer and tries again."""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from better_auth import AuthConfig, BetterAuth
from better_auth.crypto import HaveIBeenPwned, password_policy
from better_auth.errors import AuthError, ConfigurationError, MissingExtra
from better_auth.mail import (
    ConsoleProvider,
    Letter,
    Mailer,
    MailKind,
    MailMessage,
    MemoryProvider,
    SmtpProvider,
    TemplateRenderer,
    provider_from_url,
    providers,
    templates,
)
from better_auth.mail.letters import MailRefused
from tests.support import SECRET, make_auth

URL = "https://app.example.com/auth/verify?token=secret&x=1"


class Inbox:
    """An SMTP server that keeps what it is given, and refuses the address ``nobody@``."""

    def __init__(self) -> None:
        self.received: list[Any] = []

    async def handle_RCPT(
        self, server: SMTP, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address.startswith("nobody@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        self.received.append(envelope)
        return "250 OK"


@pytest.fixture
def smtp() -> Iterator[tuple[str, Inbox]]:
    """The URL of an SMTP server on this machine, and what it received."""
    inbox = Inbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield f"smtp://127.0.0.1:{port}", inbox
    finally:
        controller.stop()


@pytest.mark.parametrize("kind", MailKind)
def test_every_kind_has_words(kind: MailKind) -> None:
    """Each occasion "has a template of its name": subject, text and HTML, with its link or code."""
    code = "314159" if kind.endswith("code") else None
    details = {"organization": "Acme", "inviter": "bob@example.com", "new_email": "new@example.com"}
    letter = Letter(kind, "ada@example.com", URL, code, details=details)
    message = TemplateRenderer(app_name="Example")(letter)
    assert message.subject
    assert "\n" not in message.subject
    assert message.html is not None
    assert message.html.count("<p") >= 1
    if code is not None:
        assert code in message.text
        assert f"<strong>{code}</strong>" in message.html
    elif kind not in (MailKind.EMAIL_TAKEN, MailKind.EMAIL_CHANGED, MailKind.PASSWORD_CHANGED):
        assert URL in message.text
        assert f'href="{URL.replace("&", "&amp;")}"' in message.html


def test_what_others_chose_cannot_change_a_message() -> None:
    """An organization's name is a line of text, in the subject and in the HTML."""
    details = {"organization": "A\r\nBcc: x@y.z <b>" + "x" * 500, "inviter": "bob"}
    message = TemplateRenderer()(Letter("invitation", "ada@example.com", URL, details=details))
    assert "\n" not in message.subject
    assert len(message.subject) <= 100
    assert "<b>" not in (message.html or "")
    SmtpProvider("smtp://127.0.0.1", sender="app@example.com").as_email(message).as_bytes()


def test_an_application_has_its_own_words(tmp_path: Path) -> None:
    """ "...a directory whose files come before the library's of the same name", and "``render``
    takes the place of templates altogether"."""
    (tmp_path / "welcome.txt").write_text("Ahoy!\n\nCome aboard {{ app_name }}.\n")
    renderer = TemplateRenderer(tmp_path, app_name="Pequod")
    message = renderer(Letter("welcome", "ishmael@example.com"))
    assert (message.subject, message.text) == ("Ahoy!", "Come aboard Pequod.\n")
    assert "<p>Come aboard Pequod.</p>" in (message.html or "")
    assert renderer(Letter("magic-link", "a@example.com", URL)).subject.startswith("Sign in")

    provider = MemoryProvider()

    def render(letter: Letter) -> MailMessage:
        return MailMessage(letter.to, "Mine", "words", None, letter.kind)

    async def send() -> None:
        mailer = Mailer(provider, render=render)
        mailer.send("of my own", "ada@example.com")
        await mailer.close()

    asyncio.run(send())
    assert provider.sent == [MailMessage("ada@example.com", "Mine", "words", None, "of my own")]


def test_smtp(smtp: tuple[str, Inbox]) -> None:
    """A message goes out as text and HTML, marked as automatic (RFC 3834)."""
    url, inbox = smtp
    provider = SmtpProvider(url, sender="Example <no-reply@example.com>")
    message = TemplateRenderer()(Letter("magic-link", "ada@example.com", URL))
    asyncio.run(provider.send(message))
    [envelope] = inbox.received
    assert envelope.mail_from == "no-reply@example.com"
    assert envelope.rcpt_tos == ["ada@example.com"]
    content = envelope.content.decode()
    for part in ("Auto-Submitted: auto-generated", "text/plain", "text/html", "Subject: Sign in"):
        assert part in content


def test_smtp_refuses_for_good_what_will_never_be(smtp: tuple[str, Inbox]) -> None:
    """ "``MailRefused`` for an address it will never take": it is not tried again."""
    url, inbox = smtp
    provider = SmtpProvider(url, sender="no-reply@example.com")
    with pytest.raises(MailRefused):
        asyncio.run(provider.send(MailMessage("nobody@example.com", "s", "t", None, "welcome")))
    assert inbox.received == []


def test_smtp_demands_tls(smtp: tuple[str, Inbox]) -> None:
    """ "Over ``smtp`` TLS is demanded unless the host is this machine": a server that offers none
    is given nothing."""
    url, inbox = smtp
    provider = SmtpProvider(url + "?starttls=always", sender="no-reply@example.com")
    with pytest.raises(Exception, match=r"(?i)starttls"):
        asyncio.run(provider.send(MailMessage("ada@example.com", "s", "t", None, "welcome")))
    assert inbox.received == []
    assert SmtpProvider("smtp://mail.example.com", sender="a@example.com")._start_tls is True


@pytest.mark.parametrize(
    ("url", "sender", "named"),
    [
        ("ftp://user:hunter2@host", "a@example.com", "mail.url"),
        ("smtp://", "a@example.com", "mail.url"),
        ("smtp://user:hunter2@host:port", "a@example.com", "mail.url"),
        ("smtp://user:hunter2@host?starttls=perhaps", "a@example.com", "mail.url"),
        ("smtp://user:hunter2@host?tls=1", "a@example.com", "mail.url"),
        ("smtp://user:hunter2@host", None, "mail.sender"),
        ("smtp://user:hunter2@host", "nobody", "mail.sender"),
    ],
)
def test_what_is_wrong_is_named_and_not_shown(url: str, sender: str | None, named: str) -> None:
    """Raises ``ConfigurationError``, never repeating the URL, which may hold a password."""
    with pytest.raises(ConfigurationError, match=named) as error:
        provider_from_url(url, sender=sender)
    assert "hunter2" not in str(error.value)


def test_the_environment_says_where_mail_goes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``BETTER_AUTH_MAIL__URL=console:`` writes to standard error; stopping sends what waits."""
    assert not make_auth().mail.tells("welcome")
    monkeypatch.setenv("BETTER_AUTH_MAIL__URL", "console:")
    auth = BetterAuth(AuthConfig.from_env(secret=SECRET), database="sqlite://")
    assert isinstance(auth.mail.provider, ConsoleProvider)

    async def send() -> None:
        async with auth.lifespan():
            auth.mail.send("sign-in-code", "ada@example.com", code="314159")

    asyncio.run(send())
    assert "314159" in capsys.readouterr().err


def test_a_plugins_own_function_comes_first() -> None:
    """Settle who tells ``kind``: ``own`` if a plugin was given one, else the provider."""
    provider, letters = MemoryProvider(), []

    async def send() -> None:
        mailer = Mailer(provider)
        mailer.route("magic-link", letters.append, needed_by="MagicLinkPlugin")
        mailer.route("welcome", None, needed_by="Greetings")
        mailer.send("magic-link", "ada@example.com", url=URL)
        mailer.send("welcome", "ada@example.com", url=URL)
        await mailer.close()

    asyncio.run(send())
    assert letters == [Letter("magic-link", "ada@example.com", URL)]
    assert [message.kind for message in provider.sent] == ["welcome"]
    with pytest.raises(ConfigurationError, match="MagicLinkPlugin"):
        Mailer().route("magic-link", None, needed_by="MagicLinkPlugin")
    with pytest.raises(AuthError) as refusal:
        Mailer().require("magic-link")
    assert refusal.value.code == "MAIL_NOT_CONFIGURED"


def test_failures_are_tried_again_and_tell_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """Sending "is retried"; what is logged names the kind of letter and of error alone."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    class Flaky(MemoryProvider):
        failures = 2

        async def send(self, message: MailMessage) -> None:
            if self.failures:
                self.failures -= 1
                raise OSError(f"cannot deliver {message.url} to {message.to}")
            await super().send(message)

    flaky, broken = Flaky(), Flaky()
    broken.failures = 99

    async def send(provider: Flaky) -> None:
        mailer = Mailer(provider, delays=(1, 5, 25), sleep=sleep)
        mailer.send("magic-link", "ada@example.com", url=URL)
        await mailer.close()

    with caplog.at_level(logging.WARNING, "better_auth.mail"):
        asyncio.run(send(flaky))
        assert slept == [1, 5]
        assert len(flaky.sent) == 1
        asyncio.run(send(broken))
    assert slept[2:] == [1, 5, 25]
    assert broken.sent == []
    assert "magic-link: given up after 4 attempts (OSError)" in caplog.text
    assert "secret" not in caplog.text
    assert "ada@" not in caplog.text
    for shown in (repr(Letter("k", "t", URL, "314159", "tok")), repr(flaky.sent)):
        assert "secret" not in shown
        assert "314159" not in shown


@pytest.mark.parametrize(
    ("module", "make", "extra"),
    [
        (providers, lambda: SmtpProvider("smtp://127.0.0.1", sender="a@example.com"), "smtp"),
        (templates, lambda: Mailer(MemoryProvider()), "mail"),
        (password_policy, HaveIBeenPwned, "breaches"),
    ],
)
def test_what_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, module: Any, make: Callable[[], object], extra: str
) -> None:
    """ "Raises ``MissingExtra``", which says what to install."""
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=rf"better-auth\[{extra}\]"):
        make()


def test_nothing_waits_without_bound(caplog: pytest.LogCaptureFixture) -> None:
    """ "At most ``max_waiting`` letters wait, ``max_parallel`` are under way", and the end is not
    awaited for ever: "the rest is lost, and logged"."""
    under_way: list[str] = []

    class Stuck:
        async def send(self, message: MailMessage) -> None:
            under_way.append(message.to)
            await asyncio.Event().wait()

    async def send() -> None:
        mailer = Mailer(Stuck(), max_waiting=5, max_parallel=2)
        for number in range(9):
            mailer.send("magic-link", f"{number}@example.com", url=URL)
        await mailer.close(within=0.3)

    asyncio.run(send())
    assert len(under_way) == 2
    assert caplog.text.count("not sent, 5 are waiting") == 4
    assert "5 letters were not sent" in caplog.text
