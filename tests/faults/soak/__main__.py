"""`make soak`: soak a stack of its own, and write summary, samples and curves into docs/."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

from tests.faults.harness.stack import Stack
from tests.faults.soak import plot, report
from tests.faults.soak.run import Plan, soak
from tests.helpers.paths import ROOT

logger = logging.getLogger(__name__)

FAILED = 1


def main() -> int:
    """Run it as the environment says; return the exit code."""
    # SIGTERM ends it early, with a report of what it has come to; Ctrl-C without one.
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # brokers that are down are meant
    plan = Plan(
        objects=int(os.environ.get("SOAK_OBJECTS", "1000000")),
        minutes=float(os.environ.get("SOAK_MINUTES", "60")),
        seed=int(os.environ.get("SEED", "1")),
    )
    docs = Path(os.environ.get("SOAK_DOCS") or ROOT / "docs")
    with tempfile.TemporaryDirectory(prefix="sync-soak-", ignore_cleanup_errors=True) as folder:
        # PostgreSQL has an account of its own when we are root, and must find its data.
        Path(folder).chmod(0o755)
        stack = Stack(Path(folder))
        try:
            outcome = soak(stack, plan, over.is_set)
            if outcome.complaints:
                logger.error("%s", stack.logs())
        finally:
            stack.close()
    text = report.summary(outcome)
    logger.info("%s", text)
    outcome.samples.write(docs / "soak.csv")
    title = f"{outcome.recorded:,} objects in {outcome.seconds / 60:.0f} minutes, all faults on"
    (docs / "soak.svg").write_text(plot.svg(outcome.samples.taken, title))
    document = docs / "guarantees.md"
    if document.exists():
        report.write(text, document)
    for complaint in outcome.complaints:
        logger.error("%s", complaint)
    return FAILED if outcome.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
