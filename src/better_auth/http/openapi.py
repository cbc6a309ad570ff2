"""The OpenAPI 3.1 document, from the types of the endpoints."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeAlias, get_args, get_origin

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from better_auth.http.body import FORM
from better_auth.http.endpoints import Endpoint
from better_auth.http.messages import Redirect
from better_auth.models import Record

Json: TypeAlias = dict[str, Any]
"""A JSON object of the document; its shape is the OpenAPI specification's."""

_REF = "#/components/schemas/{model}"

_ERROR: Json = {
    "type": "object",
    "description": "Every error, whatever its status.",
    "required": ["code", "message"],
    "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
}

_ERROR_REF: Json = {"$ref": _REF.format(model="Error")}


def build_document(
    endpoints: Sequence[Endpoint],
    records: Mapping[str, type[Record]],
    *,
    server: str,
    cookie_name: str,
    version: str,
) -> Json:
    """The document for ``endpoints`` served at the URL ``server``.

    ``records`` are the application's own records by the name the endpoints' types use.
    """
    models = _Models(endpoints, records)
    document: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": "better_auth",
            "version": version,
            "description": "Sign-up, sign-in and sessions.",
        },
        "servers": [{"url": server}],
        "tags": [{"name": tag} for tag in dict.fromkeys(e.tag for e in endpoints)],
        "paths": {},
        "components": {
            "schemas": models.schemas,
            "securitySchemes": security_schemes(cookie_name),
        },
    }
    for endpoint in endpoints:
        operations = document["paths"].setdefault(endpoint.route.path, {})
        operations[endpoint.route.method.lower()] = _operation(endpoint, models)
    return document


def security_schemes(cookie_name: str) -> Json:
    """The two ways a session token travels."""
    return {
        "bearer": {"type": "http", "scheme": "bearer", "description": "The session token."},
        "cookie": {"type": "apiKey", "in": "cookie", "name": cookie_name},
    }


class _Models:
    """The schemas of all bodies and results, and what each model's is called.

    Two plugins may have models of one name; the longer names they then get are Pydantic's.
    """

    def __init__(self, endpoints: Sequence[Endpoint], records: Mapping[str, type[Record]]) -> None:
        wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = []
        for endpoint in endpoints:
            if endpoint.body is not None:
                wanted.append((endpoint.body, "validation"))
            wanted += [(kind, "serialization") for kind in _models(endpoint.result)]
        self._references, definitions = models_json_schema(
            list(dict.fromkeys(wanted)), ref_template=_REF
        )
        self.schemas: Json = dict(definitions.get("$defs", {}))
        for name, record in records.items():
            if name in self.schemas:
                schema = record.model_json_schema(mode="serialization", ref_template=_REF)
                self.schemas.update(schema.pop("$defs", {}))
                self.schemas[name] = schema
        self.schemas["Error"] = _ERROR

    def body(self, model: type[BaseModel]) -> Json:
        """A reference to what a body must be."""
        return dict(self._references[model, "validation"])

    def result(self, kind: Any) -> Json:
        """What an endpoint answers: a model, a list of one, nothing, or one of several."""
        if get_origin(kind) is list:
            return {"type": "array", "items": self.result(*get_args(kind))}
        schemas: list[Json] = [
            dict(self._references[model, "serialization"]) for model in _models(kind)
        ]
        if get_origin(kind) is list:
            return {"type": "array", "items": schemas[0]}
        if type(None) in get_args(kind):
            schemas.append({"type": "null"})
        if len(schemas) > 1:
            return {"oneOf": schemas}
        return schemas[0] if schemas else {"type": "object"}


def _operation(endpoint: Endpoint, models: _Models) -> Json:
    needs_session = endpoint.route.access == "session"
    operation: Json = {
        "operationId": endpoint.operation_id,
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "security": [{"bearer": []}, {"cookie": []}] if needs_session else [],
        "responses": {"200": _answer("The result", models.result(endpoint.result))},
    }
    if Redirect in (endpoint.result, *get_args(endpoint.result)):
        operation["responses"]["302"] = {
            "description": "On to where the request said",
            "headers": {"Location": {"schema": {"type": "string"}}},
        }
        if endpoint.result is Redirect:
            del operation["responses"]["200"]
    if endpoint.description:
        operation["description"] = endpoint.description
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", endpoint.route.path)
    ]
    if endpoint.query is not None:
        schema = endpoint.query.model_json_schema(ref_template=_REF)
        parameters += [
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "schema": field,
            }
            for name, field in schema.get("properties", {}).items()
        ]
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": any(field.is_required() for field in endpoint.body.model_fields.values()),
            "content": {
                FORM if endpoint.route.takes_form else "application/json": {
                    "schema": models.body(endpoint.body)
                }
            },
        }
    for status in sorted(_error_statuses(endpoint)):
        operation["responses"][str(status)] = _answer(
            HTTPStatus(status).phrase, {"$ref": _REF.format(model="Error")}
        )
    return operation


def _error_statuses(endpoint: Endpoint) -> set[int]:
    statuses = {500, 503, *endpoint.route.errors}
    if not endpoint.route.is_probe:
        statuses.add(429)
    if endpoint.route.access == "session":
        statuses.add(401)
    if endpoint.route.method == "POST":
        statuses |= {403, 408, 413}
    if endpoint.query is not None:
        statuses.add(400)
    if endpoint.body is not None:
        statuses |= {400, 415}
    return statuses


def _models(kind: Any) -> list[type[BaseModel]]:
    """The models an endpoint may answer: its result, a list's items, the members of a union."""
    kinds = get_args(kind) or (kind,)
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]


def _answer(description: str, schema: Json) -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
