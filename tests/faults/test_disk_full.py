"""A database file that may grow no further.

"Disk full for SQLite": 503 with Retry-After, reads go on, service returns.
"""

from collections.abc import Callable
from pathlib import Path

from better_auth import User
from tests.conftest import Site
from tests.support import PASSWORD

DATABASES = ["sqlite"]


def pages(site: Site, *, limit: int | None = None) -> int:
    """How many pages the file has; ``limit`` is what it may have from now on (SQLITE_FULL)."""

    async def work() -> int:
        async with site.auth.database.writing() as connection:  # type: ignore[attr-defined]
            found = (await connection.exec_driver_sql("PRAGMA page_count")).scalar_one()
            if limit is not None:
                await connection.exec_driver_sql(f"PRAGMA max_page_count = {limit or found}")
            return int(found)

    return site.run(work())


def test_full(site_with: Callable[..., Site], tmp_path: Path) -> None:
    """Whoever is signed in stays so; whoever would be written is told 503 and is not there
    afterwards, not in part either; and with room again everything works."""
    site = site_with(database=f"sqlite:///{tmp_path}/auth.db")
    browser = site.browser()
    browser.sign_up()
    pages(site, limit=0)
    refused = 0
    names = {"name": "x" * 250, "password": PASSWORD, "image": "x" * 1500}
    for number in range(40):
        answer = site.client().post(
            "/sign-up/email", json={**names, "email": f"u{number}@example.com"}
        )
        if answer.status_code != 200:
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["code"] == "SERVICE_UNAVAILABLE"
            refused += 1
            found = site.run(site.auth.database.find_one(User, email=f"u{number}@example.com"))
            assert found is None, "half made"
        assert browser.get("/get-session").status_code == 200
        assert browser.get("/list-sessions").status_code == 200
        if refused == 3:
            break
    assert refused == 3
    pages(site, limit=1_000_000)
    assert site.browser().sign_up("grace@example.com").status_code == 200
    assert site.browser().sign_in().status_code == 200
    assert browser.post("/sign-out").json() == {"success": True}
