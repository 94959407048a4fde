"""Calls handlers in a process of their own: events on standard input, answers on the output."""

from __future__ import annotations

import json
import sys

from local.context import Context
from local.handlers import imported


def main() -> None:
    """Answer each line, a handler's name and an event, with a line."""
    for line in sys.stdin:
        name, event = json.loads(line)
        print(json.dumps(imported(name)(event, Context(30.0))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
