"""An OpenID provider in a process of its own (npm's ``oidc-provider``), and who signs in there."""

import fcntl
import hashlib
import html
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpx

from tests.servers import free_port
from tests.support import NO_TLS

HERE = Path(__file__).parent
APP = "http://app.test"
"""What the application under test calls itself; requests to it go where it really is."""


def installed() -> Path:
    """A folder with the provider and the packages it needs, kept for the next time."""
    wanted = (HERE / "package.json").read_bytes()
    name = f"better-auth-tests-{os.getuid()}-{hashlib.sha256(wanted).hexdigest()[:12]}"
    folder = Path(tempfile.gettempdir()) / name
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.copy(HERE / "provider.mjs", folder)
        if not (folder / "done").exists():
            (folder / "package.json").write_bytes(wanted)
            subprocess.run(
                ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"],
                cwd=folder,
                check=True,
                timeout=300,
            )
            (folder / "done").touch()
    return folder


class OpenIdProvider:
    """The running provider, and a person at it."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer

    def refreshes(self) -> int:
        """How often it has given new tokens for a refresh token."""
        answer = httpx.get(f"{self.issuer}/test/refreshes", verify=NO_TLS)
        return int(answer.json()["refreshes"])

    def sign_in(self, browser: httpx.Client, url: str, login: str = "ada") -> httpx.Response:
        """Follow ``url`` through login and consent; the answer that leads back to the application.

        That is a redirection to it, or the page with the form that is to be posted to it.
        """
        answer = browser.get(url)
        for _ in range(12):
            location = answer.headers.get("location")
            if location is not None and location.startswith(APP):
                return answer
            if location is not None:
                answer = browser.get(urljoin(str(answer.url), location))
                continue
            action, fields = form(answer)
            if action.startswith(APP):
                return answer
            if "login" in answer.text and fields.get("prompt") == "login":
                fields |= {"login": login, "password": "any"}
            answer = browser.post(urljoin(str(answer.url), action), data=fields)
        raise AssertionError(f"the provider does not send the browser back: {answer.text}")


def form(answer: httpx.Response) -> tuple[str, dict[str, str]]:
    """Where the page's form goes, and its hidden fields."""
    action = re.search(r'<form[^>]*action="([^"]+)"', answer.text)
    assert action is not None, answer.text
    hidden = re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', answer.text)
    return html.unescape(action.group(1)), {name: html.unescape(text) for name, text in hidden}


@contextmanager
def running() -> Iterator[OpenIdProvider]:
    """The provider on a free port of 127.0.0.1, gone afterwards."""
    port = free_port()
    process = subprocess.Popen(
        ["node", "provider.mjs", str(port)],
        cwd=installed(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("ready"):
                break
        else:
            raise AssertionError("the provider did not start")
        yield OpenIdProvider(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()
