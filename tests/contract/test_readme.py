"""What the README shows works as printed."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from better_auth import AuthConfig, BetterAuth
from better_auth.plugins import EmailPasswordPlugin
from tests.support import PASSWORD, SECRET, serve

README = (Path(__file__).parents[2] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def block_with(text: str) -> str:
    """The one Python block that holds ``text``."""
    (found,) = [block for block in blocks("python") if text in block]
    return found


def run(source: str) -> dict[str, Any]:
    """The names a block defines."""
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(source, "README.md", "exec"), names)
    return names


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BETTER_AUTH_SECRET", SECRET)
    monkeypatch.setenv("BETTER_AUTH_SESSION__COOKIE_SECURE", "false")


def test_fastapi_application() -> None:
    """The application on one screen: sign-up, sign-in, a protected route, an optional one."""
    with serve(run(block_with("FastAPI()"))["app"]) as origin:
        client = httpx.Client(base_url=origin, headers={"Origin": origin})
        assert client.get("/me").status_code == 401
        assert client.get("/hello").json() == "Hello, stranger"
        body = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}
        assert client.post("/auth/sign-up/email", json=body).status_code == 200
        assert client.get("/me").json()["email"] == "ada@example.com"
        assert client.get("/hello").json() == "Hello, Ada"
        client.cookies.clear()
        del body["name"]
        assert client.post("/auth/sign-in/email", json=body).status_code == 200
        assert client.get("/me").status_code == 200
        client.close()


def test_own_user() -> None:
    """A field of the application's own is taken at sign-up, a read-only one is not."""
    with serve(run(block_with("class Member"))["auth"]) as origin:
        body = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}
        more = {"company": "Analytical Engines", "plan": "enterprise"}
        user = httpx.post(f"{origin}/auth/sign-up/email", json=body | more).json()["user"]
        assert user["company"] == "Analytical Engines"
        assert user["plan"] == "free"


def test_plugin() -> None:
    """The plugin has its table, its routes and its event handler."""
    plugin = run(block_with("class NotesPlugin"))["NotesPlugin"]()
    auth = BetterAuth(
        AuthConfig.from_env(), database="sqlite://", plugins=[EmailPasswordPlugin(), plugin]
    )
    with serve(auth) as origin:
        body = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}
        token = httpx.post(f"{origin}/auth/sign-up/email", json=body).json()["token"]
        client = httpx.Client(
            base_url=f"{origin}/auth", headers={"Authorization": f"Bearer {token}"}
        )
        assert client.post("/notes/add", json={"text": "Second"}).json()["text"] == "Second"
        assert [n["text"] for n in client.get("/notes/list").json()["notes"]] == [
            "Welcome",
            "Second",
        ]
        assert client.post("/notes/add", json={"text": 5}).status_code == 400
        assert httpx.get(f"{origin}/auth/notes/list").status_code == 401
        client.close()


def test_the_page_on_the_account() -> None:
    """docs/account.md: what it shows builds an application with its endpoints."""
    page = (Path(__file__).parents[2] / "docs" / "account.md").read_text()
    for source in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        names = run(source)
        if "auth" in names:
            assert "/change-email" in names["auth"].openapi()["paths"]
        else:
            assert names["mail"].tells("welcome")
