"""Logs as JSON, for programs that collect them; and an access log without secrets.

    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(handlers=[handler])

``better-auth serve --log-format json`` does this for the standalone server.
"""

import json
import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
"""What every record has; the rest was given with ``extra``."""


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``time`` (UTC), ``level``, ``logger``, ``message``, whatever the
    line was given as ``extra`` (trace ids, for example), and ``exception`` with its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class WithoutSecrets(logging.Filter):
    """Takes out of uvicorn's access log what opens something: links that are followed have their
    token in the query or in the path. What is left is also given field by field."""

    def __init__(self, templates: Sequence[str] = ()) -> None:
        """``templates``: the paths of endpoints that have parameters, ``/callback/{provider}``."""
        super().__init__()
        self._templates = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))), template)
            for template in templates
        ]

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple) and len(record.args) == 5:
            client, method, target, version, status = record.args
            path = str(target).partition("?")[0]
            for pattern, template in self._templates:
                if pattern.fullmatch(path):
                    path = template
            record.args = (client, method, path, version, status)
            record.__dict__.update(client=client, method=method, path=path, status=status)
        return True
