"""How a function starts: settings read once, secrets fetched, log lines set up."""

from __future__ import annotations

import gc
from collections.abc import Iterable

from shared import log
from shared.config import secrets
from shared.config.settings import Settings, environment

GARBAGE_THRESHOLD = 20_000
"""Objects that are made before Python looks for cycles among them; 700 by default. A batch keeps
thousands, hardly one in a cycle, and looking through them again and again took a worker up to a
tenth of its time (documentation of `gc.set_threshold`)."""


def start(required: Iterable[str]) -> Settings:
    """Return the settings of this process.

    Args:
        required: the variables that the caller cannot do without.

    Raises:
        SettingError: one is missing or wrong, or a secret cannot be read.
    """
    settings = Settings.from_mapping(secrets.resolve(environment()), required)
    log.configure(settings.log_level)
    gc.set_threshold(GARBAGE_THRESHOLD)
    return settings
