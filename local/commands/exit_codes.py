"""Exit codes of every command, as the help and docs/command_line.md document them."""

from __future__ import annotations

OK = 0
"""Done, and everything is fine."""

PROBLEM = 1
"""A problem was found, or an error occurred: an unknown id, an unreachable server."""

USAGE = 2
"""Invalid usage: an unknown option, a value that cannot be parsed."""

INTERRUPTED = 130
"""Interrupted by Ctrl-C: 128 plus the signal's number, as shells report it."""

BROKEN_PIPE = 141
"""The reader of the output, such as `head`, has exited; shells report SIGPIPE so."""
