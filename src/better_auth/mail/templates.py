"""The words of letters: Jinja2 templates, the application's own before the library's.

``<kind>.txt`` has the subject in its first line, a blank one, and the text. The HTML is
``<kind>.html`` where there is one, else ``message.html``, which sets the same words. Templates
know ``kind``, ``url``, ``code``, ``app_name`` and the letter's details.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from better_auth.errors import MissingExtra
from better_auth.mail.letters import Letter, MailMessage

if TYPE_CHECKING:
    from jinja2 import Environment

_LONGEST_DETAIL = 100


class TemplateRenderer:
    """Finds words for letters in ``directory`` first, then in the library's own templates."""

    def __init__(self, directory: Path | str | None = None, *, app_name: str = "") -> None:
        """Raises ``MissingExtra`` where Jinja2 is not installed (extra ``mail``)."""
        if find_spec("jinja2") is None:
            raise MissingExtra("mail in words (or give Mailer a render function)", "mail")
        self._directory = directory
        self._app_name = app_name
        self._environment: Environment | None = None

    def __call__(self, letter: Letter) -> MailMessage:
        """``letter`` in words. Raises ``jinja2.TemplateNotFound`` for a kind without a template."""
        environment = self._environment
        if environment is None:
            environment = self._environment = self._open()
        values = {
            **{name: _one_line(text) for name, text in letter.details.items()},
            "kind": letter.kind,
            "to": letter.to,
            "url": letter.url,
            "code": letter.code,
            "app_name": self._app_name,
        }
        words = environment.get_template(f"{letter.kind}.txt").render(values).strip()
        subject, _, text = words.partition("\n")
        text = text.strip()
        paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
        page = environment.select_template([f"{letter.kind}.html", "message.html"])
        html = page.render(values, subject=subject, paragraphs=paragraphs)
        return MailMessage(
            letter.to, _one_line(subject), text + "\n", html, letter.kind, letter.url, letter.code
        )

    def _open(self) -> "Environment":
        from jinja2 import (  # an optional extra, and slow to import
            ChoiceLoader,
            Environment,
            FileSystemLoader,
            StrictUndefined,
            select_autoescape,
        )

        places = [self._directory] if self._directory is not None else []
        own = Path(__file__).parent / "templates"
        return Environment(
            loader=ChoiceLoader([FileSystemLoader(place) for place in (*places, own)]),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )


def _one_line(text: str) -> str:
    """What others chose (the name of an organization) without line breaks, and not for ever."""
    return " ".join(text.split())[:_LONGEST_DETAIL]
