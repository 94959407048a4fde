"""The report of a run as a file: CSV or JSON, written in bounded memory."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from shared.errors import FileUnreadable
from shared.ledger.runs import Finding, Run

COLUMNS = tuple(field.name for field in fields(Finding))


def document(run: Run) -> dict[str, Any]:
    """Return what is said of a run, without its findings."""
    return {
        "id": run.id,
        "kind": run.kind.value,
        "actor": run.actor,
        "options": dict(run.options),
        "state": run.state.value,
        "begun_at": run.begun_at,
        "finished_at": run.finished_at,
        "error": run.error,
        "numbers": dict(run.numbers),
    }


def writer_for(file: Path) -> Callable[[TextIO, Mapping[str, Any], Iterable[Finding]], None]:
    """Return what writes a report of the kind that a file's name ends in.

    Raises:
        ValueError: it ends in neither .csv nor .json.
    """
    kind = {".csv": _write_csv, ".json": _write_json}.get(file.suffix.lower())
    if kind is None:
        raise ValueError("expected a name that ends in .csv or .json")
    return kind


def write(file: Path, run: Mapping[str, Any], findings: Iterable[Finding]) -> None:
    """Write a report, whole or not at all.

    Args:
        file: see `writer_for`.
        run: its document; a report in JSON begins with it.
        findings: of the run.

    Raises:
        FileUnreadable: it cannot be written.
    """
    writing = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        with writing.open("w", encoding="utf-8", newline="") as stream:
            writer_for(file)(stream, run, findings)
        writing.replace(file)
    except OSError as error:
        raise FileUnreadable(f"{file}: {error.strerror}") from error
    finally:
        writing.unlink(missing_ok=True)


def _write_csv(stream: TextIO, _: Mapping[str, Any], findings: Iterable[Finding]) -> None:
    writer = csv.DictWriter(stream, COLUMNS)
    writer.writeheader()
    writer.writerows(map(asdict, findings))


def _write_json(stream: TextIO, run: Mapping[str, Any], findings: Iterable[Finding]) -> None:
    head = json.dumps({**run, "findings": []}, ensure_ascii=False, default=datetime.isoformat)
    stream.write(head[:-2])
    separator = "\n"
    for finding in findings:
        stream.write(separator + json.dumps(asdict(finding), ensure_ascii=False))
        separator = ",\n"
    stream.write("\n]}\n")
