"""Exit codes of every command, as the help and README.md document them."""

from __future__ import annotations

OK = 0
"""Done, and everything is fine."""

PROBLEM = 1
"""A problem was found, or the command could not do what was asked: an unknown id, a server away."""

USAGE = 2
"""The command was typed wrongly: an unknown option, a value that cannot be read."""

INTERRUPTED = 130
"""Ended by Ctrl-C, as shells number it: 128 and the signal."""

BROKEN_PIPE = 141
"""Whatever read the output has ended, such as `head`; as shells number SIGPIPE."""
