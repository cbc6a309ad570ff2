"""An endpoint may answer by sending the browser elsewhere."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from better_auth.http import Redirect
from better_auth.http.call import Call
from better_auth.http.endpoints import get, post
from better_auth.models import Fields
from better_auth.plugins import Plugin
from tests.conftest import Site
from tests.support import set_cookies

DATABASES = ["sqlite"]


class Done(Fields):
    """Stayed."""

    done: bool = True


class Elsewhere(Plugin):
    """Sends the browser away in every way."""

    @get("/away")
    @post("/away")
    async def away(self, call: Call) -> Redirect:
        """Go."""
        call.set_plugin_cookie("mark", "x", timedelta(minutes=1))
        return Redirect.to("/welcome?a=1#top", error="state mismatch", nothing=None)

    @get("/perhaps")
    async def perhaps(self, call: Call) -> Done | Redirect:
        """Go or stay."""
        return Done()


@pytest.fixture
def site(site_with: Callable[..., Site]) -> Site:
    """A site that redirects."""
    return site_with(plugins=[Elsewhere()])


def test_redirect(site: Site) -> None:
    """ "302 (303 after a POST) with ``Location``, no body", cookies kept, kept by nobody."""
    for method, status in (("GET", 302), ("POST", 303)):
        answer = site.client().request(method, "/away")
        assert (answer.status_code, answer.content) == (status, b"")
        assert answer.headers["location"] == "/welcome?a=1&error=state+mismatch#top"
        assert answer.headers["cache-control"] == "no-store"
        assert [cookie["value"] for cookie in set_cookies(answer)] == ["x"]
    assert site.client().get("/perhaps").json() == {"done": True}


def test_openapi(site: Site) -> None:
    """The document shows the redirection, and a body only where there may be one."""
    paths = site.auth.openapi()["paths"]
    assert "200" not in paths["/away"]["get"]["responses"]
    assert paths["/away"]["get"]["responses"]["302"]["headers"]["Location"]["required"]
    assert "303" in paths["/away"]["post"]["responses"]
    assert {"200", "302"} <= paths["/perhaps"]["get"]["responses"].keys()


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("/a\r\nSet-Cookie: x=y", b"/a%0D%0ASet-Cookie:%20x=y"),
        ("https://exämple.com/ü?q=é", b"https://ex%C3%A4mple.com/%C3%BC?q=%C3%A9"),
        ("/a%20b?c=%2F", b"/a%20b?c=%2F"),
    ],
)
def test_location_is_one_line_of_ascii(url: str, location: bytes) -> None:
    """ "ASCII, and one line whatever the URL holds"."""
    assert Redirect(url).location == location
