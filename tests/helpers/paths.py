"""Where the project's own files are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The project's folder."""

EVENTS = ROOT / "tests" / "events"
"""Events as AWS sends them, and requests with their answers."""
