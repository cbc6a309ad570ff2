"""Logs as JSON lines, and an access log without secrets."""

import json
import logging
import logging.config
import sys
from datetime import datetime

import asyncpg
import pytest

from better_auth.adapters.failures import said
from better_auth.cli.serving import log_config
from better_auth.logs import JsonFormatter, WithoutSecrets
from tests.support import make_auth


def access(target: str) -> logging.LogRecord:
    """A line of uvicorn's access log, as it makes one."""
    text = '%s - "%s %s HTTP/%s" %d'
    values = ("127.0.0.1:1234", "GET", target, "1.1", 200)
    return logging.LogRecord("uvicorn.access", logging.INFO, "", 1, text, values, None)


def test_a_line_is_an_object() -> None:
    """ "Structured logs": time, level, logger, message, what was given with it, and a traceback."""
    record = logging.getLogger("better_auth.database").makeRecord(
        *("better_auth.database", logging.ERROR, "x.py", 1, "no %s", ("row",), None),
        extra={"trace_id": "abc"},
    )
    line = json.loads(JsonFormatter().format(record))
    assert datetime.fromisoformat(line.pop("time")).utcoffset() is not None
    assert line == {
        "level": "ERROR",
        "logger": "better_auth.database",
        "message": "no row",
        "trace_id": "abc",
    }
    try:
        raise RuntimeError("a\nb")
    except RuntimeError:
        record.exc_info = sys.exc_info()
    text = JsonFormatter().format(record)
    assert "\n" not in text
    assert json.loads(text)["exception"].startswith("Traceback")


def test_links_that_are_followed_leave_no_token() -> None:
    """ "Without secrets": a token in a query or in a path is not in the access log."""
    without = WithoutSecrets(["/auth/reset-password/{token}"])
    for target, path in {
        "/auth/verify-email?token=secret": "/auth/verify-email",
        "/auth/reset-password/secret?callbackURL=/x": "/auth/reset-password/{token}",
        "/auth/reset-password": "/auth/reset-password",
        "/elsewhere/secret-santa": "/elsewhere/secret-santa",
    }.items():
        record = access(target)
        assert without.filter(record)
        assert record.getMessage() == f'127.0.0.1:1234 - "GET {path} HTTP/1.1" 200'
        line = json.loads(JsonFormatter().format(record))
        assert (line["method"], line["path"], line["status"]) == ("GET", path, 200)
    plain = logging.LogRecord("uvicorn.error", logging.INFO, "", 1, "started", (), None)
    assert without.filter(plain)
    assert plain.getMessage() == "started"


@pytest.mark.parametrize(
    ("log_format", "expected"), [("text", "ERROR:    no row\n"), ("json", '"level": "ERROR"')]
)
def test_the_server_says_how_bad_it_is(
    log_format: str,
    expected: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``better-auth serve`` shows the library's lines as it shows the server's own."""
    config = log_config(make_auth(), False, log_format)
    logger, root = logging.getLogger("better_auth.database"), logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    logging.config.dictConfig({**config, "loggers": {}})
    logger.error("no %s", "row")
    assert expected in capsys.readouterr().err


def test_what_a_driver_says_is_one_line() -> None:
    """Without PostgreSQL's details, which may be of rows; a silence is said, too."""
    error = asyncpg.RaiseError("refused")
    error.detail = "row of ada@example.com"
    assert "ada" in str(error)
    assert said(error) == "RaiseError: refused"
    assert said(TimeoutError()) == "TimeoutError: no answer in time"
