from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from functions.ingest import handler as ingest
from functions.stats import handler as stats
from functions.stats import request_status
from shared import errors
from shared.http import signing
from shared.http.event import Request
from shared.http.request_id import FORM
from shared.http.responses import refusal, unavailable
from shared.http.validation import SyncRequest, parse
from shared.ledger.lookup import RequestStatus
from shared.ledger.rows import State

DOCUMENT: dict[str, Any] = json.loads(stats.OPENAPI.read_text())
REFUSALS = [
    errors.BodyTooLarge("the limit is 65536 bytes"),
    errors.SignatureMissing(signing.NO_HEADER),
    errors.SignatureInvalid(signing.MISMATCH),
    errors.TooManyRequests(1),
    errors.MalformedJson("the body is empty"),
    errors.InvalidFields([{"field": "oeid", "reason": "Field required"}]),
    errors.ObjectExists(bytes(32)),
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
    routed = [*ingest.ROUTES.items(), *stats.ROUTES.items()]
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


def media_types() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every description of a body, and where it is."""
    for path, operations in PATHS.items():
        for method, operation in operations.items():
            bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
            for name, body in bodies.items():
                for media_type in body.get("content", {}).values():
                    yield f"{method} {path} {name}", media_type


EXAMPLES = [
    (f"{where} {name}", media_type["schema"], example)
    for where, media_type in media_types()
    for name, example in {
        **({"": media_type["example"]} if "example" in media_type else {}),
        **{name: item["value"] for name, item in media_type.get("examples", {}).items()},
    }.items()
]


@pytest.mark.parametrize(
    ("schema", "example"), [(s, e) for _, s, e in EXAMPLES], ids=[name for name, _, _ in EXAMPLES]
)
def test_every_example_is_one_of_its_schema(schema: dict[str, Any], example: object) -> None:
    validator(schema).validate(example)


def test_examples_of_parameters_and_headers_are_valid() -> None:
    described = [*DOCUMENT["components"]["headers"].values()]
    described += [p for o in PATHS.values() for i in o.values() for p in i.get("parameters", ())]
    examples = [item for item in described if "example" in item]
    assert len(examples) >= 3
    for item in examples:
        validator(item["schema"]).validate(item["example"])


def test_the_reasons_of_the_examples_are_the_services_own() -> None:
    documented = {
        example["reason"]: example["detail"]
        for name, _, example in EXAMPLES
        if name.startswith("post /sync/") and "reason" in example
    }
    for body in (
        b'{"oeid": "1",}',
        b"[]",
        b'{"ref_id": "r", "file_name": "n", "file_type": "t/t"}',
    ):
        with pytest.raises(errors.RequestRefused) as caught:
            parse(body)
        assert documented.pop(caught.value.reason) == str(caught.value)
    for header in (None, "Bearer x", "0" * 64):
        with pytest.raises(errors.RequestRefused) as caught:
            signing.verify([b"key"], b"", header)
        assert documented.pop(caught.value.reason) == str(caught.value)
    assert documented == {"the limit is 65536 bytes": "Request body too large"}


STATUS = RequestStatus(
    request_id="order-17",
    state=State.QUEUED,
    retrying=False,
    attempts=0,
    next_attempt_at=None,
    reason=None,
    size_bytes=None,
    sha256=None,
    verified_by=None,
    created_at=datetime.now(UTC),
    synced_at=None,
    failed_at=None,
    seconds_until=0.0,
    seconds_waited=0.0,
)
STATUSES = [
    STATUS,
    replace(STATUS, retrying=True, attempts=1, next_attempt_at=datetime.now(UTC), reason="no"),
    replace(STATUS, state=State.FAILED, failed_at=datetime.now(UTC), reason="no"),
    replace(STATUS, state=State.DISMISSED, failed_at=datetime.now(UTC), reason="no"),
    replace(
        STATUS,
        state=State.SYNCED,
        synced_at=datetime.now(UTC),
        size_bytes=0,
        sha256=bytes(32),
        verified_by="size",
    ),
]


@pytest.mark.parametrize("status", STATUSES, ids=lambda status: status.state)
@pytest.mark.parametrize("condition", [None, "*"])
def test_what_became_of_a_request_is_documented_as_it_is_given(
    status: RequestStatus, condition: str | None
) -> None:
    headers = {"if-none-match": condition} if condition else {}
    answer = request_status.response(Request("GET", "/", {}, headers, {}, b"", "", ""), status)
    documented = PATHS["/sync/{signature}/"]["get"]["responses"][str(answer.status)]
    assert ("content" in documented) is (condition is None)
    if condition is None:
        schema = documented["content"]["application/json"]["schema"]
        validator(schema).validate(json.loads(answer.body))
    given_headers = answer.to_event("order-17")["headers"]
    names = {name.lower(): header for name, header in documented["headers"].items()}
    assert set(given_headers) - {"content-type"} <= set(names)
    for name, header in names.items():
        assert name in given_headers or not header.get("required")
        value = given_headers.get(name)
        if value is not None:
            number = header["schema"].get("type") == "integer"
            validator(header["schema"]).validate(int(value) if number else value)


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
