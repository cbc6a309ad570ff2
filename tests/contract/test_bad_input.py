"""Whatever comes in: no 5xx, no hang, an error that is JSON and repeats nothing."""

import socket
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.conftest import Site
from tests.support import COOKIE, PASSWORD, bearer, every_plugin, make_auth

GOOD: dict[str, dict[str, Any]] = {
    "/sign-up/email": {
        "name": "Ada",
        "email": "ada@example.com",
        "password": PASSWORD,
        "image": "https://example.com/a.png",
        "rememberMe": True,
        "callbackURL": "/home",
    },
    "/sign-in/email": {
        "email": "ada@example.com",
        "password": PASSWORD,
        "rememberMe": True,
        "callbackURL": "/home",
    },
    "/revoke-session": {"token": "session_x"},
}
WRONG = [5, 1e308, True, [], {}, {"a": "b"}, "x" * 5_000, "a\x00b"]
RAW = {
    "nothing": b"",
    "no JSON": b"{",
    "number": b"5",
    "list": b"[]",
    "null": b"null",
    "string": b'"x"',
    "NaN": b'{"email": NaN}',
    "a number beyond all others": b'{"email": 1e999}',
    "and below": b'{"else": [-1e999]}',
    "duplicate keys": b'{"email": "a@b.c", "email": "d@e.f", "password": "p", "token": "t"}',
    "invalid UTF-8": b'{"email": "\xff\xfe"}',
    "UTF-16": '{"email": "a"}'.encode("utf-16"),
    "BOM": b"\xef\xbb\xbf{}",
    "surrogate": b'{"email": "\\ud800@b.c", "password": "\\udfff", "token": "\\ud800"}',
    "deep": b"[" * 200_000,
    "deep object": b'{"a":' * 50_000,
    "huge number": b'{"email": 1' + b"0" * 5_000 + b"}",
}


@pytest.fixture(scope="module")
def shared(shared_site_with: Callable[..., Site]) -> Site:
    """With the default settings."""
    return shared_site_with()


@pytest.fixture(scope="module")
def everything(shared_site_with: Callable[..., Site]) -> Site:
    """With one of each plugin."""
    return shared_site_with(plugins=every_plugin())


def check_refused(answer: httpx.Response) -> None:
    """An error in the one shape, that nobody may keep."""
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert sorted(body) == ["code", "message"]
    assert all(isinstance(value, str) for value in body.values())


def test_every_endpoint_with_a_body_is_here(site: Site) -> None:
    """A new endpoint with a body joins these tests."""
    paths = site.auth.openapi()["paths"]
    with_body = {path for path, item in paths.items() if "requestBody" in item.get("post", {})}
    assert with_body == set(GOOD)


@pytest.mark.parametrize("path", GOOD)
def test_wrong_fields(shared: Site, path: str) -> None:
    """Each field with what it must not be: 400, naming the field, not repeating the value."""
    headers = bearer(shared.session(shared.user(f"{uuid4().hex}@example.com")).token)
    client = shared.client()
    for field, value in GOOD[path].items():
        for wrong in WRONG:
            if type(wrong) is type(value) and field != "email" and wrong is True:
                continue
            answer = client.post(path, json={**GOOD[path], field: wrong}, headers=headers)
            if field == "password" and path == "/sign-in/email" and isinstance(wrong, str):
                assert answer.status_code in (400, 401)
                continue
            check_refused(answer)
            assert "xxxxx" not in answer.text
            if wrong != "a\x00b" and answer.json()["code"] == "VALIDATION_ERROR":
                assert f"body.{field}" in answer.json()["message"]
    for field in {"name", "email", "password"} & GOOD[path].keys():
        body = {k: v for k, v in GOOD[path].items() if k != field}
        answer = client.post(path, json=body, headers=headers)
        assert answer.status_code == 400
        assert f"body.{field}" in answer.json()["message"]


@pytest.mark.parametrize("path", GOOD)
@pytest.mark.parametrize("name", RAW)
def test_not_the_object_expected(shared: Site, path: str, name: str) -> None:
    """400 for what is not one unambiguous JSON object."""
    token = shared.session(shared.user(f"{uuid4().hex}@example.com")).token
    headers = bearer(token) | {"Content-Type": "application/json"}
    answer = shared.client().post(path, content=RAW[name], headers=headers)
    check_refused(answer)
    assert answer.status_code == 400


JSON = "application/json"
DOCUMENT = make_auth(plugins=every_plugin()).openapi()
PLUGIN_PATHS = sorted(DOCUMENT["paths"].keys() - make_auth().openapi()["paths"].keys())


@pytest.mark.parametrize("path", PLUGIN_PATHS)
def test_plugins_endpoints(everything: Site, path: str) -> None:
    """Every field of every plugin's endpoint, wrong in every way, asked by who may do it all."""
    ask_wrongly(everything, DOCUMENT, path)


def ask_wrongly(site: Site, document: dict[str, Any], path: str) -> None:
    """Ask ``path`` with each of its fields wrong, and with what is no body, as a new admin."""
    admin = site.user(f"{uuid4().hex}@example.com", fields={"role": "admin"})
    client = site.client()
    for method, operation in document["paths"][path].items():
        reference = operation.get("requestBody", {}).get("content", {})
        if reference:
            ((media, content),) = reference.items()
            name = content["schema"]["$ref"].rpartition("/")[2]
            fields = document["components"]["schemas"][name]["properties"]
        else:
            fields = {parameter["name"]: {} for parameter in operation.get("parameters", ())}
        for field in fields:
            for wrong in WRONG:
                headers = bearer(site.session(admin).token)
                if method == "get":
                    answer = client.get(path, params={field: str(wrong)}, headers=headers)
                else:
                    body = {**dict.fromkeys(fields, "x"), field: wrong}
                    sent = {"json": body} if media == JSON else {"data": body}
                    answer = client.post(path, **sent, headers=headers)
                assert answer.status_code < 500, (field, wrong, answer.text)
                if answer.status_code >= 400:
                    check_refused(answer)
        if reference:
            for raw in RAW.values():
                headers = bearer(site.session(admin).token) | {"Content-Type": media}
                answer = client.post(path, content=raw, headers=headers)
                assert answer.status_code == 400 or raw == RAW["nothing"] or media != JSON
                assert answer.status_code < 500


@pytest.mark.parametrize(
    "media", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "é;"]
)
def test_415(shared: Site, media: str | None) -> None:
    """A body that is not declared as JSON."""
    headers = {"Content-Type": media.encode("latin-1")} if media else {}
    answer = shared.client().post("/sign-in/email", content=b'{"email": "a"}', headers=headers)
    check_refused(answer)
    assert answer.status_code == 415


def test_413(site: Site) -> None:
    """Over 1 MiB is refused, told so, and not kept; the server goes on answering."""
    for size in (1024 * 1024 + 1, 10 * 1024 * 1024):
        answer = site.client().post(
            "/sign-in/email",
            content=b'{"a":"' + b"x" * size + b'"}',
            headers={"Content-Type": "application/json"},
        )
        check_refused(answer)
        assert answer.status_code == 413
    assert site.client().get("/ok").json() == {"ok": True}


@pytest.mark.parametrize(
    "authorization",
    [
        b"Bearer \xff\xfe",
        b"Bearer " + b"x" * 8_000,
        b"Bearer",
        b"\xe9 token",
        b"Bearer a, Bearer b",
    ],
)
def test_garbage_authorization(shared: Site, authorization: bytes) -> None:
    """A garbage header is 401, never 500."""
    answer = shared.client().get("/get-session", headers=[(b"Authorization", authorization)])
    check_refused(answer)
    assert answer.status_code == 401


def test_other_cookies_do_not_matter(site: Site) -> None:
    """Another application's cookies (JSON, quotes, spaces, non-ASCII) sign nobody out."""
    token = site.session(site.user()).token
    for other in (
        b'prefs={"a": [1, 2]}',
        b"a b=c d",
        b'q="un;closed',
        b"caf\xc3\xa9=\xff",
        b"=;;;",
        b"$Version=1",
        b"x" * 4_000,
    ):
        cookie = other + b"; " + f"{COOKIE}={token}".encode()
        answer = site.client().get("/get-session", headers=[(b"Cookie", cookie)])
        assert answer.status_code == 200, other
        two = [(b"Cookie", other), (b"Cookie", f"{COOKIE}={token}".encode())]
        assert site.client().get("/get-session", headers=two).status_code == 200, other
    quoted = {"Cookie": f'{COOKIE}="{token}"'}
    assert site.client().get("/get-session", headers=quoted).status_code == 200
    for broken in (f"{COOKIE}=", f"{COOKIE}", f"{COOKIE}=%ff%00", f"{COOKIE}=é"):
        answer = site.client().get("/get-session", headers=[(b"Cookie", broken.encode("latin-1"))])
        assert answer.status_code == 401


def test_long_user_agent(site: Site) -> None:
    """userAgent is bounded to 512 characters, and a longer one signs in all the same."""
    browser = site.browser()
    answer = browser.http.post(
        "/sign-up/email",
        json=GOOD["/sign-up/email"] | {"email": "ua@example.com"},
        headers={"User-Agent": "u" * 10_000},
    )
    assert answer.status_code == 200
    assert browser.get("/get-session").json()["session"]["userAgent"] == "u" * 512


def exchange(site: Site, raw: bytes) -> bytes:
    """What the server says to these very bytes."""
    host, port = site.origin.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


@pytest.mark.parametrize(
    "target",
    [
        "/auth//get-session",
        "//auth/get-session",
        "/auth/get-session/",
        "/auth/./get-session",
        "/auth/x/../get-session",
        "/auth/%00",
        "/auth/%ff%fe",
        "/auth",
        "/auth/",
        "/",
        "/authget-session",
        "/auth/get-session%2f",
        "/auth;x/get-session",
    ],
)
def test_unknown_paths(shared: Site, target: str) -> None:
    """404 for an unknown path, a doubled slash too; no other spelling reaches an endpoint."""
    request = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    answer = exchange(shared, request)
    assert answer.startswith(b"HTTP/1.1 404 "), answer
    assert b'"code":"NOT_FOUND"' in answer


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "GET"])
def test_405(shared: Site, method: str) -> None:
    """405 with Allow for a method the path does not answer."""
    answer = shared.client().request(method, "/sign-out")
    check_refused(answer)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert shared.client().put("/ok").headers["allow"] == "GET, HEAD"


def test_head(site: Site) -> None:
    """HEAD is GET without the body."""
    answer = site.client().head("/ok")
    assert (answer.status_code, answer.content) == (200, b"")


def test_aborted_body(site: Site) -> None:
    """A client that hangs up in the middle of its body harms nobody."""
    head = (
        b"POST /auth/sign-in/email HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 1000\r\n\r\n{"
    )
    exchange(site, head)
    assert site.client().get("/ok").json() == {"ok": True}


def test_callers_strings_that_are_no_booleans(site: Site) -> None:
    """ "false" is not a boolean, and surely not a true one."""
    answer = site.browser().sign_up(rememberMe="false")
    assert answer.status_code == 400
    assert "body.rememberMe" in answer.json()["message"]


def test_what_only_looks_like_a_nul(site: Site) -> None:
    """A backslash followed by u0000 is six characters like any; after two of them, too."""
    for number, password in enumerate(
        (r"correct\u0000horse", "correct\\\0horse", "correct\0horse")
    ):
        answer = site.browser().sign_up(f"nul{number}@example.com", password=password)
        assert answer.status_code == (400 if "\0" in password else 200)


def test_a_user_gives_itself_nothing(site: Site) -> None:
    """No field of a request sets verification, role or id."""
    answer = site.browser().sign_up(
        emailVerified=True, role="admin", id="chosen", createdAt="2000-01-01T00:00:00.000Z"
    )
    user = answer.json()["user"]
    assert user["emailVerified"] is False
    assert user["id"] != "chosen"
    assert user["createdAt"] == "2024-01-01T00:00:00.000Z"
