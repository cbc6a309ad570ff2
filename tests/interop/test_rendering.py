"""The client on a server that renders pages, with the cookie of the browser that asked."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Site

DATABASES = ["sqlite"]
"""No database has a say in this."""


def test_the_cookie_is_passed_on(folder: Path, site_with: Callable[..., Site]) -> None:
    """docs/javascript.md: "The browser's cookies reach a server that renders pages, and it passes
    them on"; what it may leave to the browser, and what it must say besides."""
    site = site_with(wire="javascript")
    with_session = site.browser()
    with_session.sign_up()
    ((name, value),) = with_session.http.cookies.items()
    site.clock.move(days=2)
    done = subprocess.run(
        ["node", "rendering.mjs", site.origin, f"{name}={value}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    nobody = {"email": None, "code": None, "cookiesSet": 0}
    ada = nobody | {"email": "ada@example.com"}
    assert json.loads(done.stdout) == {
        "nobody": nobody,
        "unextended": ada,
        "extended": ada | {"cookiesSet": 1},
        "sign out": nobody | {"code": "MISSING_OR_NULL_ORIGIN"},
        "sign out, said from where": nobody | {"cookiesSet": 1},
        "afterwards": nobody | {"cookiesSet": 1},
    }
