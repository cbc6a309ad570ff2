"""Two records of one walk, field by field."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

_OPAQUE = re.compile(
    r"[A-Za-z0-9]{32}|session_[\w-]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.A
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.A)
_HERE = re.compile(r"http://127\.0\.0\.1:\d+")
_BACKUP_CODE = re.compile(r"[A-Za-z0-9]{5}-[A-Za-z0-9]{5}", re.A)

COMPARED_COOKIES = ("session_token", "two_factor", "trust_device", "admin_session")
"""The cookies that mean something to both servers."""


def normalised(value: Any) -> Any:
    """``value`` without what no two servers have in common: ids, tokens, moments, codes."""
    if isinstance(value, dict):
        return {key: normalised(content) for key, content in value.items()}
    if isinstance(value, list):
        return [normalised(content) for content in value]
    if not isinstance(value, str):
        return value
    if value.startswith("otpauth://"):
        parts = urlsplit(value)
        return [parts.netloc, parts.path, sorted(parse_qs(parts.query))]
    value = _HERE.sub("http://here", value)
    for pattern, name in ((_OPAQUE, "<opaque>"), (_TIME, "<time>"), (_BACKUP_CODE, "<code>")):
        if pattern.fullmatch(value):
            return name
    return value


def cookies_of(step: dict[str, Any]) -> dict[str, Any]:
    """What became of each cookie that counts: its attributes, or None where it was taken back."""
    found: dict[str, Any] = {}
    for cookie in step["cookies"]:
        name = cookie["name"].partition(".")[2]
        if name in COMPARED_COOKIES:
            kept = ("max-age", "path", "httponly", "samesite", "secure")
            attributes = {key: cookie[key] for key in kept if key in cookie}
            if "max-age" in attributes:  # a session made a moment ago may have lost a second
                attributes["max-age"] = round(int(attributes["max-age"]) / 10) * 10
            found[name] = attributes if cookie["isSet"] else None
    return found


def differences(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> Iterator[str]:
    """Every field that is not the same, as ``step: path: ours | theirs``."""
    names = [step["name"] for step in theirs]
    assert [step["name"] for step in ours] == names, "the walks took different ways"
    assert len(set(names)) == len(names), "two steps have one name"
    for own, other in zip(ours, theirs, strict=True):
        for part in ("data", "error"):
            found = _differing(part, normalised(own[part]), normalised(other[part]))
            yield from (f"{own['name']}: {line}" for line in found)
        for line in _differing("cookies", cookies_of(own), cookies_of(other)):
            yield f"{own['name']}: {line}"


_ABSENT = "absent"


def _differing(path: str, own: Any, other: Any) -> Iterator[str]:
    if isinstance(own, dict) and isinstance(other, dict):
        for key in sorted(own.keys() | other.keys()):
            yield from _differing(f"{path}.{key}", own.get(key, _ABSENT), other.get(key, _ABSENT))
    elif isinstance(own, list) and isinstance(other, list) and len(own) == len(other):
        for index, (mine, yours) in enumerate(zip(own, other, strict=True)):
            yield from _differing(f"{path}.{index}", mine, yours)
    elif own != other:
        yield f"{path}: {own!r} | {other!r}"
