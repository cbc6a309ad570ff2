"""The current session in FastAPI and Starlette, over real HTTP and real WebSockets."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from better_auth.handlers import CurrentSession, OptionalSession, mount_auth
from better_auth.handlers import starlette as for_starlette
from tests.support import COOKIE, Browser, MovableClock, bearer, make_auth, serve


def fastapi_app(clock: MovableClock) -> FastAPI:
    """An application with every kind of route."""
    app = FastAPI()
    mount_auth(app, make_auth(clock=clock))
    router = APIRouter(prefix="/nested")

    @app.get("/me")
    async def me(session: CurrentSession) -> dict[str, str]:
        return {"id": session.user.id, "token": session.session.token}

    @app.get("/maybe")
    async def maybe(session: OptionalSession) -> dict[str, str | None]:
        return {"id": session.user.id if session else None}

    @router.get("/direct")
    async def direct(session: CurrentSession) -> PlainTextResponse:
        return PlainTextResponse(session.user.email)

    @router.get("/stream")
    async def stream(session: CurrentSession) -> StreamingResponse:
        async def parts() -> AsyncIterator[str]:
            yield session.user.email

        return StreamingResponse(parts())

    @app.websocket("/ws")
    async def ws(socket: WebSocket, session: CurrentSession) -> None:
        await socket.accept()
        await socket.send_text(session.user.email)
        await socket.close()

    @app.websocket("/late")
    async def late(socket: WebSocket) -> None:
        await socket.accept()
        await for_starlette.current_session(socket)

    app.include_router(router)
    return app


@pytest.fixture
def origin(clock: MovableClock) -> Iterator[str]:
    """Where the FastAPI application is served."""
    with serve(fastapi_app(clock)) as origin:
        yield origin


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Closes what a test opens."""
    with ExitStack() as stack:
        yield stack


def signed_up(origin: str, stack: ExitStack) -> Browser:
    """A browser that has signed up."""
    browser = Browser(origin)
    stack.callback(browser.close)
    assert browser.sign_up().status_code == 200
    return browser


def test_current_session(origin: str, stack: ExitStack) -> None:
    """ "no manual token parsing needed": user and token by cookie and by Bearer; 401 else."""
    browser = signed_up(origin, stack)
    token = browser.http.cookies[COOKIE]
    for headers in ({"Cookie": f"{COOKIE}={token}"}, bearer(token)):
        assert httpx.get(f"{origin}/me", headers=headers).json()["token"] == token
    answer = httpx.get(f"{origin}/me")
    assert answer.status_code == 401
    assert answer.json() == {"code": "UNAUTHORIZED", "message": "A valid session is required"}


def test_optional_session(origin: str, stack: ExitStack) -> None:
    """ "OptionalSession for routes that should work for both authenticated and anonymous"."""
    token = signed_up(origin, stack).http.cookies[COOKIE]
    assert httpx.get(f"{origin}/maybe").json() == {"id": None}
    assert httpx.get(f"{origin}/maybe", headers=bearer("session_wrong")).json() == {"id": None}
    assert httpx.get(f"{origin}/maybe", headers=bearer(token)).json()["id"]


@pytest.mark.parametrize("path", ["/me", "/maybe", "/nested/direct", "/nested/stream"])
def test_refreshed_cookie_reaches_the_client(
    origin: str, stack: ExitStack, clock: MovableClock, path: str
) -> None:
    """Whatever a route returns, the cookie of a session refreshed by it is sent."""
    token = signed_up(origin, stack).http.cookies[COOKIE]
    clock.move(days=2)
    headers = {"Cookie": f"{COOKIE}={token}"}
    (line,) = httpx.get(origin + path, headers=headers).headers.get_list("set-cookie")
    assert f"{COOKIE}={token}; Max-Age=604800" in line
    assert "set-cookie" not in httpx.get(origin + path, headers=headers).headers


def test_websocket(origin: str, stack: ExitStack, caplog: pytest.LogCaptureFixture) -> None:
    """A WebSocket knows who is there, and refuses nobody with a 401, which is no error to log."""
    token = signed_up(origin, stack).http.cookies[COOKIE]
    url = origin.replace("http", "ws") + "/ws"
    for headers in ({"Cookie": f"{COOKIE}={token}"}, bearer(token)):
        with connect(url, additional_headers=headers) as socket:
            assert socket.recv() == "ada@example.com"
    with pytest.raises(InvalidStatus) as refused, connect(url):
        pass
    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body or b"")["code"] == "UNAUTHORIZED"
    with connect(url.replace("/ws", "/late")) as socket, pytest.raises(ConnectionClosed) as closed:
        socket.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "UNAUTHORIZED")
    assert "Exception in ASGI application" not in caplog.text


@pytest.mark.parametrize(
    "other", ["https://evil.example", "null", "http://[", "http://127.0.0.1:1"]
)
def test_websocket_of_another_site(origin: str, stack: ExitStack, other: str) -> None:
    """A page of another origin, which nothing keeps from reading a WebSocket, opens none with a
    user's cookie; a page of our own does, and so does a program with a Bearer token."""
    token = signed_up(origin, stack).http.cookies[COOKIE]
    url, cookie = origin.replace("http", "ws") + "/ws", {"Cookie": f"{COOKIE}={token}"}
    for _ in range(2):  # from then on the session is known without asking the database
        assert httpx.get(f"{origin}/me", headers=cookie).status_code == 200
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(url, additional_headers={**cookie, "Origin": other}),
    ):
        pass
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body or b"")["code"] == "INVALID_ORIGIN"
    for headers in ({**cookie, "Origin": origin}, {**bearer(token), "Origin": other}):
        with connect(url, additional_headers=headers) as socket:
            assert socket.recv() == "ada@example.com"


def test_openapi_shows_cookie_and_bearer(origin: str) -> None:
    """ "the app's OpenAPI shows cookie and bearer security"."""
    document = httpx.get(f"{origin}/openapi.json").json()
    both: list[dict[str, Any]] = [{"bearer": []}, {"cookie": []}]
    assert document["paths"]["/me"]["get"]["security"] == both
    assert document["paths"]["/nested/direct"]["get"]["security"] == both
    assert document["paths"]["/maybe"]["get"]["security"] == [*both, {}]
    assert document["components"]["securitySchemes"]["cookie"]["name"] == COOKIE
    assert httpx.get(f"{origin}/openapi.json").json() == document


def test_starlette(clock: MovableClock, stack: ExitStack) -> None:
    """Starlette's equivalents, mounted below another mount too."""

    async def me(request: Request) -> JSONResponse:
        session = await for_starlette.current_session(request)
        again = await for_starlette.optional_session(request)
        return JSONResponse({"id": session.user.id, "same": again is session})

    app = Starlette(routes=[Route("/me", me), Mount("/deep", routes=[Route("/me", me)])])
    for_starlette.mount_auth(app, make_auth(clock=clock))
    with serve(app) as origin:
        token = signed_up(origin, stack).http.cookies[COOKIE]
        for path in ("/me", "/deep/me"):
            assert httpx.get(origin + path).status_code == 401
            assert httpx.get(origin + path, headers=bearer(token)).json()["same"] is True


@pytest.mark.parametrize("base_path", ["/auth", "/api/v1/auth"])
def test_mounted_by_hand(clock: MovableClock, stack: ExitStack, base_path: str) -> None:
    """The application is an ASGI app, mounted anywhere, started at its first request."""
    app = FastAPI()
    app.mount(base_path, make_auth(clock=clock, base_path=base_path))
    with serve(app) as origin:
        browser = Browser(origin, base_path)
        stack.callback(browser.close)
        assert browser.sign_up().status_code == 200
        assert browser.get("/get-session").status_code == 200


@pytest.mark.parametrize("base_path", ["/", "/auth"])
@pytest.mark.parametrize("prefix", ["/auth", "/deep/er"])
def test_below_a_prefix(clock: MovableClock, stack: ExitStack, base_path: str, prefix: str) -> None:
    """Below what a router or a server's root path adds, even where that is called the same."""
    auth = make_auth(clock=clock, base_path=base_path)
    mounted = Starlette(routes=[Mount(prefix, app=auth)])
    path = base_path.rstrip("/") + "/ok"
    for app, root_path, asked in ((mounted, "", prefix + path), (auth, prefix, path)):
        with serve(app, root_path=root_path) as origin:
            assert httpx.get(origin + asked).json() == {"ok": True}
            assert httpx.get(f"{origin}{prefix}/no{path}").status_code == 404


def test_without_mount_it_says_so(clock: MovableClock) -> None:
    """A route with a session in an application without auth is a mistake with a message."""
    app = FastAPI()

    @app.get("/me")
    async def me(session: CurrentSession) -> None: ...

    with serve(app, log_level="critical") as origin:
        assert httpx.get(f"{origin}/me").status_code == 500


@pytest.mark.parametrize(
    ("missing", "statement", "extra"),
    [
        ("fastapi", "from better_auth.handlers import CurrentSession", "better-auth[fastapi]"),
        ("starlette", "import better_auth.handlers.starlette", "better-auth[starlette]"),
        ("typer", "import better_auth.cli as c; c.main()", "better-auth[server]"),
    ],
)
def test_missing_extra(missing: str, statement: str, extra: str) -> None:
    """ "the rest are extras with clear errors when missing"."""
    source = f"import sys; sys.modules[{missing!r}] = None; {statement}"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert done.returncode != 0
    assert extra in done.stderr


def test_starlette_without_fastapi() -> None:
    """Starlette's handlers do not need FastAPI."""
    source = "import sys; sys.modules['fastapi'] = None; import better_auth.handlers.starlette"
    assert subprocess.run([sys.executable, "-c", source]).returncode == 0
