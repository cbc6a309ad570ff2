"""Drivers log as well: with every logger at DEBUG, none writes what is in the database."""

import logging
from collections.abc import Callable

import pytest

from better_auth.mail import MemoryProvider
from better_auth.models import Account, Session, Verification
from better_auth.plugins import (
    AuditPlugin,
    EmailPasswordPlugin,
    PasswordManagementPlugin,
    SessionManagementPlugin,
)
from tests.conftest import Site
from tests.support import PASSWORD

OF_THE_TEST = ("httpx", "httpcore", "uvicorn", "websockets")
"""What the browser and the server in front of the application log is theirs."""


@pytest.mark.parametrize("storage", ["sealed", "plain"])
def test_drivers_at_debug(
    site_with: Callable[..., Site], caplog: pytest.LogCaptureFixture, storage: str
) -> None:
    """ "Structured logs without secrets", of whoever writes them: no token, hash, fingerprint,
    link or address."""
    caplog.set_level(logging.DEBUG)
    for name in ("sqlalchemy", "aiosqlite", "asyncpg", "aiomysql", "redis"):
        caplog.set_level(logging.DEBUG, logger=name)
    provider = MemoryProvider()
    site = site_with(
        plugins=[
            EmailPasswordPlugin(),
            SessionManagementPlugin(),
            PasswordManagementPlugin(),
            AuditPlugin(),
        ],
        mail=provider,
        session={"token_storage": storage},
    )
    browser, other = site.browser(), site.browser()
    secrets = {browser.sign_up().json()["token"], other.sign_in().json()["token"]}
    assert browser.post("/request-password-reset", {"email": "ada@example.com"}).status_code == 200
    assert site.run(site.auth.mail.flush(30)), "the link is made after the answer"
    database = site.auth.database
    for session in site.run(database.find(Session)):
        secrets |= {session.token_key, session.sealed_token or session.token_key}
    for account in site.run(database.find(Account)):
        secrets.add(str(account.password_hash))
    for verification in site.run(database.find(Verification)):
        secrets.add(verification.identifier)
    assert len(secrets) >= (8 if storage == "sealed" else 4)
    assert browser.get("/list-sessions").status_code == 200
    assert browser.get("/get-session").status_code == 200
    assert browser.post("/revoke-other-sessions").status_code == 200
    assert browser.post("/sign-out").status_code == 200
    told = [record for record in caplog.records if not record.name.startswith(OF_THE_TEST)]
    assert any("sqlalchemy" in record.name for record in told), "there is something to look at"
    for record in told:
        line = logging.Formatter().format(record)
        for secret in secrets | {PASSWORD, "ada@example.com"}:
            assert secret not in line, f"{record.name} wrote {secret[:6]}..."
