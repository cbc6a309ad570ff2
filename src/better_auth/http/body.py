"""From the bytes of a request to a validated record, refusing everything that is not one."""

import json
from math import isfinite
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from better_auth.errors import BadRequest, UnsupportedMediaType, ValidationFailed
from better_auth.http.messages import AuthRequest

M = TypeVar("M", bound=BaseModel)

FORM = "application/x-www-form-urlencoded"
_SPOKEN = {"body": "form", "query": "query string"}


class Input(BaseModel):
    """The ground of bodies and queries: camelCase outside, strictly typed, unknown keys ignored.

    Strict means that ``"false"`` is not a boolean and ``1`` not a string.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True
    )


def read_body(request: AuthRequest, model: type[M]) -> M:
    """The JSON object in the request's body as ``model``; no body counts as ``{}``.

    Raises ``UnsupportedMediaType``, ``BadRequest`` for what is not one unambiguous JSON object
    and ``ValidationFailed`` naming each field that is wrong, never its value.
    """
    raw = request.body
    if raw:
        media_type = (request.header(b"content-type") or "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise UnsupportedMediaType
        _check_json(raw)
    try:
        return model.model_validate_json(raw or b"{}", strict=True)
    except ValidationError as error:
        raise _explained(error, "body") from None


def read_form(request: AuthRequest, model: type[M]) -> M:
    """The form in the request's body as ``model``; no body counts as an empty one.

    Raises ``UnsupportedMediaType``, ``BadRequest`` and ``ValidationFailed``.
    """
    media_type = (request.header(b"content-type") or "").partition(";")[0].strip().lower()
    if request.body and media_type != FORM:
        raise UnsupportedMediaType(FORM)
    return _read_pairs(request.body, model, "body")


def read_query(request: AuthRequest, model: type[M]) -> M:
    """The query string as ``model``; text is converted to the field's type.

    Raises ``ValidationFailed``.
    """
    return _read_pairs(request.query_string, model, "query")


def _read_pairs(raw: bytes, model: type[M], where: str) -> M:
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=100,
        )
        values = dict(pairs)
        if any("\x00" in value for value in values.values()):
            raise ValueError("NUL")
    except ValueError:
        raise BadRequest(f"The {_SPOKEN[where]} is not valid") from None
    try:
        return model.model_validate(values, strict=False)
    except ValidationError as error:
        raise _explained(error, where) from None


def _check_json(raw: bytes) -> None:
    """Refuse what parsers read differently or databases cannot hold."""
    try:
        parsed = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_float=_finite,
        )
        if b"\\u" in raw:  # the only way for lone surrogates, which fail here
            json.dumps(parsed, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise BadRequest("The body is not valid JSON", "INVALID_JSON") from None
    if not isinstance(parsed, dict):
        raise BadRequest("The body must be a JSON object", "INVALID_JSON")
    if b"\\u0000" in raw and "\\u0000" in json.dumps(parsed).replace("\\\\", ""):
        raise BadRequest("The body holds a NUL character", "INVALID_JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("duplicate key")
    return result


def _finite(text: str) -> float:
    """The number ``text``; one beyond all others, such as 1e999, would be infinity, which cannot
    be written again."""
    number = float(text)
    if not isfinite(number):
        raise ValueError(text)
    return number


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _explained(error: ValidationError, where: str) -> ValidationFailed:
    problems = []
    for problem in error.errors(include_input=False, include_context=False, include_url=False):
        path = ".".join([where, *(str(part) for part in problem["loc"])])
        problems.append(f"{path}: {problem['msg'].removeprefix('Value error, ')}")
    return ValidationFailed("; ".join(problems[:10]))
