"""Everything that can go wrong, as one family.

An :class:`AuthError` knows its HTTP status, its machine-readable ``code`` and a message that is
safe to show: it never carries a secret, a query or a stack. Whatever else escapes an endpoint is
answered as a plain 500 and logged.
"""

from collections.abc import Mapping


class AuthError(Exception):
    """A refusal with an HTTP status; the body is ``{"code": ..., "message": ...}``.

    ``headers`` are added to the response (``Allow``, ``Retry-After``).

    >>> error = AuthError(403, "NOT_ALLOWED", "You may not do this")
    >>> error.status, error.code
    (403, 'NOT_ALLOWED')
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers: dict[str, str] = dict(headers or {})


class BadRequest(AuthError):
    """400: the request is not what the endpoint takes."""

    def __init__(self, message: str, code: str = "BAD_REQUEST") -> None:
        super().__init__(400, code, message)


class ValidationFailed(BadRequest):
    """400: a field of the body or the query is missing or wrong; the message names it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "VALIDATION_ERROR")


class Unauthorized(AuthError):
    """401: the session token is missing, invalid or expired."""

    def __init__(
        self, message: str = "A valid session is required", code: str = "UNAUTHORIZED"
    ) -> None:
        super().__init__(401, code, message)


class Forbidden(AuthError):
    """403: understood, and refused."""

    def __init__(self, message: str, code: str = "FORBIDDEN") -> None:
        super().__init__(403, code, message)


class NotFound(AuthError):
    """404: there is no such endpoint."""

    def __init__(self, message: str = "No such endpoint", code: str = "NOT_FOUND") -> None:
        super().__init__(404, code, message)


class MethodNotAllowed(AuthError):
    """405 with ``Allow`` (RFC 9110 section 15.5.6)."""

    def __init__(self, allowed: str) -> None:
        super().__init__(
            405,
            "METHOD_NOT_ALLOWED",
            f"This endpoint answers {allowed}",
            headers={"Allow": allowed},
        )


class PayloadTooLarge(AuthError):
    """413: the body is longer than ``AuthConfig.max_body_size`` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, "PAYLOAD_TOO_LARGE", f"The body may hold at most {limit} bytes")


class UnsupportedMediaType(AuthError):
    """415: a body that is not declared as what the endpoint takes, mostly JSON."""

    def __init__(self, wanted: str = "application/json") -> None:
        super().__init__(
            415, "UNSUPPORTED_MEDIA_TYPE", f"The body must be sent as Content-Type {wanted}"
        )


class UnprocessableEntity(AuthError):
    """422: well-formed, and in conflict with what is stored."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(422, code, message)


class TooManyRequests(AuthError):
    """429 with ``Retry-After`` in whole seconds."""

    def __init__(
        self,
        retry_after: int,
        message: str = "Too many requests. Please try again later.",
        code: str = "TOO_MANY_REQUESTS",
    ) -> None:
        super().__init__(429, code, message, headers={"Retry-After": str(max(1, retry_after))})


class ServiceUnavailable(AuthError):
    """503 with ``Retry-After``: the database, the hasher or the counters cannot take this now."""

    def __init__(self, message: str = "The service is busy. Please try again.") -> None:
        super().__init__(503, "SERVICE_UNAVAILABLE", message, headers={"Retry-After": "1"})


class DatabaseUnavailable(ServiceUnavailable):
    """503: the database is down, locked or out of reach."""

    def __init__(self) -> None:
        super().__init__("The database cannot be reached. Please try again.")


class UniqueViolation(Exception):
    """An insert or update met a row with the same unique value; the caller says what it means."""


class ReferenceViolation(UnprocessableEntity):
    """422: an insert named a row that is not there (a session for a user just deleted)."""

    def __init__(self) -> None:
        super().__init__("What this is about was deleted meanwhile", "DELETED_MEANWHILE")


class ConfigurationError(Exception):
    """A setting is missing, unknown or contradicts another; the message names it."""


class MissingExtra(ConfigurationError, ImportError):
    """A feature needs packages that the core install leaves out; the message says which extra."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the extra: pip install 'better-auth[{extra}]'")
