"""The OpenAPI document says what the endpoints do."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from tests.conftest import Site
from tests.support import bearer, every_plugin, make_auth

DATABASES = ["sqlite"]
"""No database has a say in this."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
PATHS = sorted(make_auth().openapi()["paths"])
EVERY_PATH = sorted(make_auth(plugins=every_plugin()).openapi()["paths"])


@pytest.fixture(scope="module")
def native(shared_site_with: Callable[..., Site]) -> Site:
    """With every plugin there is; whoever asks, asks as a user of their own."""
    return shared_site_with(plugins=every_plugin())


@pytest.fixture(scope="module")
def javascript(shared_site_with: Callable[..., Site]) -> Site:
    """The same with the JavaScript client's look."""
    return shared_site_with(wire="javascript", plugins=every_plugin())


def test_valid(site: Site) -> None:
    """ "valid OpenAPI 3.1, every endpoint, body and error"."""
    document = site.client().get("/openapi.json").json()
    OpenAPIV31SpecValidator(document).validate()
    assert PATHS == [
        "/get-session",
        "/health/live",
        "/health/ready",
        "/list-sessions",
        "/ok",
        "/openapi.json",
        "/revoke-other-sessions",
        "/revoke-session",
        "/revoke-sessions",
        "/sign-in/email",
        "/sign-out",
        "/sign-up/email",
    ]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            responses = operation["responses"]
            assert {"200", "500", "503"} <= responses.keys(), (method, path)
            assert ("429" in responses) is not path.startswith("/health/")
            if operation["security"]:
                assert "401" in responses
            if "requestBody" in operation:
                assert {"400", "403", "413", "415"} <= responses.keys()
    session = document["components"]["schemas"]["Session"]["properties"]
    assert "tokenKey" not in session
    assert session["expiresAt"]["format"] == "date-time"


def test_every_plugin_is_valid(site_with: Callable[..., Site]) -> None:
    """The same with every plugin there is; sign-in names both of its answers."""
    document = site_with(plugins=every_plugin()).client().get("/openapi.json").json()
    OpenAPIV31SpecValidator(document).validate()
    operation = document["paths"]["/sign-in/email"]["post"]["responses"]["200"]
    schema = operation["content"]["application/json"]["schema"]
    names = [option["$ref"].rpartition("/")[2] for option in schema["oneOf"]]
    assert names == ["SignInResult", "Challenge"]
    session = document["components"]["schemas"]["Session"]["properties"]
    assert {"impersonatedBy", "activeOrganizationId"} <= session.keys()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("path", EVERY_PATH)
def test_schemathesis(native: Site, path: str, mode: GenerationMode) -> None:
    """Whatever the document allows, and what it does not, is answered as the document says."""
    check_answers(native, path, mode)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("path", EVERY_PATH)
def test_schemathesis_of_the_javascript_wire(
    javascript: Site, path: str, mode: GenerationMode
) -> None:
    """The JavaScript client's look has a document of its own, as true as the other."""
    check_answers(javascript, path, mode)


def check_answers(site: Site, path: str, mode: GenerationMode) -> None:
    """Ask ``path`` in every way its document knows, and a few that it does not."""
    document: dict[str, Any] = site.auth.openapi()
    document["servers"] = [{"url": site.url}]
    document["paths"] = {path: document["paths"][path]}
    user = site.user(f"{uuid4().hex}@example.com", fields={"role": "admin"})
    examples = 20 if path in PATHS else 6 if site.auth.config.wire == "native" else 3
    answered = 0
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = result.ok()
        if mode is GenerationMode.NEGATIVE and not operation.body:
            continue

        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case) -> None:
            nonlocal answered
            answered += 1
            token = site.session(user).token
            case.call_and_validate(headers=bearer(token), base_url=site.url, checks=CHECKS)

        ask()
    assert answered or mode is GenerationMode.NEGATIVE
