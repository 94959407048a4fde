"""Where what this process counts goes, as the settings choose; only that way's driver is imported.

This is part of a process's start, so it imports no more than it must.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from shared.config.settings import Settings
from shared.config.shutdown import close_at_exit
from shared.metrics import tally

if TYPE_CHECKING:
    from shared.metrics.emf import Emitter
    from shared.metrics.shared_files import SharedFiles


def export(settings: Settings) -> None:
    """Export from now on what this process counts; safe to repeat.

    On Lambda it becomes lines for CloudWatch; elsewhere it goes to the folder that all processes of
    the machine share, for /metrics. Without either it is counted and goes nowhere.
    """
    if settings.metrics_namespace:
        cloudwatch(settings.metrics_namespace)
    elif settings.metrics_path:
        shared_files(settings.metrics_path)


@cache
def cloudwatch(namespace: str) -> Emitter:
    """Return this process's writer of metrics for CloudWatch."""
    from shared.metrics.emf import Emitter

    emitter = Emitter(namespace, tally.process)
    emitter.attach()
    return emitter


@cache
def shared_files(folder: str) -> SharedFiles:
    """Return the counts that this process shares with the others of its machine."""
    from shared.metrics.shared_files import SharedFiles

    files = SharedFiles(Path(folder), tally.process)
    files.attach()
    close_at_exit(files.close)
    return files
