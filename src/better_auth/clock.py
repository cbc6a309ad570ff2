"""Time: one injectable clock, one precision, one written form.

Every instant in the library is an aware UTC ``datetime`` of whole milliseconds, so that what is
held in memory, what the database stores and what the wire shows are the same value.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import time_ns
from typing import Annotated

from pydantic import AfterValidator, PlainSerializer, TypeAdapter, WithJsonSchema

Clock = Callable[[], datetime]
"""Answers the present instant; tests hand in one they can move."""


def utc_now() -> datetime:
    """The present instant: aware, UTC, whole milliseconds. The default :data:`Clock`."""
    return datetime.fromtimestamp(time_ns() // 1_000_000 / 1000, UTC)  # asked at every request


def to_milliseconds(moment: datetime) -> datetime:
    """``moment`` in UTC without its microseconds (cut, never rounded into the future).

    >>> to_milliseconds(datetime(2024, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)).microsecond
    123000

    Raises ``ValueError`` for a naive ``datetime``, whose instant nobody can know, and for one
    outside the years 1 to 9999.
    """
    if moment.tzinfo is not UTC:
        if moment.tzinfo is None:
            raise ValueError("a naive datetime names no instant; give it a time zone")
        try:
            moment = moment.astimezone(UTC)
        except OverflowError:
            raise ValueError("out of range") from None
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def render_time(moment: datetime) -> str:
    """``moment``, in UTC, as the wire writes it, always with three fraction digits.

    >>> render_time(datetime(2024, 1, 1, tzinfo=UTC))
    '2024-01-01T00:00:00.000Z'
    """
    if moment.tzinfo is not UTC and moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    text = _to_json(moment).decode()  # a third of the time of ``isoformat``, on every request
    return text[1:24] + "Z" if len(text) == _WITH_FRACTION else text[1:20] + ".000Z"


_to_json = TypeAdapter(datetime).serializer.to_json
_WITH_FRACTION = len('"2024-01-01T00:00:00.123000Z"')


def parse_time(text: str) -> datetime:
    """The instant that :func:`render_time` wrote (any ISO 8601 instant with an offset is read)."""
    return to_milliseconds(datetime.fromisoformat(text))


def parse_seconds(value: object) -> object:
    """A number, or a string holding one, as that many seconds; anything else as it came."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return timedelta(seconds=value)
        except OverflowError:
            raise ValueError("out of range") from None
    return value


UtcDatetime = Annotated[
    datetime,
    AfterValidator(to_milliseconds),
    PlainSerializer(render_time, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""The type of every instant in a record: validated to UTC milliseconds, rendered by the wire."""
