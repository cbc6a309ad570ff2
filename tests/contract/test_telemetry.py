"""OpenTelemetry: what is told of requests, sessions and sign-ins, and what never is."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from better_auth.events import UserCreated
from better_auth.http.call import Call
from better_auth.plugins import (
    EmailPasswordPlugin,
    Plugin,
    SessionManagementPlugin,
    TelemetryPlugin,
    get,
)
from better_auth.plugins.core import Okay
from tests.conftest import Site
from tests.contract.test_cache import cache_of, until
from tests.support import PASSWORD, bearer

MakeSite = Callable[..., Site]


class Broken(Plugin):
    """An endpoint that fails, with a secret in its cause."""

    @get("/broken")
    async def broken(self, call: Call) -> Okay:
        """Fail."""
        raise RuntimeError(PASSWORD)


class Watched:
    """A site that is watched, and what its watchers were told."""

    def __init__(self, site_with: MakeSite, **settings: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        plugin = TelemetryPlugin(
            tracer_provider=tracers, meter_provider=MeterProvider([self.reader])
        )
        plugins = [EmailPasswordPlugin(), SessionManagementPlugin(), Broken(), plugin]
        self.site = site_with(plugins=plugins, **settings)

    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended since this was last asked."""
        ended = list(self.exporter.get_finished_spans())
        self.exporter.clear()
        return ended

    def points(self) -> dict[str, list[Any]]:
        """Every data point there is, by metric."""
        data = self.reader.get_metrics_data()
        return {
            metric.name.removeprefix("better_auth."): list(metric.data.data_points)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def counts(self) -> dict[str, Any]:
        """The counters: a number, or numbers by their one attribute."""
        found: dict[str, Any] = {}
        for name, points in self.points().items():
            if name not in ("request.duration", "database.pool.wait"):
                by = {tuple(point.attributes.values()): point.value for point in points}
                found[name] = by.get((), {key[0]: n for key, n in by.items() if key})
        return found


def told(spans: list[ReadableSpan]) -> list[tuple[Any, ...]]:
    """Spans by name, status and error code."""
    return [
        (
            span.name.removeprefix("better_auth "),
            attributes["http.response.status_code"],
            attributes.get("error.type"),
        )
        for span in spans
        if (attributes := span.attributes or {})
    ]


@pytest.fixture
def watched(site_with: MakeSite) -> Watched:
    """A watched site."""
    return Watched(site_with)


@pytest.mark.parametrize("base", ["/auth", "/api/auth"])
def test_the_route_has_the_path_it_was_asked_at(site_with: MakeSite, base: str) -> None:
    """ "`http.route` (with the base path)": of the wire that was asked."""
    watched = Watched(site_with, javascript_path="/api/auth")
    client = watched.site.client()
    client.get(watched.site.origin + base + "/ok")
    (span,) = watched.spans()
    assert (span.attributes or {})["http.route"] == f"{base}/ok"


def test_a_span_for_each_call(watched: Watched) -> None:
    """ "named `better_auth POST /sign-in/email` style with http status code and error code"."""
    browser = watched.site.browser()
    browser.sign_up()
    browser.sign_in(password="wrong")
    browser.http.head("/get-session")
    browser.post("/revoke-session", {})
    browser.get("/broken")
    browser.get("/nowhere")
    spans = watched.spans()
    first = spans[0]
    assert first.name == "better_auth POST /sign-up/email"
    assert first.instrumentation_scope is not None
    assert first.instrumentation_scope.name == "better_auth"
    assert dict(first.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/auth/sign-up/email",
        "http.response.status_code": 200,
    }
    assert told(spans) == [
        ("POST /sign-up/email", 200, None),
        ("POST /sign-in/email", 401, "INVALID_EMAIL_OR_PASSWORD"),
        ("GET /get-session", 200, None),
        ("POST /revoke-session", 400, "VALIDATION_ERROR"),
        ("GET /broken", 500, "INTERNAL_SERVER_ERROR"),
    ]
    assert (spans[2].attributes or {})["http.request.method"] == "HEAD"
    assert [span.status.status_code is trace.StatusCode.ERROR for span in spans] == [
        *[False] * 4,
        True,
    ]


def test_what_guards_refuse_is_told_too(site_with: MakeSite) -> None:
    """A request that never reached its endpoint is one all the same."""
    watched = Watched(site_with, rate_limit={"enabled": True}, max_body_size=1024)
    post = watched.site.client().post
    post("/sign-out", headers={"Cookie": "a=b", "Origin": "https://evil.example"})
    post("/sign-in/email", content=b"x" * 2000)
    for _ in range(3):
        post("/sign-in/email", json={})
    assert told(watched.spans()) == [
        ("POST /sign-out", 403, "INVALID_ORIGIN"),
        ("POST /sign-in/email", 413, "PAYLOAD_TOO_LARGE"),
        *[("POST /sign-in/email", 400, "VALIDATION_ERROR")] * 2,
        ("POST /sign-in/email", 429, "TOO_MANY_REQUESTS"),
    ]


def test_what_happens_in_a_call_belongs_to_its_span(watched: Watched) -> None:
    """The span is the current one while the endpoint runs, and no longer."""
    seen: list[Any] = []
    watched.site.auth.on(UserCreated)(lambda _: seen.append(trace.get_current_span()))
    watched.site.browser().sign_up()
    assert [span.context for span in watched.spans()] == [seen[0].get_span_context()]

    async def outside() -> bool:
        return trace.get_current_span().get_span_context().is_valid

    assert not watched.site.run(outside())


def test_sessions_are_counted(watched: Watched) -> None:
    """Checks by result, refreshes, sessions begun and ended; by whatever door they came."""
    site, client = watched.site, watched.site.client()
    user = site.user()
    sessions = [site.session(user) for _ in range(3)]
    for token in (sessions[0].token, sessions[0].token, "session_wrong"):
        client.get("/get-session", headers=bearer(token))
    client.get("/get-session")
    site.run(site.auth.sessions.resolve(sessions[1].token))
    assert watched.counts() == {
        "session.created": 3,
        "session.checks": {"valid": 3, "invalid": 1},
    }
    site.clock.move(days=2)
    client.get("/get-session", headers=bearer(sessions[0].token))
    site.run(site.auth.sessions.rotate(sessions[1]))
    client.post("/revoke-sessions", headers=bearer(sessions[0].token))
    assert watched.counts() == {
        "session.created": 3,
        "session.checks": {"valid": 5, "invalid": 1},
        "session.refreshes": 1,
        "session.revocations": 3,
    }


def test_waits_for_connections(watched: Watched) -> None:
    """ "pool waits": of reading and of writing, each that happened."""
    browser = watched.site.browser()
    browser.sign_up()
    browser.get("/list-sessions")
    points = watched.points()["database.pool.wait"]
    waits = {point.attributes["pool"]: point for point in points}
    assert set(waits) == {"reading", "writing"}
    assert all(point.count >= 1 and 0 <= point.sum < 5 for point in waits.values())


def test_sessions_in_memory(site_with: MakeSite, database_kind: str) -> None:
    """ "hits, misses, staleness": what memory did, and how true it is; nothing where there is
    none."""
    settings = {"session": {"cache": {"enabled": database_kind == "postgresql"}}}
    watched = Watched(site_with, **settings)
    site = watched.site
    token = site.session(site.user()).token
    client = site.client()
    if database_kind != "postgresql":
        client.get("/get-session", headers=bearer(token))
        assert not [name for name in watched.counts() if name.startswith("cache.")]
        return
    until(lambda: cache_of(site.auth).is_current)
    for _ in range(3):
        assert client.get("/get-session", headers=bearer(token)).status_code == 200
    counts = watched.counts()
    assert counts["cache.lookups"]["hit"] >= 1
    assert counts["cache.lookups"]["miss"] >= 1
    assert 0 <= counts["cache.staleness"] <= 1
    assert counts["cache.entries"] == 1
    assert counts["cache.size"] > 1000
    client.post("/sign-out", headers=bearer(token))
    after = watched.counts()
    assert after["cache.invalidations"] > counts["cache.invalidations"]
    assert after["cache.entries"] == 0
    cache_of(site.auth).stand_aside()
    assert "cache.staleness" not in watched.counts()


def test_failed_sign_ins_are_counted(watched: Watched) -> None:
    """ "`better_auth.sign_in.failures` (attribute method)"."""
    watched.site.browser().sign_in("nobody@example.com")
    watched.site.browser().sign_in("nobody@example.com")
    points = watched.points()["sign_in.failures"]
    assert [(dict(point.attributes), point.value) for point in points] == [({"method": "email"}, 2)]


def test_durations(watched: Watched) -> None:
    """ "histogram `better_auth.request.duration` in seconds", by route and status."""
    for _ in range(3):
        watched.site.client().get("/get-session")
    (point,) = watched.points()["request.duration"]
    assert dict(point.attributes) == {
        "http.request.method": "GET",
        "http.route": "/auth/get-session",
        "http.response.status_code": 401,
        "error.type": "UNAUTHORIZED",
    }
    assert point.count == 3
    assert 0 < point.sum < 3
    assert point.explicit_bounds[0] < 0.001


def test_nothing_secret(watched: Watched) -> None:
    """ "never tokens, e-mails, bodies"."""
    browser = watched.site.browser()
    token = browser.sign_up().json()["token"]
    browser.sign_in(password="wrong")
    browser.get("/get-session", params={"secret": "in the query"})
    browser.get("/broken")
    text = "".join(span.to_json() for span in watched.spans())
    text += str(watched.reader.get_metrics_data() and watched.points())
    for secret in (token, PASSWORD, "ada@example.com", "in the query", "127.0.0.1"):
        assert secret not in text


def test_unwatched_is_untouched(site_with: MakeSite) -> None:
    """Without the plugin there is nobody to tell, and a check is the plain method."""
    site = site_with()
    assert site.auth.context.observers == []
    assert "resolve" not in vars(site.auth.sessions)


def test_without_the_package() -> None:
    """ "raises better_auth.errors.MissingExtra when the package is missing"; the rest works."""
    script = """
import sys
sys.modules["opentelemetry"] = None
import better_auth.plugins
from better_auth.errors import MissingExtra
try:
    better_auth.plugins.TelemetryPlugin
except MissingExtra as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "better-auth[telemetry]" in done.stdout, done.stderr
