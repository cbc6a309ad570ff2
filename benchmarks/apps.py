"""What is served while it is measured: the library, and the floors it is measured against.

``python -m benchmarks.apps uvicorn NAME CORE '{"database": ...}'`` serves one of :data:`APPS` under
uvicorn (or granian) on a free port of 127.0.0.1, pinned to ``CORE`` (``0``, or ``0,1`` for two),
and prints the port.
:class:`benchmarks.servers.Server` starts and ends such processes.
"""

import asyncio
import gc
import json
import os
import socket
import sys
from collections.abc import Callable
from typing import Any, cast

import uvicorn
import uvloop
from fastapi import FastAPI

from better_auth import AuthConfig, BetterAuth, RateLimitConfig, SessionConfig
from better_auth.config import CacheConfig
from better_auth.handlers import CurrentSession, mount_auth
from better_auth.http.asgi import AsgiApp, Receive, Scope, Send
from better_auth.plugins import EmailPasswordPlugin, SessionManagementPlugin

SECRET = "the benchmarks' own secret, 32 characters or more"

Options = dict[str, Any]


def make_auth(database: str, cache: bool = False, **session: Any) -> BetterAuth:
    """The library as it comes, on an SQLite file or the database of a URL, without the rate limit
    that would end a run. ``session``: further settings of sessions."""
    return BetterAuth(
        AuthConfig(
            SECRET,
            rate_limit=RateLimitConfig(enabled=False),
            session=SessionConfig(cache=CacheConfig(enabled=cache), **session),
        ),
        database=database if "://" in database else f"sqlite:///{database}",
        plugins=[EmailPasswordPlugin(), SessionManagementPlugin()],
    )


def library(options: Options) -> AsgiApp:
    """The library by itself."""
    return make_auth(**options)


def bare(options: Options) -> AsgiApp:
    """The floor of any ASGI application: one canned answer, whatever is asked."""
    body = options["body"].encode("latin-1")
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in options["head"]]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


def fastapi_with_session(options: Options) -> AsgiApp:
    """A FastAPI route that names its caller's session."""
    app = FastAPI()
    mount_auth(app, make_auth(options["database"]))

    @app.get("/me")
    async def me(session: CurrentSession) -> dict[str, str]:
        return {"user_id": session.user.id}

    return app


def fastapi_without(options: Options) -> AsgiApp:
    """The same route in an application that knows nothing of sessions."""
    app = FastAPI()
    user_id: str = options["user_id"]

    @app.get("/me")
    async def me() -> dict[str, str]:
        return {"user_id": user_id}

    return app


APPS: dict[str, Callable[[Options], AsgiApp]] = {
    "library": library,
    "bare": bare,
    "fastapi-with-session": fastapi_with_session,
    "fastapi-without": fastapi_without,
}


class Sink(asyncio.Protocol):
    """Answers canned bytes to whatever arrives: what the load generator is tried against."""

    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 600\r\n\r\n" + b"." * 600

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = cast(asyncio.Transport, transport).write

    def data_received(self, data: bytes) -> None:
        self._write(self.answer)


async def _serve_sink(listener: socket.socket) -> None:
    server = await asyncio.get_running_loop().create_server(Sink, sock=listener)
    await server.serve_forever()


def main() -> None:
    """Serve what the arguments name until the process is ended."""
    server, name, cores, options = sys.argv[1:]
    os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    print(port, flush=True)
    if name == "sink":
        uvloop.run(_serve_sink(listener))
    elif server == "granian":
        listener.close()
        _serve_by_granian(port, name, options)
    else:
        _serve_by_uvicorn(listener, _made(name, options))


def _made(name: str, options: str) -> AsgiApp:
    app = APPS[name](json.loads(options))
    gc.collect()
    gc.freeze()  # as `better-auth serve` does
    return app


def _serve_by_uvicorn(listener: socket.socket, app: AsgiApp) -> None:
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        access_log=False,
        timeout_keep_alive=120,  # paced streams leave connections idle
        log_level="warning",
    )
    uvicorn.Server(config).run(sockets=[listener])


def _serve_by_granian(port: int, name: str, options: str) -> None:
    """One worker, which granian starts as a process of its own."""
    from granian import Granian  # of the extra `granian`
    from granian.constants import HTTPModes, Interfaces, Loops
    from granian.log import LogLevels

    os.environ[_APP_OF_WORKER] = json.dumps([name, options])
    Granian(
        "benchmarks.apps:app_of_worker",
        factory=True,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        log_level=LogLevels.warning,
    ).serve()


_APP_OF_WORKER = "BENCHMARKS_APP_OF_WORKER"


def app_of_worker() -> AsgiApp:
    """What a worker of granian's serves."""
    name, options = json.loads(os.environ[_APP_OF_WORKER])
    return _made(name, options)


if __name__ == "__main__":
    main()
