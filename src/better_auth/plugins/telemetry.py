"""OpenTelemetry: a span for each request, and metrics of sessions and sign-ins.

What is told is methods, routes, statuses and error codes; never a token, an address or a body.
Without providers of its own it tells the ones that the process has set for everybody.
"""

from time import perf_counter

from better_auth.adapters import SessionCache
from better_auth.errors import MissingExtra
from better_auth.events import (
    SessionCreated,
    SessionsRevoked,
    SessionUpdated,
    SignInFailed,
    on,
)
from better_auth.http.call import Context
from better_auth.http.endpoints import Endpoint
from better_auth.http.messages import AuthRequest, AuthResponse, ErrorResponse, Finish
from better_auth.models import Principal
from better_auth.plugins.base import Plugin

try:
    from opentelemetry import context as spans
    from opentelemetry import metrics, trace
    from opentelemetry.metrics import CallbackOptions, Observation
except ImportError:
    raise MissingExtra("TelemetryPlugin", "telemetry") from None

SCOPE = "better_auth"
"""The instrumentation scope of everything told here."""

DURATIONS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds: a session check takes well under one millisecond, a password some tens."""


class TelemetryPlugin(Plugin):
    """Traces and measures the application (extra ``telemetry``).

    ``tracer_provider`` and ``meter_provider`` are OpenTelemetry's; left out, the process's own.
    docs/observability.md lists every span and metric.
    """

    name = "Telemetry"

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self._tracer = trace.get_tracer(SCOPE, tracer_provider=tracer_provider)
        meter = self._meter = metrics.get_meter(SCOPE, meter_provider=meter_provider)
        self._duration = meter.create_histogram(
            "better_auth.request.duration",
            unit="s",
            description="How long requests took",
            explicit_bucket_boundaries_advisory=DURATIONS,
        )
        self._checks = meter.create_counter(
            "better_auth.session.checks", description="Tokens checked, by result"
        )
        self._refreshes = meter.create_counter(
            "better_auth.session.refreshes", description="Sessions whose end was moved"
        )
        self._created = meter.create_counter(
            "better_auth.session.created", description="Sessions begun"
        )
        self._revocations = meter.create_counter(
            "better_auth.session.revocations", description="Live sessions ended before their time"
        )
        self._failures = meter.create_counter(
            "better_auth.sign_in.failures", description="Sign-ins refused, by method"
        )
        self._waits = meter.create_histogram(
            "better_auth.database.pool.wait",
            unit="s",
            description="How long it took until a connection could be used, by pool",
            explicit_bucket_boundaries_advisory=DURATIONS,
        )

    def bind(self, context: Context) -> None:
        super().bind(context)
        context.observers.append(self._observe)
        context.sessions.watch(self._checked)
        context.database.on_wait = self._waited
        if context.database.cache is not None:
            self._tell_of(context.database.cache)

    def _waited(self, pool: str, seconds: float) -> None:
        self._waits.record(seconds, {"pool": pool})

    def _tell_of(self, cache: SessionCache) -> None:
        """What the cache counts by itself, read when somebody collects metrics."""

        def lookups(_: CallbackOptions) -> list[Observation]:
            seen = cache.statistics
            return [
                Observation(seen.hits, {"result": "hit"}),
                Observation(seen.misses, {"result": "miss"}),
                Observation(seen.stood_aside, {"result": "stood-aside"}),
            ]

        def staleness(_: CallbackOptions) -> list[Observation]:
            seconds = cache.staleness
            return [] if seconds is None else [Observation(seconds)]

        meter = self._meter
        meter.create_observable_counter(
            "better_auth.cache.lookups",
            [lookups],
            description="Checks that looked into memory, by result",
        )
        meter.create_observable_counter(
            "better_auth.cache.invalidations",
            [lambda _: [Observation(cache.statistics.invalidations)]],
            description="Changes that memory was told of",
        )
        meter.create_observable_gauge(
            "better_auth.cache.staleness",
            [staleness],
            unit="s",
            description="How long ago memory was last proven to be true",
        )
        meter.create_observable_gauge(
            "better_auth.cache.entries",
            [lambda _: [Observation(len(cache))]],
            description="Sessions in memory",
        )
        meter.create_observable_gauge(
            "better_auth.cache.size",
            [lambda _: [Observation(cache.bytes)]],
            unit="By",
            description="About how many bytes they take",
        )

    def _observe(self, request: AuthRequest, endpoint: Endpoint) -> Finish:
        """Begin a span, current until the request is answered; it ends with the answer."""
        route = endpoint.route
        attributes: dict[str, str | int] = {
            "http.request.method": request.method,
            "http.route": (request.base_path or "") + route.path,
        }
        span = self._tracer.start_span(
            f"better_auth {route.method} {route.path}", attributes=attributes
        )
        token = spans.attach(trace.set_span_in_context(span))
        begun = perf_counter()

        def finish(response: AuthResponse | None) -> None:
            if response is not None:  # else the client hung up
                attributes["http.response.status_code"] = response.status
                if isinstance(response, ErrorResponse):
                    attributes["error.type"] = response.code
                if response.status >= 500:
                    span.set_status(trace.StatusCode.ERROR)
                self._duration.record(perf_counter() - begun, attributes)
                span.set_attributes(attributes)
            spans.detach(token)
            span.end()

        return finish

    def _checked(self, principal: Principal | None) -> None:
        self._checks.add(1, {"result": "invalid" if principal is None else "valid"})

    @on(SessionUpdated)
    def session_updated(self, event: SessionUpdated) -> None:
        """Count a refresh: of all changes to a session, only that moves its end."""
        if "expires_at" in event.changes:
            self._refreshes.add(1)

    @on(SessionCreated)
    def session_created(self, event: SessionCreated) -> None:
        """Count a session."""
        self._created.add(1)

    @on(SessionsRevoked)
    def sessions_revoked(self, event: SessionsRevoked) -> None:
        """Count what was ended."""
        self._revocations.add(len(event.sessions))

    @on(SignInFailed)
    def sign_in_failed(self, event: SignInFailed) -> None:
        """Count a failure."""
        self._failures.add(1, {"method": event.method})
