"""Ways of delivering a message: SMTP, the console, memory."""

import sys
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from importlib.util import find_spec
from ipaddress import ip_address
from typing import Literal, TextIO
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from better_auth.errors import ConfigurationError, MissingExtra
from better_auth.mail.letters import MailMessage, MailProvider, MailRefused

StartTls = Literal["always", "auto", "never"]


class SmtpProvider:
    """Delivers by SMTP (extra ``smtp``).

    ``url``: ``smtps://user:password@host`` (TLS from the start, port 465) or
    ``smtp://user:password@host`` (port 587). Over ``smtp`` TLS is demanded (``starttls=always``)
    unless the host is this machine; ``?starttls=auto`` takes it where it is offered, ``never``
    goes without, and both let whoever is in between read along. ``sender`` is an address, or
    ``"Name <address>"``. ``timeout`` is in seconds.
    """

    def __init__(self, url: str, *, sender: str, timeout: float = 10.0) -> None:
        """Raises ``ConfigurationError`` for what is not such a URL or sender."""
        if find_spec("aiosmtplib") is None:
            raise MissingExtra("SmtpProvider", "smtp")
        if "@" not in parseaddr(sender)[1]:
            raise ConfigurationError("mail.sender: not an e-mail address")
        self.sender = sender
        self._timeout = timeout
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:  # or a bracket in a password, not escaped
            raise ConfigurationError("mail.url: no URL, or the port is not a number") from None
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ConfigurationError("mail.url: smtp://user:password@host:port or smtps://...")
        self._host = parts.hostname
        self._implicit_tls = parts.scheme == "smtps"
        self._port = port or (465 if self._implicit_tls else 587)
        self._username = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._start_tls = _start_tls(parts)

    def __repr__(self) -> str:
        return f"SmtpProvider({self._host}:{self._port})"

    async def send(self, message: MailMessage) -> None:
        """Hand ``message`` to the server. Raises ``MailRefused`` for an address it will never
        take, and what aiosmtplib raises otherwise."""
        import aiosmtplib  # an optional extra

        try:
            await aiosmtplib.send(
                self.as_email(message),
                hostname=self._host,
                port=self._port,
                username=self._username,
                password=self._password,
                use_tls=self._implicit_tls,
                start_tls=False if self._implicit_tls else self._start_tls,
                timeout=self._timeout,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            if all(refused.code >= 500 for refused in error.recipients):
                raise MailRefused from None
            raise

    def as_email(self, message: MailMessage) -> EmailMessage:
        """``message`` as it goes over the wire (RFC 5322; ``Auto-Submitted``: RFC 3834)."""
        email = EmailMessage()
        email["From"] = self.sender
        email["To"] = message.to
        email["Subject"] = message.subject
        email["Date"] = formatdate()
        email["Message-ID"] = make_msgid(domain=parseaddr(self.sender)[1].rpartition("@")[2])
        email["Auto-Submitted"] = "auto-generated"
        email.set_content(message.text)
        if message.html is not None:
            email.add_alternative(message.html, subtype="html")
        return email


class ConsoleProvider:
    """Writes messages to a stream (standard error), for development: links and codes in full."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    async def send(self, message: MailMessage) -> None:
        """Write ``message``."""
        stream = self._stream or sys.stderr
        stream.write(f"--- {message.kind} to {message.to}: {message.subject}\n{message.text}\n")
        stream.flush()


class MemoryProvider:
    """Keeps messages in ``sent``, for tests."""

    def __init__(self) -> None:
        self.sent: list[MailMessage] = []

    async def send(self, message: MailMessage) -> None:
        """Keep ``message``."""
        self.sent.append(message)


def provider_from_url(url: str, *, sender: str | None = None) -> MailProvider:
    """The provider ``url`` names: ``smtp://...``, ``smtps://...`` or ``console:``.

    Raises ``ConfigurationError``, never repeating the URL, which may hold a password.
    """
    scheme = url.partition(":")[0]
    if scheme == "console":
        return ConsoleProvider()
    if scheme not in ("smtp", "smtps"):
        raise ConfigurationError("mail.url: smtp://..., smtps://... or console:")
    if sender is None:
        raise ConfigurationError("mail.sender is missing: the address that mail comes from")
    return SmtpProvider(url, sender=sender)


def _start_tls(parts: SplitResult) -> bool | None:
    """As aiosmtplib has it: demanded, or (None) taken where offered, or not at all."""
    options = dict(parse_qsl(parts.query))
    wanted = options.pop("starttls", None)
    if options:
        raise ConfigurationError(f"mail.url: unknown option {sorted(options)[0][:32]!r}")
    if wanted is None:
        wanted = "auto" if _is_this_machine(parts.hostname or "") else "always"
    choices: dict[str, bool | None] = {"always": True, "auto": None, "never": False}
    if wanted not in choices:
        raise ConfigurationError("mail.url: starttls is always, auto or never")
    return choices[wanted]


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
