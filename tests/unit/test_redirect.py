"""Redirects: where an endpoint sends a browser."""

import pytest

from better_auth.http import Redirect


@pytest.mark.parametrize(
    ("url", "query", "location"),
    [
        ("/page", {}, "/page"),
        ("/page?a=1#top", {"token": "t"}, "/page?a=1&token=t#top"),
        ("/page?error=old&empty=", {"error": "NEW"}, "/page?empty=&error=NEW"),
        (
            "https://app.example/p",
            {"to": "/x?y=1&z=2"},
            "https://app.example/p?to=%2Fx%3Fy%3D1%26z%3D2",
        ),
        ("https://app.example/é", {}, "https://app.example/%C3%A9"),
        ("/a%20b?c=%26", {}, "/a%20b?c=%26"),
    ],
)
def test_to(url: str, query: dict[str, str], location: str) -> None:
    """To ``url`` with ``query`` added to what it asks already, in place of the same names."""
    assert Redirect.to(url, **query).location == location


def test_it_splits_no_header() -> None:
    """Nothing that a URL holds ends the header it stands in, and a token shows in no ``repr``."""
    redirect = Redirect.to("/x\r\nSet-Cookie: a=b", token="secret\r\n")
    assert "\r" not in redirect.location
    assert "\n" not in redirect.location
    assert "secret" not in repr(redirect)
    headers = dict(redirect.response().headers)
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"referrer-policy"] == b"no-referrer"
