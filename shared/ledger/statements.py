"""Reads named SQL statements, and the fragments that several of them share."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiosql

_INCLUDE = re.compile(r"^ *-- include: (\S+)\n", re.MULTILINE)
_NAME = re.compile(r"^-- name: (\w+)", re.MULTILINE)


class Statements:
    """The named statements of some files, in aiosql's format.

    A line `-- include: NAME.sql` is replaced by the text of that file in the same folder. Each
    statement is parsed when it is first used: all of the ledger's take 20 ms, and a cold start
    needs only a few.

    Args:
        files: in which every statement has a different name.
    """

    def __init__(self, *files: Path) -> None:
        self._parsed: dict[str, Callable[..., Any]] = {}
        self._blocks: dict[str, str] = {}
        for file in files:
            text = _text(file)
            begins = [(match[1], match.start()) for match in _NAME.finditer(text)]
            ends = [begin for _, begin in begins[1:]] + [len(text)]
            for (name, begin), end in zip(begins, ends, strict=True):
                if name in self._blocks:
                    raise ValueError(f"{file.name}: a second statement {name}")
                self._blocks[name] = text[begin:end]

    def __getitem__(self, name: str) -> Callable[..., Any]:
        """Return a statement as aiosql does: a function of a connection and its parameters."""
        if name not in self._parsed:
            queries = aiosql.from_str(self._blocks[name], "psycopg2")
            self._parsed[name] = getattr(queries, name)
        return self._parsed[name]


def _text(file: Path) -> str:
    # A fragment may include others.
    return _INCLUDE.sub(
        lambda line: _text(file.with_name(line[1])), file.read_text(encoding="utf-8")
    )
