"""How a process starts: settings read once, secrets fetched, log lines set up."""

from __future__ import annotations

import gc

from shared import injection_points, log
from shared.config import renewal
from shared.config.process_cache import once_per_process
from shared.config.settings import Settings, environment
from shared.metrics.exporting import export

GARBAGE_THRESHOLD = 20_000
"""Objects that are allocated before Python searches them for cycles; 700 by default. A batch keeps
thousands, almost none of them in a cycle, and repeated searches took up to a tenth of a worker's
time (documentation of `gc.set_threshold`)."""


def start() -> Settings:
    """Set this process up and return its settings; safe to repeat.

    Raises:
        SettingError: one is invalid, a key is too short, or a secret cannot be read.
    """
    ours = Settings.from_mapping(renewal.process.resolve(environment()))
    ours.require_long_keys()
    configure_log(ours)
    injection_points.arm(environment())
    gc.set_threshold(GARBAGE_THRESHOLD)
    export(ours)
    return ours


@once_per_process
def settings() -> Settings:
    """Return the settings of this process, which is set up by the first call; see `start`.

    Raises:
        SettingError: as of `start`.
    """
    return start()


def configure_log(ours: Settings) -> None:
    """Send this process's log lines to standard error, in the form that the settings name."""
    log.configure(ours.log_level, style=ours.log_format, environment=environment())
