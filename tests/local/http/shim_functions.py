"""Functions for the tests of the HTTP shim, and a program that serves them."""

from __future__ import annotations

import atexit
import json
import os
import time
from pathlib import Path
from typing import Any

from local.environment import LocalEnvironment
from local.http.serve import serve
from local.template import Route


def echo(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "cookies": ["a=1", "b=2"],
        "body": json.dumps(event),
    }


def boom(_event: dict[str, Any], _context: Any) -> None:
    message = "a secret of the program"
    raise ValueError(message)


def slow(_event: dict[str, Any], context: Any) -> dict[str, Any]:
    Path(os.environ["STARTED_FILE"]).touch()
    time.sleep(1)
    return {"left": context.get_remaining_time_in_millis()}


def stall(_event: dict[str, Any], _context: Any) -> None:
    with Path(os.environ["STARTED_FILE"]).open("a") as started:
        started.write("stall\n")
    time.sleep(10)


def size(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    body = event.get("body") or ""
    return {"statusCode": 200, "body": str(len(body))}


def main() -> None:
    routes = tuple(
        Route(method, path, f"tests.local.http.shim_functions.{name}", 5.0)
        for method, path, name in (
            ("ANY", "/echo", "echo"),
            ("ANY", "/echo/{proxy+}", "echo"),
            ("GET", "/get", "echo"),
            ("GET", "/boom", "boom"),
            ("GET", "/slow", "slow"),
            ("GET", "/stall", "stall"),
            ("GET", "/admin/stall", "stall"),
            ("POST", "/size", "size"),
            ("POST", "/events/s3/{proxy+}", "size"),
        )
    )
    atexit.register(lambda: Path(f"{os.environ['STARTED_FILE']}.{os.getpid()}").touch())
    serve(LocalEnvironment.load(os.environ, Path("/nonexistent")), routes)


if __name__ == "__main__":
    main()
