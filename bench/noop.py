"""The HTTP server of `./sync serve` in front of a function that does nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from local.environment import LocalEnvironment
from local.http.serve import serve
from local.template import load

TEMPLATE = Path(__file__).with_name("noop.yaml")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answers as ingest does, without having done anything."""
    return {
        "statusCode": 201,
        "headers": {"content-type": "application/json"},
        "body": '{"detail": "Object queued for sync"}',
        "isBase64Encoded": False,
    }


def main() -> None:
    """Serve on the processor whose number is the argument."""
    os.sched_setaffinity(0, {int(sys.argv[1])})
    serve(LocalEnvironment.load(os.environ, Path.cwd()), load(TEMPLATE).routes)


if __name__ == "__main__":
    main()
