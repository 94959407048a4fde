"""Tests in containers take minutes and need an engine: they have make targets of their own."""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("CONTAINERS") else ["test_systemd.py"]
