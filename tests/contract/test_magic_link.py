"""Magic links: once, for five minutes, for whoever reads the mail; and told to nobody else."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest

from better_auth import ConfigurationError, User, Verification
from better_auth.events import SignedUp
from better_auth.models import Account, Column
from better_auth.plugins import (
    AdminPlugin,
    MagicLinkPlugin,
    TwoFactorPlugin,
)
from tests.conftest import Site
from tests.mailbox import Letters
from tests.support import PASSWORD, Browser, bearer, make_auth, session_cookie, set_cookies


class Mailing(Letters):
    """A site that sends links, and the letters it sent."""

    def ask(self, email: str = "ada@example.com", **more: Any) -> httpx.Response:
        """Ask for a link, and wait until the mail is out."""
        return self.post("/sign-in/magic-link", email=email, **more)

    def link(self, email: str = "ada@example.com", **more: Any) -> str:
        """A link that was sent."""
        answer = self.ask(email, **more)
        assert answer.json() == {"status": True}, answer.text
        url = self.letters[-1].url
        assert url is not None
        return url

    def token(self, email: str = "ada@example.com", **more: Any) -> str:
        """The token of a link that was sent."""
        return parse_qs(urlsplit(self.link(email, **more)).query)["token"][0]

    def verify(self, token: str, browser: Browser | None = None, **query: str) -> httpx.Response:
        """Follow a link as far as the answer."""
        params = {"token": token, **query}
        return (browser or self.site.browser()).get("/magic-link/verify", params=params)


@pytest.fixture
def make(site_with: Callable[..., Site]) -> Callable[..., Mailing]:
    """Makes a site whose magic links have options."""
    return Mailing.maker(site_with, MagicLinkPlugin)


@pytest.fixture
def mailing(make: Callable[..., Mailing]) -> Mailing:
    """A site that sends magic links."""
    return make()


def test_the_walk(mailing: Mailing) -> None:
    """Ask, follow, be there: a new user is made, verified and called as they said."""
    signed_up: list[SignedUp] = []
    mailing.site.auth.on(SignedUp)(signed_up.append)
    url = mailing.link("Ada@Example.com", name="Ada L", callbackURL="/home")
    letter = mailing.letters[-1]
    assert (letter.kind, letter.to) == ("magic-link", "ada@example.com")
    assert url.startswith(mailing.site.url + "/magic-link/verify?token=")
    browser = mailing.site.browser()
    answer = browser.http.get(url)
    assert (answer.status_code, answer.headers["location"]) == (302, "/home")
    assert answer.headers["cache-control"] == "no-store"
    cookie = session_cookie(answer)
    assert cookie is not None
    user = browser.get("/get-session").json()["user"]
    assert (user["name"], user["email"], user["emailVerified"]) == (
        "Ada L",
        "ada@example.com",
        True,
    )
    assert [event.user.id for event in signed_up] == [user["id"]]


def test_without_a_callback(mailing: Mailing) -> None:
    """JSON ``{token, user, session}`` for who asks by fetch; errors are JSON, too."""
    user = mailing.site.user(email_verified=True)
    answer = mailing.verify(mailing.token())
    body = answer.json()
    assert body.keys() == {"token", "user", "session"}
    assert body["user"]["id"] == user.id
    assert body["session"]["token"] == body["token"]
    refused = mailing.verify("x" * 75)
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_TOKEN")


def test_where_a_browser_is_sent(mailing: Mailing) -> None:
    """``newUserCallbackURL`` for who is new, ``errorCallbackURL`` with the reason, else
    ``callbackURL``."""
    urls = {
        "callbackURL": "/home?a=1",
        "newUserCallbackURL": "/welcome",
        "errorCallbackURL": "/oops",
    }
    first, second = mailing.link(**urls), mailing.link(**urls)
    browser = mailing.site.browser()
    assert browser.http.get(first).headers["location"] == "/welcome"
    assert browser.http.get(second).headers["location"] == "/home?a=1"
    again = browser.http.get(second)
    assert (again.status_code, again.headers["location"]) == (302, "/oops?error=INVALID_TOKEN")
    assert session_cookie(again) is None
    plain = mailing.link(callbackURL="/home?a=1")
    browser.http.get(plain)
    assert browser.http.get(plain).headers["location"] == "/home?a=1&error=INVALID_TOKEN"


@pytest.mark.parametrize("same_site", ["lax", "strict"])
def test_a_link_for_one_browser(make: Callable[..., Mailing], same_site: str) -> None:
    """With ``bind_to_browser`` a link passed on to somebody signs them in as nobody, and is still
    good where it was asked for; a mailbox on another site does not keep the cookie back."""
    mailing = make(bind_to_browser=True, settings={"session": {"cookie_same_site": same_site}})
    asker, stranger = mailing.site.browser(), mailing.site.browser()
    first = mailing.token(browser=asker, callbackURL="/home")
    given = dict(asker.http.cookies)
    second = mailing.token("bob@example.com", browser=asker)
    assert dict(asker.http.cookies) == given, "two tabs may ask at once"
    mailing.ask("eve@example.com", browser=stranger)
    for browser in (stranger, mailing.site.browser()):
        refused = mailing.verify(first, browser)
        assert (refused.status_code, refused.json()["code"]) == (400, "OTHER_BROWSER")
        assert session_cookie(refused) is None
    sent_on = mailing.verify(first, stranger, callbackURL="/home")
    assert sent_on.headers["location"] == "/home?error=OTHER_BROWSER"
    for token in (first, second):
        assert mailing.verify(token, asker).status_code == 200
        assert mailing.verify(token, asker).json()["code"] == "INVALID_TOKEN"
    cookies = set_cookies(mailing.ask(browser=asker))
    assert [(c["name"], c["samesite"]) for c in cookies] == [("better-auth.magic-link", "Lax")]


def test_a_link_for_any_browser(mailing: Mailing) -> None:
    """By default the mail may be read on another device, and no cookie is given."""
    asker = mailing.site.browser()
    assert set_cookies(mailing.ask(browser=asker)) == []
    assert mailing.verify(mailing.token(browser=asker)).status_code == 200


@pytest.mark.parametrize("name", ["callbackURL", "newUserCallbackURL", "errorCallbackURL"])
@pytest.mark.parametrize("url", ["https://evil.example", "//evil.example", "/\\evil", "/%2fevil"])
def test_no_open_redirect(mailing: Mailing, name: str, url: str) -> None:
    """ "missing origin checks on redirects": neither asking nor following leads elsewhere, and the
    link is not used up by trying."""
    assert mailing.ask(**{name: url}).status_code == 403
    assert mailing.letters == []
    token = mailing.token()
    assert mailing.verify(token, **{name: url}).status_code == 403
    assert mailing.verify(token).status_code == 200


def test_five_minutes(mailing: Mailing) -> None:
    """Good until five minutes are over, no longer."""
    first, second = mailing.token(), mailing.token()
    mailing.site.clock.move(minutes=4, seconds=59)
    assert mailing.verify(first).status_code == 200
    mailing.site.clock.move(seconds=1)
    assert mailing.verify(second).status_code == 400


def test_once_under_concurrency(mailing: Mailing) -> None:
    """ "single-use atomic": of many who follow one link, one signs in."""
    token = mailing.token()
    browsers = [mailing.site.browser() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(
            answer.status_code for answer in pool.map(lambda b: mailing.verify(token, b), browsers)
        )
    assert statuses == [200, *[400] * 7]
    assert mailing.site.run(mailing.site.auth.database.count(User)) == 1


def test_two_links_make_one_user(mailing: Mailing) -> None:
    """Two links to one new address, followed at once: one user, two sessions."""
    tokens = [mailing.token() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(mailing.verify, tokens))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.json()["user"]["id"] for answer in answers}) == 1


def test_fetched_ahead_of_time(mailing: Mailing) -> None:
    """A scanner's HEAD and a browser's prefetch leave the link for its reader."""
    token = mailing.token()
    client = mailing.site.client()
    params = {"token": token}
    assert client.head("/magic-link/verify", params=params).status_code == 405
    for headers in ({"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}):
        answer = client.get("/magic-link/verify", params=params, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "PREFETCH_REFUSED")
        assert session_cookie(answer) is None
    assert mailing.verify(token).status_code == 200


def test_a_page_that_asks_first(make: Callable[..., Mailing]) -> None:
    """``confirm_page``: the link leads there, with everything the page needs."""
    mailing = make(confirm_page="https://app.example.com/confirm?lang=en")
    url = mailing.link(callbackURL="/home")
    assert url.startswith("https://app.example.com/confirm?lang=en&token=")
    query = parse_qs(urlsplit(url).query)
    assert query["callbackURL"] == ["/home"]
    assert mailing.verify(query["token"][0]).status_code == 200


def test_a_link_goes_to_no_host_made_up(mailing: Mailing) -> None:
    """ "two hosts -> own links": a Host header that nobody configured gets no link in mail."""
    answer = mailing.site.client().post(
        "/sign-in/magic-link", json={"email": "a@b.example"}, headers={"Host": "evil.example"}
    )
    assert answer.status_code == 403
    mailing.site.run(mailing.site.auth.mail.flush())
    assert mailing.letters == []


def test_a_link_leads_back_to_its_own_look(make: Callable[..., Mailing]) -> None:
    """Where one application serves two looks, a link asked for by one signs in by that one."""
    mailing = make(settings={"javascript_path": "/api/auth"})
    browser = Browser(mailing.site.origin, "/api/auth")
    try:
        for ask, path in ((browser, "/api/auth"), (None, "/auth")):
            url = mailing.ask(browser=ask) and mailing.letters[-1].url
            assert (url or "").startswith(f"{mailing.site.origin}{path}/magic-link/verify?")
        browser.http.get(mailing.letters[0].url or "")
        assert browser.get("/get-session").json()["user"]["email"] == "ada@example.com"
    finally:
        browser.close()


def test_pre_hijack(mailing: Mailing) -> None:
    """ "attacker's password/sessions survive victim's magic-link sign-in" (GHSA-hc7v-rggr-4hvx):
    the first proof of an address ends what was there before."""
    attacker = mailing.site.browser()
    token = attacker.sign_up("victim@example.com").json()["token"]
    answer = mailing.verify(mailing.token("victim@example.com"))
    assert answer.json()["user"]["emailVerified"] is True
    client = mailing.site.client()
    assert client.get("/get-session", headers=bearer(token)).status_code == 401
    assert attacker.sign_in("victim@example.com").status_code == 401
    assert mailing.site.run(mailing.site.auth.database.find(Account)) == []
    own = bearer(answer.json()["token"])
    assert client.get("/get-session", headers=own).status_code == 200


def test_a_proven_address_keeps_everything(mailing: Mailing) -> None:
    """Who has proven their address before loses nothing by another way in."""
    browser = mailing.site.browser()
    token = browser.sign_up().json()["token"]
    user = mailing.site.run(mailing.site.auth.users.find_by_email("ada@example.com"))
    assert user is not None
    mailing.site.run(mailing.site.auth.users.update(user, {"email_verified": True}))
    assert mailing.verify(mailing.token()).status_code == 200
    client = mailing.site.client()
    assert client.get("/get-session", headers=bearer(token)).status_code == 200
    assert mailing.site.browser().sign_in().status_code == 200


def test_no_sign_up(make: Callable[..., Mailing]) -> None:
    """``disable_sign_up``: strangers get the same answer and no mail; a user gone meanwhile is no
    user."""
    mailing = make(disable_sign_up=True)
    user = mailing.site.user(email_verified=True)
    known, unknown = mailing.ask(), mailing.ask("stranger@example.com")
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)
    assert [letter.to for letter in mailing.letters] == ["ada@example.com"]
    mailing.site.run(mailing.site.auth.users.delete(user))
    answer = mailing.verify(mailing.letters[0].token or "", callbackURL="/home")
    assert answer.headers["location"] == "/home?error=new_user_signup_disabled"


def enrolled(mailing: Mailing, *, email_verified: bool = True) -> pyotp.TOTP:
    """Ada, with two-factor on and her address verified."""
    browser = mailing.site.browser()
    browser.sign_up()
    user = mailing.site.run(mailing.site.auth.users.find_by_email("ada@example.com"))
    assert user is not None
    mailing.site.run(mailing.site.auth.users.update(user, {"email_verified": email_verified}))
    uri = browser.post("/two-factor/enable", {"password": PASSWORD}).json()["totpURI"]
    totp = pyotp.TOTP(uri.partition("secret=")[2].partition("&")[0])
    code = totp.at(mailing.site.clock())
    assert browser.post("/two-factor/verify-totp", {"code": code}).status_code == 200
    mailing.site.clock.move(seconds=31)
    return totp


def test_the_second_factor(make: Callable[..., Mailing]) -> None:
    """Whoever has two-factor on is asked for it here as well: by the browser's cookie after a
    redirect, or as JSON."""
    mailing = make(TwoFactorPlugin())
    totp = enrolled(mailing)
    assert mailing.verify(mailing.token()).json()["twoFactorRedirect"] is True
    browser = mailing.site.browser()
    answer = mailing.verify(mailing.token(), browser, callbackURL="/home")
    assert answer.headers["location"] == ("/home?twoFactorRedirect=true&twoFactorMethods=totp")
    assert session_cookie(answer) is None
    assert browser.get("/get-session").status_code == 401
    code = totp.at(mailing.site.clock())
    assert browser.post("/two-factor/verify-totp", {"code": code}).status_code == 200
    assert browser.get("/get-session").status_code == 200


def test_no_factor_of_an_impostor(make: Callable[..., Mailing]) -> None:
    """The first proof of an address ends the second factor of whoever was there before, so that
    its owner is not asked for it."""
    mailing = make(TwoFactorPlugin())
    enrolled(mailing, email_verified=False)
    answer = mailing.verify(mailing.token())
    assert answer.json()["user"]["twoFactorEnabled"] is False
    own = bearer(answer.json()["token"])
    assert mailing.site.client().get("/get-session", headers=own).status_code == 200


def test_skipping_the_second_factor(make: Callable[..., Mailing]) -> None:
    """``skip_second_factor``: as that client's server has it; bans hold all the same."""
    mailing = make(TwoFactorPlugin(), AdminPlugin(), skip_second_factor=True)
    enrolled(mailing)
    assert mailing.verify(mailing.token()).json()["token"].startswith("session_")
    user = mailing.site.run(mailing.site.auth.users.find_by_email("ada@example.com"))
    assert user is not None
    token = mailing.token()
    mailing.site.run(mailing.site.auth.users.update(user, {"banned": True}))
    answer = mailing.verify(token, callbackURL="/home")
    assert answer.headers["location"] == "/home?error=BANNED_USER"
    assert session_cookie(answer) is None


def test_at_rest(mailing: Mailing) -> None:
    """ "stored as fingerprint": the database holds no link, and says of nobody that they asked."""
    token = mailing.token()
    rows = mailing.site.run(mailing.site.auth.database.find(Verification))
    text = json.dumps([str(row.__dict__) for row in rows])
    assert rows
    assert token not in text
    assert token[32:] not in text
    assert "ada@example.com" not in text


def test_an_address_is_not_flooded(mailing: Mailing) -> None:
    """At most five links in 15 minutes to one address, whoever asks; the answer is the same."""
    answers = {mailing.ask().text for _ in range(8)}
    assert answers == {'{"status":true}'}
    assert len(mailing.letters) == 5
    mailing.ask("other@example.com")
    assert len(mailing.letters) == 6
    mailing.site.clock.move(minutes=15)
    mailing.ask()
    assert len(mailing.letters) == 7


def test_limits_by_client(make: Callable[..., Mailing]) -> None:
    """Asking for mail: 3 a minute and client."""
    mailing = make(settings={"rate_limit": {}})
    statuses = [mailing.ask(f"a{n}@example.com").status_code for n in range(4)]
    assert statuses == [200, 200, 200, 429]


def test_from_another_site(mailing: Mailing) -> None:
    """ "cookieless login CSRF on magic-link": an untrusted Origin without a cookie is 403."""
    answer = mailing.site.client().post(
        "/sign-in/magic-link",
        json={"email": "ada@example.com"},
        headers={"Origin": "https://evil.example"},
    )
    assert answer.status_code == 403


def test_what_it_needs() -> None:
    """A way of sending, and users that an address is enough for, or the application is not
    built."""

    class Member(User):
        company: Annotated[str, Column(length=50)]

    with pytest.raises(ConfigurationError, match="MagicLinkPlugin"):
        make_auth(plugins=[MagicLinkPlugin()])
    with pytest.raises(ConfigurationError, match="company"):
        make_auth(plugins=[MagicLinkPlugin(send=print)], user_model=Member)
    make_auth(plugins=[MagicLinkPlugin(send=print, disable_sign_up=True)], user_model=Member)
    with pytest.raises(ConfigurationError, match="expires_in"):
        MagicLinkPlugin(send=print, expires_in=timedelta(0))
