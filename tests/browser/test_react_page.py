"""The React page of ``examples/react`` in Chromium: the official client, used as it is."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tests.browser.conftest import Play, build
from tests.example import running_example
from tests.servers import auth_server
from tests.support import serve

COOKIE = "better-auth.session_token"
OFF = {"RATE_LIMIT__ENABLED": "false"}


def refused(status: int, url: str) -> str:
    """What Chromium's console says of an answer that is an error."""
    reason = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden"}[status]
    said = "Failed to load resource: the server responded with a status of"
    return f"{said} {status} ({reason}) {url}"


def assert_http_only(cookies: list[dict[str, Any]]) -> None:
    """There is a session's cookie, and scripts can read no cookie at all."""
    assert COOKIE in [cookie["name"] for cookie in cookies]
    assert all(cookie["httpOnly"] and cookie["sameSite"] == "Lax" for cookie in cookies), cookies


def at_localhost(origin: str) -> str:
    """The same server on the site that the standalone server names itself by."""
    return origin.replace("127.0.0.1", "localhost")


def test_devices(play: Play, page: Path, tmp_path: Path) -> None:
    """ "A React page built with Vite using `better-auth/react` signs in, lists and revokes devices
    in headless Chromium", against the example, which serves it."""
    with running_example(tmp_path, PAGE=str(page)) as example:
        seen = play("devices", page=example.origin)
        assert seen["user"]["role"] == "admin", "ADMIN_EMAILS names her"
        assert [mail["to"] for mail in example.messages("welcome")] == ["boss@example.com"]

    assert_http_only(seen["cookies"])
    assert seen["cookies for scripts"] == ""
    assert "." not in seen["kept by scripts"], "nothing that looks like a token"

    phone, laptop = seen["two"]
    assert phone.startswith("Safari on iOS")
    assert laptop.startswith("Firefox on Windows")
    assert ("This device" in laptop, "This device" in phone) == (True, False)
    assert "127.0.0.1" in phone

    # "revoking a device signs it out at once", before its page has asked again
    assert (seen["before"], seen["at once"], seen["page not asked yet"]) == (200, 401, True)
    assert (len(seen["one"]), seen["the other is in"]) == (1, 200)
    assert (seen["three"], seen["all others"]) == (3, [401, 401, 200])
    assert (seen["after signing out"], seen["cookies left"]) == (401, [])

    # Nothing on the consoles but the refusals that were asked for.
    api = f"{example.origin}/api/auth"
    assert seen["alert"] == "Invalid e-mail address or password"
    over = refused(401, f"{api}/list-sessions")
    wrong = refused(401, f"{api}/sign-in/email")
    assert seen["console"].pop("phone") in ([wrong, over], [wrong, over, over])
    assert set(map(len, seen["console"].values())) == {0}, seen["console"]


def test_second_factor(play: Play, page: Path, tmp_path: Path) -> None:
    """Turned on, asked for, answered by app, by a code that was sent and by backup code, and not
    asked on a trusted device."""
    with running_example(tmp_path, PAGE=str(page)) as example:
        seen = play("second-factor", page=example.origin, outbox=str(example.outbox))
    assert seen["half-way"] == 401, "no session before the second factor"
    assert seen["alert"] == "The code is wrong"
    assert_http_only(seen["cookies"])
    assert "better-auth.trust_device" in [cookie["name"] for cookie in seen["cookies"]]
    wrong = refused(401, f"{example.origin}/api/auth/two-factor/verify-totp")
    assert seen["console"] == {"page": [wrong]}


def test_origins(play: Play, source: Path, tmp_path: Path) -> None:
    """A page of another, trusted origin does all of it; one of an origin that is not trusted can
    neither sign out nor read, with the user's cookies or without."""
    folder = tmp_path / "page"
    folder.mkdir()
    with (
        serve(Starlette(routes=[Mount("/", StaticFiles(directory=folder, html=True))])) as page,
        serve(Starlette(routes=[Route("/", _blank)])) as untrusted,
        auth_server(
            tmp_path, **OFF, CORS__ENABLED="true", TRUSTED_ORIGINS=at_localhost(page)
        ) as server,
    ):
        origin = server.url.removesuffix("/auth")
        build(source, folder, VITE_AUTH_URL=origin)
        seen = play(
            "origins",
            page=at_localhost(page),
            server=origin,
            sameSite=at_localhost(untrusted),
            otherSite=untrusted,
        )
    assert len(seen["two"]) == 2
    assert_http_only(seen["cookies"])
    for place in ("same site", "other site"):
        read = seen[place]["read"]
        unread = {name for name in read if name.endswith("unread")}
        assert {read[name] for name in unread} == {""}, "opaque"
        assert {read[name] for name in read.keys() - unread} == {"TypeError"}, "not for this origin"
    # Another port is another origin of the same site: the cookie comes, and it is refused.
    out, all_of_them, native = "/api/auth/sign-out", "/api/auth/revoke-sessions", "/auth/sign-out"
    sent = [out, all_of_them, native, out]
    assert seen["same site"]["answers"] == [[path, 403] for path in sent]
    # From another site it does not come, and nobody's session is ended, nor their cookie.
    statuses = {out: 200, all_of_them: 401, native: 401}
    assert seen["other site"]["answers"] == [[path, statuses[path]] for path in sent]
    assert seen["console"]["afterwards"] == []
    assert seen["console"]["page"] == []


def test_development(play: Play, source: Path, tmp_path: Path) -> None:
    """`better-auth serve` and `npm run dev`, with no setting at all."""
    with auth_server(tmp_path) as server:
        with vite(source, server.url.removesuffix("/auth")) as origin:
            seen = play("development", page=origin)
    assert "This device" in seen["one"][0]
    assert seen["console"] == {"page": []}


async def _blank(_: object) -> HTMLResponse:
    return HTMLResponse("<!doctype html><link rel=icon href=data:,><title>A page</title>")


@contextmanager
def vite(source: Path, server: str) -> Iterator[str]:
    """Vite's development server on a free port, which passes calls on to ``server``."""
    process = subprocess.Popen(
        ["node", "../node_modules/vite/bin/vite.js", "--host", "127.0.0.1", "--port", "0"],
        cwd=source,
        env=os.environ | {"AUTH_SERVER": server, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if "Local:" in line:
                break
        else:
            raise AssertionError("Vite did not start")
        yield line.split()[-1].rstrip("/")
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()
