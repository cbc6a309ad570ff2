"""Database servers of the tests' own, to be stopped, killed and frozen."""

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import asyncpg
import httpx
import pymysql
import pytest

from tests.support import environment


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def not_here(what: str) -> NoReturn:
    """Skip the test, loudly; where ``TEST_DATABASES`` says what must be there, fail instead."""
    if "TEST_DATABASES" in os.environ:
        pytest.fail(f"{what} is not installed")
    pytest.skip(f"NOT TESTED: {what} is not installed")


def unprivileged(user: str) -> str | None:
    """As whom a server runs: ``user``, as Debian has decided, where we are root, which servers
    refuse to be."""
    return user if os.geteuid() == 0 else None


@contextmanager
def directory_of(user: str | None) -> Iterator[Path]:
    """A directory that a server of ``user``'s can reach, which pytest's need not be."""
    with tempfile.TemporaryDirectory(prefix="better_auth_") as name:
        if user is not None:
            shutil.chown(name, user)
        yield Path(name)


class PostgresServer:
    """A cluster in a directory of its own, listening on 127.0.0.1 only."""

    def __init__(self, binaries: Path, directory: Path, user: str | None) -> None:
        self._binaries = binaries
        self.user = user
        self._data = directory / "data"
        self.port = free_port()
        self.url = f"postgresql://tester@127.0.0.1:{self.port}/postgres"
        self._run("initdb", "-D", str(self._data), "-U", "tester", "-A", "trust", "--no-sync")
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._binaries / program), *arguments],
            check=True,
            user=self.user,
            cwd=self._data.parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def start(self) -> None:
        """Start, and wait until connections are taken."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self._data} -c fsync=off"
        self._run("pg_ctl", "-D", str(self._data), "-w", "-o", options, "start")

    def stop(self) -> None:
        """Stop at once, connections and all, as a crash does."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def pids(self) -> list[int]:
        """The postmaster and all it has started."""
        postmaster = int((self._data / "postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return [postmaster, *map(int, children)]

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The server is there and says nothing, as behind a cut network."""
        pids = self.pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def read_only(self, on: bool) -> None:
        """Take no changes, from now on, or take them again."""

        async def work() -> None:
            connection = await asyncpg.connect(self.url)
            setting = "on" if on else "off"
            await connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {setting}")
            await connection.execute("SELECT pg_reload_conf()")
            await connection.close()

        asyncio.run(work())


class MySqlServer:
    """MariaDB in a directory of its own, listening on 127.0.0.1 only."""

    def __init__(self, program: str, directory: Path, user: str | None) -> None:
        self.port = free_port()
        self.url = f"mysql://tester@127.0.0.1:{self.port}/auth"
        self._user, self._directory = user, directory
        own = ["--no-defaults", f"--datadir={directory}/data"]
        subprocess.run(
            ["mariadb-install-db", *own, "--auth-root-authentication-method=normal"],
            check=True,
            user=user,
            cwd=directory,
            stdout=subprocess.DEVNULL,
        )
        self._command = [
            *(program, *own, f"--port={self.port}", "--bind-address=127.0.0.1"),
            *(f"--socket={directory}/socket", "--innodb-flush-log-at-trx-commit=2"),
        ]
        self.start()
        # Whoever may do everything may also write where nobody may.
        self._execute(
            "CREATE USER tester@localhost",
            "CREATE DATABASE auth",
            "GRANT ALL ON auth.* TO tester@localhost",
        )

    def _execute(self, *statements: str) -> None:
        with pymysql.connect(host="127.0.0.1", port=self.port, user="root") as connection:
            for statement in statements:
                connection.cursor().execute(statement)

    def start(self) -> None:
        """Start, and wait until connections are taken."""
        self._process = subprocess.Popen(
            self._command, user=self._user, cwd=self._directory, stderr=subprocess.DEVNULL
        )
        for _ in until(30):
            try:
                return self._execute()
            except pymysql.err.OperationalError:
                assert self._process.poll() is None, "MariaDB did not start"
        raise AssertionError("MariaDB does not answer")

    def stop(self) -> None:
        """Stop at once, connections and all, as a crash does."""
        self._process.kill()
        self._process.wait(10)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The server is there and says nothing, as behind a cut network."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def read_only(self, on: bool) -> None:
        """Take no changes, from now on, or take them again."""
        self._execute(f"SET GLOBAL read_only = {int(on)}")

    def require_tls(self, certificate: str, key: str) -> None:
        """Start anew, with these (PEM), and let nobody in without."""
        for name, text in (("server.pem", certificate), ("server.key", key)):
            (self._directory / name).write_text(text)
            (self._directory / name).chmod(0o644)
        self._command += [
            f"--ssl-cert={self._directory}/server.pem",
            f"--ssl-key={self._directory}/server.key",
        ]
        self.restart()
        self._execute("ALTER USER tester@localhost REQUIRE SSL")


@contextmanager
def mysql_server() -> Iterator[MySqlServer]:
    """A server of the test's own. Skips, loudly, where MariaDB is not installed."""
    program = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None or shutil.which("mariadb-install-db") is None:
        not_here("MariaDB's server")
    user = unprivileged("mysql")
    with directory_of(user) as directory:
        server = MySqlServer(program, directory, user)
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server of the test's own. Skips, loudly, where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if on_path:
        found.append(Path(on_path))
    if not found:
        not_here("PostgreSQL's server")
    user = unprivileged("postgres")
    with directory_of(user) as directory:
        server = PostgresServer(found[-1].parent, directory, user)
        try:
            yield server
        finally:
            server.stop()


class RedisServer:
    """A server in a directory of its own, listening on 127.0.0.1 only. It saves nothing."""

    def __init__(self, directory: Path, *settings: str, is_sentinel: bool = False) -> None:
        """``settings``: as on the command line, after those every server here is given."""
        self._directory = directory
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        common = ["--port", str(self.port), "--bind", "127.0.0.1"]
        if is_sentinel:
            self._command = ["redis-server", *settings, "--sentinel", *common]
        else:
            self._command = ["redis-server", *common, "--save", "", *settings]
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            self._command, cwd=self._directory, stdout=subprocess.DEVNULL
        )
        for _ in until(10):
            if self._process.poll() is None and self.ask("PING").startswith(b"+PONG"):
                return
        raise AssertionError("redis-server did not start")

    def ask(self, *command: str) -> bytes:
        """The beginning of an answer; nothing where nobody answers."""
        words = "".join(f"${len(word)}\r\n{word}\r\n" for word in command)
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(f"*{len(command)}\r\n{words}".encode())
                return connection.recv(4096)
        except OSError:
            return b""

    def stop(self) -> None:
        """End it; what it held is gone."""
        self._process.kill()
        self._process.wait(10)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The server is there and says nothing, as behind a cut network."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@contextmanager
def pgbouncer(server: PostgresServer, servers: int) -> Iterator[str]:
    """PgBouncer in transaction mode before ``server``, with that many connections to it; its URL.

    Skips, loudly, where it is not installed.
    """
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        not_here("PgBouncer")
    port = free_port()
    with directory_of(server.user) as directory:
        settings = directory / "pgbouncer.ini"
        settings.write_text(
            "[databases]\n"
            f"postgres = host=127.0.0.1 port={server.port} user=tester\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            "auth_type = any\npool_mode = transaction\n"
            f"default_pool_size = {servers}\nmax_client_conn = 500\n"
        )
        process = subprocess.Popen(
            [program, "-q", str(settings)],
            user=server.user,
            cwd=directory,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            for _ in until(10):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
            else:
                pytest.fail("PgBouncer does not listen")
            yield f"postgresql://tester@127.0.0.1:{port}/postgres"
        finally:
            process.kill()
            process.wait(10)


def until(seconds: float, pause: float = 0.02) -> Iterator[float]:
    """Ticks for at most ``seconds``; how many have passed."""
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        yield passed
        time.sleep(pause)


class AuthServer:
    """``better-auth serve`` in a process of its own, on a free port of 127.0.0.1."""

    def __init__(self, directory: Path, **settings: str) -> None:
        command = Path(sys.executable).with_name("better-auth")
        self.process = subprocess.Popen(
            [str(command), "serve", "--port", "0"],
            cwd=directory,
            env=environment(**{f"BETTER_AUTH_{name}": value for name, value in settings.items()}),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        printed = ""
        while "/list-sessions" not in printed:
            line = self.process.stdout.readline()
            assert line, "the server ended"
            printed += line
        found = re.search(r"http://[^/\s]+/auth", printed)
        assert found is not None
        self.url = found.group()
        with httpx.Client(transport=httpx.HTTPTransport(retries=20)) as client:
            assert client.get(f"{self.url}/ok").status_code == 200

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def auth_server(directory: Path, **settings: str) -> Iterator[AuthServer]:
    """A server that is gone afterwards; ``settings`` without their prefix."""
    server = AuthServer(directory, **settings)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()
