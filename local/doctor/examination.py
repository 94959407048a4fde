"""Runs every check of `./sync doctor` at the same time, within a time limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from local.at_once import ask_all
from local.doctor import cache, callbacks, ledger, queue, service, source, storage, versions
from local.doctor.finding import Finding, problem
from local.doctor.subject import Subject, read
from local.preflight import adopt_sdk_variables

STEP_SECONDS = 4.0
"""Time limit of one step with one server."""

SECONDS = 15.0
"""Time limit of all checks together; boto3 tries each of three requests twice."""


def examine(variables: Mapping[str, str], folder: Path) -> list[Finding]:
    """Return the findings about the installation in a folder.

    Args:
        variables: the process's environment.
        folder: the project's.
    """
    findings: list[Finding] = []
    subject = read(variables, folder, findings.append)
    if subject is None:
        return findings
    adopt_sdk_variables(subject.environment)
    answers = ask_all(_checks(subject), SECONDS)
    for name, answer in answers.items():
        findings += answer.values
        if not answer.ended:
            findings.append(
                problem(name, f"no answer within {SECONDS:g} s", "check whether it is frozen")
            )
        elif answer.error is not None:
            about = f"{type(answer.error).__name__}: {answer.error}"
            findings.append(problem(name, about, "the check itself failed: report it as a bug"))
    return findings


def _checks(subject: Subject) -> dict[str, Callable[[], Iterator[Finding]]]:
    environment, settings = subject.environment, subject.settings
    folder = Path(settings.storage_path or environment.storage)
    return {
        "packages": versions.packages,
        "PostgreSQL": partial(ledger.examine, settings, STEP_SECONDS),
        "RabbitMQ": partial(queue.examine, settings, STEP_SECONDS),
        "memcached": partial(cache.examine, settings, STEP_SECONDS),
        "S3": partial(source.examine, settings, STEP_SECONDS, required=subject.is_set_up),
        "storage": partial(storage.examine, settings, folder, required=subject.is_set_up),
        "callbacks": partial(callbacks.examine, settings, STEP_SECONDS),
        "service": partial(service.answering, environment),
        "heartbeats": partial(service.processes, settings),
        "admin password": partial(service.password, settings),
        "TLS certificate": partial(service.certificate, environment, datetime.now(UTC)),
        "systemd": partial(service.units, STEP_SECONDS),
    }
