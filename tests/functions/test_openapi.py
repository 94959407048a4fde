from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from functions.ingest import handler as ingest
from functions.s3_events import handler as s3_events
from functions.s3_events.documents import read
from functions.s3_events.happenings import Created
from functions.stats import handler as stats
from shared import errors
from shared.http.request_id import FORM
from shared.http.responses import refusal, unavailable
from shared.http.validation import SyncRequest, parse

DOCUMENT: dict[str, Any] = json.loads(stats.OPENAPI.read_text())
REFUSALS = [
    errors.BodyTooLarge(),
    errors.SignatureMissing(),
    errors.SignatureInvalid(),
    errors.TooManyRequests(1),
    errors.MalformedJson(),
    errors.InvalidFields([{"field": "oeid", "reason": "Field required"}]),
    errors.ObjectExists(),
]


def resolved(node: Any) -> Any:
    """Replaces every reference by what it names."""
    if isinstance(node, list):
        return [resolved(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" not in node:
        return {name: resolved(item) for name, item in node.items()}
    found: Any = DOCUMENT
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    siblings = {name: item for name, item in node.items() if name != "$ref"}
    return resolved({**found, **siblings})


PATHS: dict[str, Any] = resolved(DOCUMENT["paths"])
POST, GET = PATHS["/sync/"]["post"], PATHS["/sync/"]["get"]


def validator(schema: dict[str, Any]) -> OAS31Validator:
    return OAS31Validator(schema)


def test_the_document_is_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_the_documented_routes_are_the_functions_own() -> None:
    documented = {
        (path.removesuffix("/"), method.upper())
        for path, operations in PATHS.items()
        for method in operations
    }
    routed = [*ingest.ROUTES.items(), *s3_events.ROUTES.items(), *stats.ROUTES.items()]
    own = {(path, method) for path, methods in routed for method in methods}
    # HEAD is answered where GET is (RFC 9110, section 9.3.2); that goes without saying.
    implied = {(path, "HEAD") for path, method in own if method == "GET"}
    assert documented == own - implied


@pytest.mark.parametrize("refused", REFUSALS, ids=lambda refused: type(refused).__name__)
def test_every_refusal_is_documented_as_it_is_given(refused: errors.RequestRefused) -> None:
    answer = refusal(refused)
    documented = POST["responses"][str(answer.status)]
    schema = documented["content"]["application/json"]["schema"]
    validator(schema).validate(json.loads(answer.body))
    headers = answer.to_event("order-17")["headers"]
    for name, header in documented["headers"].items():
        value: object = headers[name.lower()]
        if header["schema"].get("type") == "integer":
            value = int(str(value))
        validator(header["schema"]).validate(value)


def test_every_response_has_the_id_of_its_request() -> None:
    for operations in PATHS.values():
        for operation in operations.values():
            for response in operation["responses"].values():
                header = response["headers"]["X-Request-Id"]
                assert (header["required"], header["schema"]["pattern"]) == (True, f"^{FORM}$")


def test_no_refusal_but_these_is_documented() -> None:
    given = {refusal(refused).status for refused in REFUSALS}
    given |= {unavailable().status, 201}
    assert set(POST["responses"]) == {str(status) for status in given}
    assert set(GET["responses"]) == {"200", "412", "503"}


def test_the_words_of_an_answer_are_fixed() -> None:
    words = [
        schema["properties"]["detail"]
        for response in POST["responses"].values()
        for schema in (
            response["content"]["application/json"]["schema"].get("oneOf")
            or [response["content"]["application/json"]["schema"]]
        )
    ]
    documented = {text for word in words for text in word.get("enum", [word.get("const")])}
    assert documented == {str(r) for r in REFUSALS} | {
        "Object queued for sync",
        "Service unavailable",
    }


EVENTS = PATHS["/events/s3/"]["post"]


@pytest.mark.parametrize(
    "refused",
    [
        errors.SecretRefused(),
        errors.EventUnreadable("not JSON"),
        errors.BodyTooLarge(),
        errors.TooManyRequests(1),
    ],
    ids=lambda refused: type(refused).__name__,
)
def test_every_refusal_of_events_is_documented(refused: errors.RequestRefused) -> None:
    answer = refusal(refused)
    documented = EVENTS["responses"][str(answer.status)]
    schema = documented["content"]["application/json"]["schema"]
    validator(schema).validate(json.loads(answer.body))
    assert {name.lower() for name in documented["headers"]} == {
        name for name in answer.to_event("order-17")["headers"] if name != "content-type"
    }


def test_the_examples_of_events_are_read() -> None:
    examples = EVENTS["requestBody"]["content"]["application/json"]["examples"].values()
    for example in examples:
        [happening] = read(example["value"])
        assert isinstance(happening, Created)


SCHEMA = POST["requestBody"]["content"]["application/json"]["schema"]


def test_the_example_is_a_valid_request() -> None:
    example = POST["requestBody"]["content"]["application/json"]["example"]
    validator(SCHEMA).validate(example)
    assert parse(json.dumps(example).encode()) == SyncRequest(**example)


NAMES = st.text(st.sampled_from("a./\\ \n\x7fü"), max_size=12) | st.sampled_from(
    [".incoming/a", ".INCOMING", "a/.incoming", ".incomings/a"]
)


@given(st.fixed_dictionaries({"oeid": st.text(max_size=300), "file_name": NAMES}))
def test_the_schema_accepts_what_the_service_accepts(fields: dict[str, str]) -> None:
    document = {"ref_id": "r", "file_type": "image/jpeg", **fields}
    try:
        parse(json.dumps(document).encode())
    except errors.InvalidFields:
        accepted = False
    else:
        accepted = True
    assert validator(SCHEMA).is_valid(document) == accepted
