"""The commands of README.md and the other pages, as a reader would copy them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.paths import ROOT

PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("**/*.md")),
)
PROGRAMS = ("./sync", ".venv/bin/external-storage-sync", "external-storage-sync", "make")
_BLOCK = re.compile(r"^ *```(\w+)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+(?:\n +[^`\n]+)?)`")


@dataclass(frozen=True)
class Command:
    """A command in a page.

    Attributes:
        page: the page, relative to the project.
        text: the command without a comment behind it.
    """

    page: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def blocks(page: Path, *languages: str) -> list[str]:
    """Return the fenced blocks of a page that are in one of the languages."""
    found = _BLOCK.findall(page.read_text())
    return [content for language, content in found if language in languages]


def commands() -> Iterator[Command]:
    """Yield every command of ours: lines of shell blocks, and code within a line."""
    for page in PAGES:
        name = str(page.relative_to(ROOT))
        for block in blocks(page, "bash", "sh"):
            for line in block.splitlines():
                for part in _own(re.sub(r"\s+#.*", "", line.strip())):
                    yield Command(name, part)
        for code in _INLINE.findall(_BLOCK.sub("", page.read_text())):
            for part in _own(re.sub(r"\s+", " ", code)):
                yield Command(name, part)


def _own(text: str) -> Iterator[str]:
    """Yield the text if it begins with a program of ours, and what it runs of ours in `$(…)`."""
    if text.partition(" ")[0] in PROGRAMS and " " in text:
        yield text
    for inner in re.findall(r"\$\(([^()]+)\)", text):
        yield from _own(inner)
