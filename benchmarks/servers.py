"""Server processes: started on their own core, waited for, and ended by their process id."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from benchmarks.machine import Core, family

START_TIMEOUT = 60.0
STOP_TIMEOUT = 10.0
LAST_CHUNK = b"0\r\n\r\n"

ServerProgram = Literal["uvicorn", "granian"]
SERVER_PROGRAMS: tuple[ServerProgram, ...] = ("uvicorn", "granian")


class ServerFailed(Exception):
    """A server process ended, or did not answer in time."""


class Listening(Protocol):
    """A server process that takes connections on a port of 127.0.0.1."""

    port: int

    @property
    def pid(self) -> int:
        """The process."""
        ...


class Server:
    """One app of :mod:`benchmarks.apps` in a process of its own; a context manager.

    >>> with Server("bare", 0, body="hello", head=[]) as server:
    ...     answer = fetch(server.port, request("/"))
    """

    def __init__(
        self, app: str, *cores: Core, under: ServerProgram = "uvicorn", **options: Any
    ) -> None:
        self.app = app
        pinned = ",".join(map(str, cores))
        arguments = [under, app, pinned, json.dumps(options)]
        command = [sys.executable, "-m", "benchmarks.apps", *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            raise ServerFailed(f"{app} ended with {self._process.wait()}; its error is above")
        self.port = int(line)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def worker(self) -> int:
        """The process that answers: of granian's two, the second."""
        return family(self.pid)[-1]

    def __enter__(self) -> Self:
        try:
            wait_until_open(self.port, self._process)
        except BaseException:
            end(self._process)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        end(self._process)


def wait_until_open(port: int, process: "subprocess.Popen[str]", pause: float = 0.01) -> None:
    """Return as soon as ``process`` takes connections on ``port``. Raises ``ServerFailed``."""
    give_up = time.monotonic() + START_TIMEOUT
    while time.monotonic() < give_up:
        if process.poll() is not None:
            raise ServerFailed(f"the server ended with {process.returncode}; its error is above")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            time.sleep(pause)
        else:
            return
    raise ServerFailed(f"nobody listens on port {port}")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end(process: "subprocess.Popen[str]") -> None:
    """End one process, politely at first."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def request(
    path: str,
    *,
    headers: Sequence[tuple[str, str]] = (),
    method: str = "GET",
    body: bytes = b"",
    content_type: str = "application/json",
) -> bytes:
    """The bytes of an HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: */*"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body:
        lines += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def fetch(port: int, request: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    """Ask once: the status, headers (lower case) and body of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10.0) as connection:
        connection.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            received += _more(connection)
        head, _, body = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = [(name.lower(), value) for name, _, value in (x.partition(": ") for x in lines)]
        if dict(headers).get("transfer-encoding") == "chunked":
            while not body.endswith(b"\r\n" + LAST_CHUNK) and body != LAST_CHUNK:
                body += _more(connection)
            body = _unchunked(body)
        else:
            length = int(dict(headers).get("content-length", "0"))
            while len(body) < length:
                body += _more(connection)
    return int(first.split()[1]), headers, body


def _unchunked(body: bytes) -> bytes:
    parts = []
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        parts.append(rest[:length])
        body = rest[length + 2 :]
    return b"".join(parts)


def _more(connection: socket.socket) -> bytes:
    chunk = connection.recv(65536)
    if not chunk:
        raise ServerFailed("the server closed the connection before its answer was complete")
    return chunk
