"""How often one client may ask, and who one client is."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from better_auth import ConfigurationError
from better_auth.http.addresses import ClientAddress
from better_auth.http.messages import AuthRequest
from tests.conftest import Site
from tests.servers import RedisServer, not_here, until
from tests.support import PASSWORD, every_plugin, make_auth, make_config

DATABASES = ["sqlite"]
"""No database has a say in this."""

MakeSite = Callable[..., Site]
BODY = {"email": "no@example.com", "password": PASSWORD}
LIMITED = {"rate_limit": {"enabled": True}}


def test_sign_in(site_with: MakeSite) -> None:
    """ "sign-in and sign-up 3 per 10 s", then 429 with Retry-After; each path for itself."""
    site = site_with(**LIMITED)
    post = site.client().post
    statuses = [post("/sign-in/email", json={}).status_code for _ in range(3)]
    assert statuses == [400, 400, 400]
    answer = post("/sign-in/email", json=BODY)
    assert (answer.status_code, answer.json()["code"]) == (429, "TOO_MANY_REQUESTS")
    assert 1 <= int(answer.headers["retry-after"]) <= 10
    assert post("/sign-up/email", json={}).status_code == 400


def test_the_rest(site_with: MakeSite) -> None:
    """ "the rest 100 per 60 s"."""
    get = site_with(**LIMITED).client().get
    statuses = [get("/get-session").status_code for _ in range(101)]
    assert statuses == [401] * 100 + [429]


@pytest.mark.parametrize("wire", ["native", "javascript"])
def test_what_sends_mail(site_with: MakeSite, wire: str) -> None:
    """ "endpoints that send mail": 3 per 60 s, which sign-in's window of 10 s does not renew."""
    paths = [
        "/change-email",
        "/email-otp/request-email-change",
        "/email-otp/request-password-reset",
        "/email-otp/send-verification-otp",
        "/forget-password/email-otp",
        "/request-password-reset",
        "/send-verification-email",
        "/sign-in/magic-link",
        "/two-factor/send-otp",
    ]
    limits = {"enabled": True, "sign_in_limit": 50}
    site = site_with(wire=wire, plugins=every_plugin(), rate_limit=limits)
    post = site.client().post
    for path in paths:
        *allowed, refused = (post(path, json={}) for _ in range(4))
        assert all(answer.status_code in (400, 401) for answer in allowed), path
        assert refused.status_code == 429, path
        assert 10 < int(refused.headers["retry-after"]) <= 60


def test_forwarded_addresses_do_not_escape(site_with: MakeSite) -> None:
    """Without trusted proxies a forwarded address is nobody's word."""
    post = site_with(**LIMITED).client().post
    statuses = [
        post("/sign-in/email", json={}, headers={"X-Forwarded-For": f"10.0.0.{n}"}).status_code
        for n in range(5)
    ]
    assert statuses == [400, 400, 400, 429, 429]


def test_clients_behind_a_proxy(site_with: MakeSite) -> None:
    """Each IPv4 address counts for itself, IPv6 addresses by /64."""
    site = site_with(trusted_proxies=["127.0.0.1"], **LIMITED)

    def ask(address: str) -> int:
        headers = {"X-Forwarded-For": address}
        return site.client().post("/sign-in/email", json={}, headers=headers).status_code

    assert [ask("203.0.113.1") for _ in range(4)] == [400, 400, 400, 429]
    assert ask("203.0.113.2") == 400
    assert [ask(f"2001:db8:0:1::{n}") for n in range(4)] == [400, 400, 400, 429]
    assert ask("2001:db8:0:2::1") == 400
    assert ask("::ffff:203.0.113.1") == 429


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "expected"),
    [
        ([], ("198.51.100.1", 5000), None, "198.51.100.1"),
        ([], ("198.51.100.1", 5000), "203.0.113.9", "198.51.100.1"),
        ([], None, "203.0.113.9", None),
        ([], ("203.0.113.9", 0), "203.0.113.9", None),
        (["10.0.0.0/8"], ("198.51.100.1", 5000), "203.0.113.9", "198.51.100.1"),
        (["10.0.0.0/8"], ("10.0.0.1", 5000), "203.0.113.9", "203.0.113.9"),
        (["10.0.0.0/8"], ("10.0.0.1", 5000), "1.2.3.4, 203.0.113.9", "203.0.113.9"),
        (["10.0.0.0/8"], ("10.0.0.1", 5000), "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (["10.0.0.0/8"], ("10.0.0.1", 5000), "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        (["10.0.0.0/8"], ("10.0.0.1", 5000), "203.0.113.9, rubbish", "10.0.0.1"),
        (["10.0.0.0/8"], ("10.0.0.1", 5000), None, "10.0.0.1"),
        (["10.0.0.0/8"], ("203.0.113.9", 0), "1.2.3.4, 203.0.113.9", "203.0.113.9"),
        (["10.0.0.0/8"], ("10.0.0.1", 5000), "203.0.113.9:4711", "203.0.113.9"),
        (["10.0.0.0/8"], ("10.0.0.1", 5000), "203.0.113.9:1, 10.0.0.2:2", "203.0.113.9"),
        (["10.0.0.0/8"], ("10.0.0.1", 5000), "[2001:db8::1]:4711", "2001:db8::1"),
        (["10.0.0.0/8"], ("10.0.0.1", 5000), "[2001:db8::1]", "2001:db8::1"),
        (["10.0.0.0/8"], ("10.0.0.1", 5000), "203.0.113.9:http", "10.0.0.1"),
        (["2001:db8::/32"], ("2001:DB8::1", 5000), "2001:0DB9:0::1", "2001:db9::1"),
        (["10.0.0.0/8"], ("::ffff:10.0.0.1", 5000), "203.0.113.9", "203.0.113.9"),
    ],
)
def test_address(
    proxies: list[str], peer: tuple[str, int] | None, forwarded: str | None, expected: str | None
) -> None:
    """ "forwarded headers only from configured trusted proxies (right to left)"."""
    config = make_config(trusted_proxies=proxies)
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    request = AuthRequest(headers=headers, peer=peer)
    assert ClientAddress(config.proxy_networks()).of(request) == expected


def test_address_in_the_session(site_with: MakeSite) -> None:
    """ "Client IP and User-Agent are stored for audit purposes"."""
    site = site_with(trusted_proxies=["127.0.0.0/8"])
    browser = site.browser()
    browser.http.headers["X-Forwarded-For"] = "6.6.6.6, 203.0.113.7"
    browser.sign_up()
    assert browser.get("/get-session").json()["session"]["ipAddress"] == "203.0.113.7"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """What several processes count in."""
    if shutil.which("redis-server") is None:
        not_here("redis-server")
    server = RedisServer(tmp_path)
    yield server
    server.stop()


def test_processes_that_share_a_storage(site_with: MakeSite, redis: RedisServer) -> None:
    """ "a URI of the limits library; memory counts in each process": with Redis, by the client
    that sessions in Redis need too, all processes count together."""
    shared = {"rate_limit": {"enabled": True, "storage": redis.url}}
    post = [site_with(**shared).client().post for _ in range(2)]
    statuses = [post[n % 2]("/sign-in/email", json={}).status_code for n in range(4)]
    assert statuses == [400, 400, 400, 429]


def test_a_shared_storage_that_does_not_answer(site_with: MakeSite, redis: RedisServer) -> None:
    """ "while it does not answer each process counts for itself": requests are neither refused nor
    kept waiting, and guessing is no faster; afterwards all count together again."""
    limits = {"enabled": True, "storage": redis.url, "sign_in_window": 600}
    site, other = (site_with(rate_limit=limits) for _ in range(2))
    post = site.client().post
    assert post("/sign-in/email", json={}).status_code == 400
    with redis.frozen():
        began = time.monotonic()
        statuses = [post("/sign-in/email", json={}).status_code for _ in range(5)]
        assert time.monotonic() - began < 3
    assert statuses == [400, 400, 400, 429, 429]
    redis.stop()
    assert site.client().get("/get-session").status_code == 401
    redis.start()
    for _ in until(20, 0.5):
        if other.client().post("/sign-up/email", json={}).status_code == 429:
            break
        site.client().post("/sign-up/email", json={})
    else:
        pytest.fail("they do not count together again")


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster", "redis+sentinel"])
def test_a_shared_storage_that_is_not_there(site_with: MakeSite, scheme: str) -> None:
    """ "each process counts for itself", whatever kind of Redis there should have been."""
    limits = {"enabled": True, "storage": f"{scheme}://127.0.0.1:1/main"}
    post = site_with(rate_limit=limits).client().post
    statuses = [post("/sign-in/email", json={}).status_code for _ in range(4)]
    assert statuses == [400, 400, 400, 429]


def test_a_shared_storage_without_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is said, and how to have it."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigurationError, match=r"rate_limit\.storage needs .*\[redis\]"):
        make_auth(rate_limit={"storage": "redis://127.0.0.1"})
    with pytest.raises(ConfigurationError, match="its client"):
        make_auth(rate_limit={"storage": "valkey://127.0.0.1"})


SECRETS = {"password", "current_password", "code", "otp", "token", "id_token"}
"""What bodies call that which opens something."""

OPEN_TO_ALL = {
    "/is-username-available",  # asks for nothing, tells nothing secret
    "/multi-session/set-active",  # what it takes are the browser's own cookies
    "/callback/{provider}",  # does nothing
    "/revoke-session",  # the caller's own session's token, which opens nothing it ends
}


def test_whatever_takes_a_secret_has_the_tighter_limit() -> None:
    """Sign-in, sign-up and whatever else may be guessed at: of all plugins' endpoints, none that
    anybody may ask, or that takes a secret, has the general limit alone; so a new one must say."""
    auth = make_auth(plugins=every_plugin())
    loose = set()
    for endpoint in (e for plugin in auth.plugins for e in plugin.endpoints()):
        route, body = endpoint.route, endpoint.body
        takes_secret = body is not None and SECRETS & body.model_fields.keys()
        is_open = route.method == "POST" and (route.access == "public" or takes_secret)
        if is_open and not route.path.startswith("/admin/") and not route.takes_credentials:
            loose.add(route.path)
    assert loose == OPEN_TO_ALL | {"/link-social"}, "an ID token that is signed guesses nothing"


def test_whatever_writes_to_an_address_of_ones_choice_has_the_limit_of_mail() -> None:
    """An endpoint whose body names an address and that sends something to it says so."""
    auth = make_auth(plugins=every_plugin())
    sending = {e.route.path for p in auth.plugins for e in p.endpoints() if e.route.sends_mail}
    assert sending == {
        "/two-factor/send-otp",
        "/request-password-reset",
        "/send-verification-email",
        "/change-email",
        "/sign-in/magic-link",
        "/email-otp/send-verification-otp",
        "/email-otp/request-password-reset",
        "/forget-password/email-otp",
        "/email-otp/request-email-change",
    }
