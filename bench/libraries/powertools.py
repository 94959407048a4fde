"""Our logging, HTTP events and validation against Lambda Powertools' and Werkzeug's.

Every contender turns the same Function URL event into the same answer, without any work between.
"""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import LambdaFunctionUrlResolver
from aws_lambda_powertools.utilities.parser import parse as parse_event
from aws_lambda_powertools.utilities.parser.envelopes import LambdaFunctionUrlEnvelope
from werkzeug.wrappers import Request as WerkzeugRequest
from werkzeug.wrappers import Response as WerkzeugResponse

from bench.figure import Figure
from bench.libraries.ours import (
    JsonFormatter,
    Request,
    Response,
    SyncRequest,
    function_url,
    parse,
    rmq_event,
)
from bench.libraries.timing import fresh, in_turn, micros
from bench.setting import Setting

NUMBER = 2_000
ANSWER = {"detail": "Object queued for sync"}
CREATED = 201
_BODY = {
    "oeid": "8cfb655249106cf47fb493681d82ea",
    "ref_id": "6345307552152520612",
    "file_name": "65d9e6e87a533da87ebcdee4.jpg",
    "file_type": "image/jpeg",
}
_POWERTOOLS = "aws_lambda_powertools"


def measure(setting: Setting) -> Iterator[Figure]:
    """Compare imports in fresh processes, then µs."""
    yield from _imports(setting)
    yield from _log_lines(setting)
    event = _event()
    answers: dict[str, Callable[[], dict[str, Any]]] = {
        "ours": lambda: _ours(event),
        "resolver": _resolver(event),
        "werkzeug": lambda: _werkzeug(event),
    }
    for name, answer in answers.items():
        if json.loads(answer()["body"]) != ANSWER:
            raise AssertionError(f"{name} answers something else")
    spent = in_turn(setting, "HTTP events", _timed(answers))
    ours = spent.pop("ours")
    words = {"resolver": "Powertools' LambdaFunctionUrlResolver", "werkzeug": "Werkzeug"}
    for name, references in spent.items():
        yield Figure("event to request, answer to event", ours, "µs", None, references, words[name])
    yield from _validation(setting, event)


def _imports(setting: Setting) -> Iterator[Figure]:
    http, log = Request.__module__, JsonFormatter.__module__
    validation = parse.__module__
    compared = {
        "import of logging": (f"import {log}", f"from {_POWERTOOLS} import Logger", "Logger"),
        "import of HTTP": (
            f"import {http}",
            f"from {_POWERTOOLS}.event_handler import LambdaFunctionUrlResolver",
            "resolver",
        ),
        "import of HTTP, beside Werkzeug": (
            f"import {http}",
            "from werkzeug.wrappers import Request, Response",
            "Werkzeug",
        ),
        "import of validation": (
            f"import {http}, {validation}",
            f"from {_POWERTOOLS}.utilities.parser import event_parser, envelopes",
            "parser",
        ),
        "import of reading batches": (
            f"import {rmq_event.__name__}",
            f"from {_POWERTOOLS}.utilities.batch import BatchProcessor",
            "batch",
        ),
        "import for idempotency: nothing, it is a constraint": (
            "pass",
            f"from {_POWERTOOLS}.utilities.idempotency import idempotent, DynamoDBPersistenceLayer",
            "idempotency",
        ),
    }
    for what, (ours, reference, against) in compared.items():
        ms = in_turn(setting, what, {"ours": _fresh(ours), "reference": _fresh(reference)})
        yield Figure(what, ms["ours"], "ms", None, ms["reference"], against)


def _log_lines(setting: Setting) -> Iterator[Figure]:
    """Compare a line at INFO with two fields of its own, written to memory."""
    extra = {"request_id": "6b1f0a6e-1f0e-4b52-9a43-3f6f0a8f9d11", "row_id": 42}
    mine = logging.getLogger("bench.ours")
    mine.propagate = False
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(JsonFormatter())
    mine.addHandler(handler)
    mine.setLevel(logging.INFO)
    theirs = Logger(service="bench", level="INFO", stream=io.StringIO())
    lines = {
        "ours": lambda: mine.info("request accepted", extra=extra),
        "reference": lambda: theirs.info("request accepted", extra=extra),
    }
    spent = in_turn(setting, "log lines", _timed(lines))
    yield Figure("log line", spent["ours"], "µs", None, spent["reference"], "Powertools' Logger")


def _validation(setting: Setting, event: Mapping[str, Any]) -> Iterator[Figure]:
    def ours() -> object:
        return parse(Request.from_event(event).body)

    def reference() -> object:
        return parse_event(event=event, model=SyncRequest, envelope=LambdaFunctionUrlEnvelope)

    if ours() != reference():
        raise AssertionError("the parsers differ")
    spent = in_turn(setting, "validation", _timed({"ours": ours, "reference": reference}))
    against = "Powertools' parser with its envelope"
    yield Figure("event to validated body", spent["ours"], "µs", None, spent["reference"], against)


def _ours(event: Mapping[str, Any]) -> dict[str, Any]:
    request = Request.from_event(event)
    if (request.method, request.path) != ("POST", "/sync/"):
        raise AssertionError("routed elsewhere")
    return Response.json(CREATED, ANSWER).to_event(request.request_id)


def _resolver(event: Mapping[str, Any]) -> Callable[[], dict[str, Any]]:
    app = LambdaFunctionUrlResolver()
    app.post("/sync/")(lambda: (ANSWER, CREATED))
    context = SimpleNamespace()

    def answer() -> dict[str, Any]:
        resolved: dict[str, Any] = app.resolve(dict(event), context)
        return resolved

    return answer


def _werkzeug(event: Mapping[str, Any]) -> dict[str, Any]:
    """Answer by way of WSGI's environment, which a Function URL event must be turned into."""
    http = event["requestContext"]["http"]
    text = event["body"]
    body = base64.b64decode(text) if event["isBase64Encoded"] else text.encode()
    environ = {
        "REQUEST_METHOD": http["method"],
        "PATH_INFO": event["rawPath"],
        "QUERY_STRING": event["rawQueryString"],
        "REMOTE_ADDR": http["sourceIp"],
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **{f"HTTP_{k.upper().replace('-', '_')}": v for k, v in event["headers"].items()},
    }
    request = WerkzeugRequest(environ)
    if (request.method, request.path, request.data) != ("POST", "/sync/", body):
        raise AssertionError("routed elsewhere")
    answer = WerkzeugResponse(json.dumps(ANSWER), CREATED, mimetype="application/json")
    return {
        "statusCode": answer.status_code,
        "headers": dict(answer.headers),
        "body": answer.get_data(as_text=True),
        "isBase64Encoded": False,
    }


def _event() -> dict[str, Any]:
    return function_url.event(
        method="POST",
        path="/sync/",
        query="",
        protocol="HTTP/1.1",
        headers=[("host", "localhost"), ("content-type", "application/json")],
        body=json.dumps(_BODY).encode(),
        peer="203.0.113.7",
        request_id="6b1f0a6e-1f0e-4b52-9a43-3f6f0a8f9d11",
        now=1_795_428_000.0,
    )


def _timed(functions: Mapping[str, Callable[[], object]]) -> dict[str, Callable[[], float]]:
    def timed(function: Callable[[], object]) -> Callable[[], float]:
        return lambda: micros(function, NUMBER)

    return {name: timed(function) for name, function in functions.items()}


def _fresh(script: str) -> Callable[[], float]:
    return lambda: fresh(script)
