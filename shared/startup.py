"""How a function starts: settings read once, secrets fetched, log lines set up."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from shared import log, secrets
from shared.settings import Settings, environment

if TYPE_CHECKING:
    from collections.abc import Iterable


#: Objects that are made before Python looks for cycles among them; 700 by default. A batch keeps
#: thousands, hardly one in a cycle, and looking through them again and again took a worker up to a
#: tenth of its time (documentation of `gc.set_threshold`).
GARBAGE_THRESHOLD = 20_000


def start(required: Iterable[str]) -> Settings:
    """Gives the settings of this process.

    Args:
        required: the variables that the caller cannot do without.

    Raises:
        SettingError: one is missing or wrong, or a secret cannot be read.
    """
    settings = Settings.from_mapping(secrets.resolve(environment()), required)
    log.configure(settings.log_level)
    gc.set_threshold(GARBAGE_THRESHOLD)
    return settings
