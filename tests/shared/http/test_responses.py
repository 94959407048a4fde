from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

import pytest

from shared import errors
from shared.http.event import Request
from shared.http.responses import misrouted, not_found, refusal, unavailable
from shared.http.status_address import ROUTE, of, signature_in

REFUSALS = [
    (errors.BodyTooLarge(), 413, "Request body too large", {}),
    (
        errors.SignatureMissing(),
        401,
        "Missing/empty Authorization header",
        {"www-authenticate": "HMAC-SHA256"},
    ),
    (
        errors.SignatureInvalid(),
        401,
        "Invalid HMAC signature hash",
        {"www-authenticate": "HMAC-SHA256"},
    ),
    (errors.TooManyRequests(7), 412, "Too many requests", {"retry-after": "7"}),
    (errors.MalformedJson(), 400, "Malformed JSON data", {}),
    (errors.InvalidFields([]), 400, "Invalid JSON data", {}),
    (
        errors.ObjectExists(bytes(range(32))),
        409,
        "Object already exists",
        {"location": f"/sync/{bytes(range(32)).hex()}/"},
    ),
]


@pytest.mark.parametrize(("refused", "status", "detail", "headers"), REFUSALS)
def test_a_refusal_has_the_status_and_words_of_the_contract(
    refused: errors.RequestRefused, status: int, detail: str, headers: Mapping[str, str]
) -> None:
    answer = refusal(refused)
    assert answer.status == status
    assert json.loads(answer.body)["detail"] == detail
    assert answer.headers == {"content-type": "application/json", **headers}


def test_a_limit_is_answered_with_the_status_that_is_set() -> None:
    answer = refusal(errors.TooManyRequests(7), HTTPStatus.TOO_MANY_REQUESTS)
    assert (answer.status, answer.headers["retry-after"]) == (429, "7")


def test_every_kind_of_refusal_has_an_answer() -> None:
    assert {type(r[0]) for r in REFUSALS} == set(errors.RequestRefused.__subclasses__())


def test_invalid_fields_are_named_and_summed_up_in_one_line() -> None:
    found = [
        {"field": "oeid", "reason": "Field required"},
        {"field": "file_name", "reason": "must not\n be empty"},
        {"field": "", "reason": "violates a constraint"},
    ]
    assert json.loads(refusal(errors.InvalidFields(found)).body) == {
        "detail": "Invalid JSON data",
        "reason": "oeid: Field required; file_name: must not be empty; violates a constraint",
        "errors": found,
    }


@pytest.mark.parametrize(
    "kind",
    [
        errors.BodyTooLarge,
        errors.SignatureMissing,
        errors.SignatureInvalid,
        errors.MalformedJson,
    ],
)
def test_a_reason_stands_beside_the_words_of_the_contract(
    kind: type[errors.RequestRefused],
) -> None:
    document = json.loads(refusal(kind("because")).body)
    assert document == {"detail": str(kind()), "reason": "because"}
    assert "reason" not in json.loads(refusal(kind()).body)


@pytest.mark.parametrize(
    ("refused", "body"),
    [
        (errors.TooManyRequests(7), b'{"detail": "Too many requests"}'),
        (errors.ObjectExists(bytes(32)), b'{"detail": "Object already exists"}'),
    ],
)
def test_the_other_bodies_are_the_contracts_to_the_byte(
    refused: errors.RequestRefused, body: bytes
) -> None:
    assert refusal(refused).body == body


def test_an_unreachable_ledger_is_503_with_a_time_to_retry() -> None:
    answer = unavailable()
    assert (answer.status, json.loads(answer.body)) == (503, {"detail": "Service unavailable"})
    assert int(answer.headers["retry-after"]) > 0


def request(method: str, path: str) -> Request:
    return Request(method, path, {}, {}, {}, b"", "", "")


@pytest.mark.parametrize("path", ["/sync", "/sync/"])
def test_a_route_answers_with_and_without_its_slash(path: str) -> None:
    assert misrouted(request("POST", path), {"/sync": ("POST",)}) is None


@pytest.mark.parametrize("path", ["/", "", "/sync//", "/Sync", "/other", "sync"])
def test_an_unknown_path_is_404(path: str) -> None:
    answer = misrouted(request("POST", path), {"/sync": ("POST",)})
    assert answer is not None
    assert (answer.status, json.loads(answer.body)) == (404, {"detail": "Not found"})


SIGNATURE = "0123456789abcdef" * 4


@pytest.mark.parametrize("path", [f"/sync/{SIGNATURE}", f"/sync/{SIGNATURE}/"])
def test_the_address_of_any_signature_is_one_route(path: str) -> None:
    assert misrouted(request("GET", path), {ROUTE: ("GET",)}) is None
    answer = misrouted(request("PUT", path), {ROUTE: ()}, {ROUTE: ("GET", "HEAD")})
    assert answer is not None
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path",
    [
        f"/sync/{SIGNATURE.upper()}/",
        f"/sync/{SIGNATURE[1:]}/",
        f"/sync/{SIGNATURE}0/",
        f"/sync/{SIGNATURE}//",
        f"/sync/{SIGNATURE}/x",
        f"/sync/{SIGNATURE}\n",
        f"/sync//{SIGNATURE}/",
        f"/{SIGNATURE}/",
        "/sync/" + "\N{ARABIC-INDIC DIGIT ONE}" * 64,
        "/sync/{signature}",
    ],
)
def test_the_address_of_no_signature_is_404(path: str) -> None:
    assert signature_in(path) is None
    answer = misrouted(request("GET", path), {"/sync": ("GET",)})
    assert answer == not_found()


def test_an_address_leads_back_to_its_signature() -> None:
    assert signature_in(of(bytes(range(32)))) == bytes(range(32))


def test_an_unknown_method_is_405_and_names_the_known_ones() -> None:
    answer = misrouted(request("PUT", "/sync/"), {"/sync": ("GET", "POST")})
    assert answer is not None
    assert (answer.status, json.loads(answer.body)) == (405, {"detail": "Method not allowed"})
    assert answer.headers["allow"] == "GET, POST"


def test_a_405_names_the_methods_that_another_function_answers() -> None:
    answer = misrouted(request("PUT", "/sync/"), {"/sync": ("GET",)}, {"/sync": ("POST",)})
    assert answer is not None
    assert answer.headers["allow"] == "GET, POST"
