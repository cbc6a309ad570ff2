"""Mail: letters to users, sent after the answer, by SMTP or whatever you have."""

from better_auth.mail.letters import Letter, MailKind, MailMessage, MailProvider, Send
from better_auth.mail.mailer import Mailer
from better_auth.mail.providers import (
    ConsoleProvider,
    MemoryProvider,
    SmtpProvider,
    provider_from_url,
)
from better_auth.mail.templates import TemplateRenderer

__all__ = [
    "ConsoleProvider",
    "Letter",
    "MailKind",
    "MailMessage",
    "MailProvider",
    "Mailer",
    "MemoryProvider",
    "Send",
    "SmtpProvider",
    "TemplateRenderer",
    "provider_from_url",
]
