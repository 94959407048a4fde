"""The summary of a run for docs/guarantees.md."""

from __future__ import annotations

import os
from pathlib import Path

from tests.faults.soak.flatness import Course
from tests.faults.soak.run import Outcome

BEGIN = "<!-- the last soak begins -->"
END = "<!-- the last soak ends -->"


def summary(outcome: Outcome) -> str:
    """Return the summary as Markdown."""
    plan, minutes = outcome.plan, outcome.seconds / 60
    faults = sum(outcome.faults.values())
    answers = ", ".join(
        f"{count:,} × {'none' if status is None else status}"
        for status, count in sorted(outcome.answers.items(), key=lambda item: -item[1])
    )
    rows = [
        ("planned", f"{plan.objects:,} objects in {plan.minutes:g} minutes, seed {plan.seed}"),
        ("took", f"{minutes:.0f} minutes on {os.cpu_count()} cores"),
        ("pace", f"{outcome.recorded / outcome.seconds:.0f} objects a second"),
        ("answers", answers),
        ("recorded", f"{outcome.recorded:,}"),
        ("compared byte by byte and right", f"{outcome.verified:,}"),
        ("lost or wrong", f"{outcome.lost:,}"),
        ("failed", f"{outcome.failed:,}"),
        ("recorded or synced twice", f"{outcome.twice:,}"),
        ("counts, queue, dead letters, files left over", _verdict(outcome)),
        ("faults", f"{faults:,}"),
    ]
    if outcome.skipped:
        rows.append(("skipped", outcome.skipped))
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    kinds = "\n".join(f"| {name} | {count:,} |" for name, count in sorted(outcome.faults.items()))
    courses = "\n".join(_row(course) for course in outcome.courses)
    return (
        "![Memory, file descriptors, objects and queue over time](soak.svg)\n\n"
        f"| | |\n|---|---|\n{table}\n\n"
        "| process | RSS, first third | RSS, last third | slope an hour | "
        "fewest file descriptors, first third | last third | most |\n"
        f"|---|---:|---:|---:|---:|---:|---:|\n{courses}\n\n"
        f"| fault | times |\n|---|---:|\n{kinds}"
    )


def write(text: str, document: Path) -> None:
    """Put the summary between the marks of a Markdown document."""
    before, _, rest = document.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    document.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def _verdict(outcome: Outcome) -> str:
    return f"{len(outcome.complaints)} complaints" if outcome.complaints else "exact"


def _row(course: Course) -> str:
    slope = "too short" if course.slope is None else f"{course.slope:+.1f} MiB"
    return (
        f"| {course.role} | {course.first:.0f} MiB | {course.last:.0f} MiB | {slope} | "
        f"{course.fds_first} | {course.fds_last} | {course.fds_most} |"
    )
