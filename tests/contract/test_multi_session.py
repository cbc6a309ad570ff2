"""Several accounts in one browser: each proven by a cookie of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from better_auth import ConfigurationError, Session
from better_auth.plugins import (
    AdminPlugin,
    EmailPasswordPlugin,
    MultiSessionPlugin,
    SessionManagementPlugin,
)
from tests.conftest import Site
from tests.support import COOKIE, Browser, bearer, set_cookies

MakeSite = Callable[..., Site]
LIST = "/multi-session/list-device-sessions"
PREFIX = "better-auth.multi_session."


def plugins(**options: Any) -> list[Any]:
    """Passwords, sessions and several of them with ``options``."""
    return [EmailPasswordPlugin(), SessionManagementPlugin(), MultiSessionPlugin(**options)]


@pytest.fixture
def site(site_with: MakeSite) -> Site:
    """A site whose browsers keep several accounts."""
    return site_with(plugins=plugins())


def join(site: Site, browser: Browser, *emails: str) -> list[str]:
    """Sign up with each address in one browser; the tokens."""
    tokens = []
    for email in emails:
        tokens.append(browser.sign_up(email).json()["token"])
        site.clock.move(seconds=1)
    return tokens


def emails(browser: Browser) -> list[str]:
    """Whose accounts the browser lists."""
    return [entry["user"]["email"] for entry in browser.get(LIST).json()]


def who(browser: Browser) -> str | None:
    """Whose session is the active one."""
    answer = browser.get("/get-session")
    return answer.json()["user"]["email"] if answer.status_code == 200 else None


def is_live(site: Site, token: str) -> bool:
    """Whether ``token`` still opens a session."""
    return site.client().get("/get-session", headers=bearer(token)).status_code == 200


def test_the_walk(site: Site) -> None:
    """Sign in as two, list both, switch, end one: the other takes its place."""
    browser = site.browser()
    assert browser.get(LIST).json() == []
    first, second = join(site, browser, "a@example.com", "b@example.com")
    listed = browser.get(LIST).json()
    assert [entry.keys() for entry in listed] == [{"session", "user"}] * 2
    assert [entry["session"]["token"] for entry in listed] == [first, second]
    assert who(browser) == "b@example.com"
    answer = browser.post("/multi-session/set-active", {"sessionToken": first})
    assert answer.json()["user"]["email"] == "a@example.com"
    assert answer.json()["session"]["token"] == first
    assert who(browser) == "a@example.com"
    ended = browser.post("/multi-session/revoke", {"sessionToken": first})
    assert ended.json() == {"status": True}
    assert who(browser) == "b@example.com"
    assert emails(browser) == ["b@example.com"]
    assert not is_live(site, first)
    browser.post("/multi-session/revoke", {"sessionToken": second})
    assert who(browser) is None
    assert browser.get(LIST).json() == []


def test_with_nothing_but_the_accounts_cookies(site: Site) -> None:
    """ "set-active with only multi cookies": listing and switching need no active session."""
    browser = site.browser()
    (first,) = join(site, browser, "a@example.com")
    del browser.http.cookies[COOKIE]
    assert who(browser) is None
    assert emails(browser) == ["a@example.com"]
    assert browser.post("/multi-session/set-active", {"sessionToken": first}).status_code == 200
    assert who(browser) == "a@example.com"


def test_an_inactive_one_ends_alone(site: Site) -> None:
    """Revoking another account leaves the active one active."""
    browser = site.browser()
    first, second = join(site, browser, "a@example.com", "b@example.com")
    browser.post("/multi-session/revoke", {"sessionToken": first})
    assert who(browser) == "b@example.com"
    assert (is_live(site, first), is_live(site, second)) == (False, True)


def test_the_same_account_again(site: Site) -> None:
    """ "same user signs in again: old cookie Max-Age 0, old session deleted"."""
    browser = site.browser()
    first, other = join(site, browser, "a@example.com", "b@example.com")
    answer = browser.sign_in("a@example.com")
    gone = [c for c in set_cookies(answer) if c["name"].startswith(PREFIX) and not c["value"]]
    assert [cookie["max-age"] for cookie in gone] == ["0"]
    assert (is_live(site, first), is_live(site, other)) == (False, True)
    assert sorted(emails(browser)) == ["a@example.com", "b@example.com"]
    assert who(browser) == "a@example.com"


def test_signing_out_ends_all(site: Site) -> None:
    """ "sign-out ends them all" and takes every cookie back, even where the active one was
    over already."""
    browser = site.browser()
    tokens = join(site, browser, "a@example.com", "b@example.com", "c@example.com")
    site.run(site.auth.sessions.revoke_token(_user_id(site, tokens[2]), tokens[2]))
    answer = browser.post("/sign-out")
    assert answer.status_code == 401
    assert not any(is_live(site, token) for token in tokens)
    assert {c["max-age"] for c in set_cookies(answer)} == {"0"}
    assert not [name for name in browser.http.cookies if name.startswith(PREFIX)]
    tokens = [browser.sign_in(f"{letter}@example.com").json()["token"] for letter in "abc"]
    assert browser.post("/sign-out").json() == {"success": True}
    assert not any(is_live(site, token) for token in tokens)
    assert browser.get(LIST).json() == []


def _user_id(site: Site, token: str) -> str:
    found = site.run(site.auth.sessions.resolve(token))
    assert found is not None
    return found.user.id


def test_forged_cookies_end_nothing(site: Site) -> None:
    """ "send forged `_multi-` cookie to /sign-out; victim stays signed in": knowing the session's
    id, its handle or its fingerprint proves nothing."""
    victim = site.session(site.user("victim@example.com"))
    handle = site.auth.sessions.tokens.handle(victim.id)
    name = PREFIX + victim.id.replace("-", "")
    for forged in (victim.id, handle, victim.token_key, "", "x", "session_" + "A" * 43, "é"):
        cookies = f"{name}={forged}"
        headers = {"Cookie": cookies.encode(), "Origin": site.origin.encode()}
        client = site.client()
        client.post("/sign-out", headers=headers)
        assert client.get(LIST, headers=headers).json() == []
        for path in ("set-active", "revoke"):
            for text in (victim.id, handle, victim.token):
                body = {"sessionToken": text}
                answer = client.post(f"/multi-session/{path}", json=body, headers=headers)
                assert answer.status_code == 401
                assert "Max-Age=604800" not in answer.headers.get("set-cookie", "")
    assert is_live(site, victim.token)


def test_what_the_body_claims_moves_nothing(site: Site) -> None:
    """ "pair cookie of A with token of B -> A is affected only": here nothing is, as the browser
    that names B's session does not hold it."""
    browser, other = site.browser(), site.browser()
    (own,) = join(site, browser, "a@example.com")
    (theirs,) = join(site, other, "b@example.com")
    for path in ("set-active", "revoke"):
        answer = browser.post(f"/multi-session/{path}", {"sessionToken": theirs})
        assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_SESSION_TOKEN")
    assert (is_live(site, own), is_live(site, theirs)) == (True, True)
    assert who(browser) == "a@example.com"


def test_a_token_under_another_name_proves_nothing(site: Site) -> None:
    """The name is part of it: one session's token in another session's cookie is not taken."""
    ada, eve = site.session(site.user("a@example.com")), site.session(site.user("b@example.com"))
    name = PREFIX + ada.id.replace("-", "")
    headers = {"Cookie": f"{name}={eve.token}"}
    answer = site.client().get(LIST, headers=headers)
    assert answer.json() == []
    assert [(c["name"], c["max-age"]) for c in set_cookies(answer)] == [(name, "0")]


def test_what_is_over_is_not_listed(site: Site) -> None:
    """ "active only": a revoked or expired session is gone from the list, and so is its cookie;
    switching to it is 401."""
    browser = site.browser()
    first, second = join(site, browser, "a@example.com", "b@example.com")
    site.run(site.auth.sessions.revoke_token(_user_id(site, first), first))
    answer = browser.post("/multi-session/set-active", {"sessionToken": first})
    assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_SESSION_TOKEN")
    assert emails(browser) == ["b@example.com"]
    assert len([name for name in browser.http.cookies if name.startswith(PREFIX)]) == 1
    site.clock.move(days=8)
    assert browser.get(LIST).json() == []
    assert is_live(site, second) is False


def test_five_at_most(site_with: MakeSite) -> None:
    """``maximum_sessions``: for one more, the one signed in to longest ago is signed out."""
    site = site_with(plugins=plugins(maximum_sessions=2))
    browser = site.browser()
    tokens = join(site, browser, "a@example.com", "b@example.com", "c@example.com")
    assert emails(browser) == ["b@example.com", "c@example.com"]
    assert [is_live(site, token) for token in tokens] == [False, True, True]
    assert MultiSessionPlugin().maximum_sessions == 5
    with pytest.raises(ConfigurationError, match="maximum_sessions"):
        MultiSessionPlugin(maximum_sessions=0)


def test_many_cookies_cost_little(site: Site) -> None:
    """However many cookies come, no more are looked at than a browser could have."""
    asked = []
    resolve = site.auth.sessions.resolve

    async def counted(token: str, **more: Any) -> Any:
        asked.append(token)
        return await resolve(token, **more)

    site.auth.sessions.resolve = counted  # type: ignore[method-assign]
    cookies = "; ".join(f"{PREFIX}{number:032x}=session_{number}" for number in range(100))
    assert site.client().get(LIST, headers={"Cookie": cookies}).json() == []
    assert len(asked) == 10


def test_a_new_token_is_kept_too(site: Site) -> None:
    """A session that gets a new token stays one of the browser's; the old cookie is replaced."""
    browser = site.browser()
    (token,) = join(site, browser, "a@example.com")
    session = site.run(site.auth.sessions.resolve(token)).session  # type: ignore[union-attr]
    call = site.auth.call(token=token)
    site.run(_renew(call))
    names = [cookie.name for cookie in call.cookies]
    assert sorted(names) == sorted([COOKIE, PREFIX + session.id.replace("-", "")])
    assert len({cookie.value for cookie in call.cookies}) == 1
    assert call.cookies[0].value != token


async def _renew(call: Any) -> None:
    await call.renew_session(await call.require())


def test_not_remembered(site: Site) -> None:
    """``rememberMe: false``: this account's cookie ends with the browser, too."""
    browser = site.browser()
    answer = browser.sign_up(rememberMe=False)
    cookies = [c for c in set_cookies(answer) if c["name"].startswith(PREFIX)]
    assert len(cookies) == 1
    assert "max-age" not in cookies[0]
    assert "httponly" in cookies[0]
    remembered = set_cookies(site.browser().sign_up("b@example.com"))
    assert all("max-age" in cookie for cookie in remembered)


@pytest.mark.parametrize("wire", ["native", "javascript"])
def test_plugins_cookies_are_no_scripts(site_with: MakeSite, wire: str) -> None:
    """``cookie_http_only=False`` is about the session's cookie alone: those of other accounts, of
    trusted devices and of the way back from an impersonation stay out of scripts' reach."""
    site = site_with(plugins=plugins(), wire=wire, session={"cookie_http_only": False})
    kept = {c["name"]: "httponly" in c for c in set_cookies(site.browser().sign_up())}
    assert sorted(kept.values()) == [False, True]
    assert all(kept[name] for name in kept if PREFIX in name)


def test_an_impersonation_is_not_kept(site_with: MakeSite) -> None:
    """An admin who impersonates somebody keeps their own account, and theirs alone."""
    site = site_with(plugins=[*plugins(), AdminPlugin()])
    browser = site.browser()
    join(site, browser, "admin@example.com")
    admin = site.run(site.auth.users.find_by_email("admin@example.com"))
    assert admin is not None
    site.run(site.auth.users.update(admin, {"role": "admin"}))
    user = site.user("user@example.com")
    theirs = site.session(user)
    answer = browser.post("/admin/impersonate-user", {"userId": user.id})
    assert answer.status_code == 200, answer.text
    assert emails(browser) == ["admin@example.com"]
    browser.post("/admin/stop-impersonating")
    assert who(browser) == "admin@example.com"
    assert is_live(site, theirs.token)


def test_handles(site_with: MakeSite) -> None:
    """``list_tokens="handles"``: the list shows handles for the others, which switch and end."""
    site = site_with(plugins=plugins(), session={"list_tokens": "handles"})
    browser = site.browser()
    first, second = join(site, browser, "a@example.com", "b@example.com")
    shown = [entry["session"]["token"] for entry in browser.get(LIST).json()]
    assert shown[1] == second
    assert not is_live(site, shown[0])
    browser.post("/multi-session/set-active", {"sessionToken": shown[0]})
    assert browser.get("/get-session").json()["session"]["token"] == first
    stranger = site.browser().post("/multi-session/set-active", {"sessionToken": shown[0]})
    assert stranger.status_code == 401


def test_from_another_site(site: Site) -> None:
    """A page elsewhere neither switches nor ends accounts."""
    browser = site.browser()
    (token,) = join(site, browser, "a@example.com")
    for path in ("set-active", "revoke"):
        answer = browser.post(
            f"/multi-session/{path}",
            {"sessionToken": token},
            headers={"Origin": "https://evil.example"},
        )
        assert answer.status_code == 403
    assert is_live(site, token)


def test_two_at_once(site: Site) -> None:
    """Two sign-ins in one browser at once: each is kept, as each has its own cookie."""
    for letter in "ab":
        site.browser().sign_up(f"{letter}@example.com")
    browser = site.browser()
    with ThreadPoolExecutor(2) as pool:
        answers = list(
            pool.map(lambda letter: browser.sign_in(f"{letter}@example.com"), ["a", "b"])
        )
    assert [answer.status_code for answer in answers] == [200, 200]
    assert sorted(emails(browser)) == ["a@example.com", "b@example.com"]
    assert site.run(site.auth.database.count(Session)) == 4
