"""A slow network, between an application and a server."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Line:
    """A way to a server, on which what is said can be kept waiting."""

    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._word = b""
        self.is_held = threading.Event()
        """Whether somebody is kept waiting."""
        self._is_free = threading.Event()
        self._is_free.set()
        threading.Thread(target=self._accept, daemon=True).start()

    @contextmanager
    def held(self, word: bytes = b"") -> Iterator[None]:
        """Nothing with ``word`` in it arrives, in either direction, nor what is said later on the
        same connection; afterwards all of it does."""
        self._word = word
        self._is_free.clear()
        try:
            yield
        finally:
            self._is_free.set()

    def close(self) -> None:
        """Let nobody in any more."""
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                there = socket.create_connection(self._to)
                for ends in ((here, there), (there, here)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, here: socket.socket, there: socket.socket) -> None:
        with suppress(OSError):
            while said := here.recv(65536):
                if self._word in said and not self._is_free.is_set():
                    self.is_held.set()
                    self._is_free.wait()
                there.sendall(said)
        with suppress(OSError):
            there.shutdown(socket.SHUT_RDWR)


@contextmanager
def line(host: str, port: int) -> Iterator[Line]:
    """A way to the server there."""
    made = Line(host, port)
    try:
        yield made
    finally:
        made.close()
