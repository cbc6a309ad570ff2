"""The session page, sentence by sentence; each test quotes what it proves."""

from tests.conftest import Site
from tests.support import bearer


def test_get_session_by_bearer(site: Site) -> None:
    """ "Session tokens can be sent via Bearer header or cookie"."""
    token = site.browser().sign_up().json()["token"]
    answer = site.client().get("/get-session", headers=bearer(token))
    assert answer.status_code == 200
    assert answer.json()["session"]["token"] == token
