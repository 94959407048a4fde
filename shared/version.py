"""The version of the service, as people see it; pyproject.toml has the same."""

from __future__ import annotations

VERSION = "1.0.0"
