"""The examined installation: as many of its settings as can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from local import env_file
from local.addresses import is_loopback
from local.discovery import with_servers
from local.doctor.finding import Finding, ok, problem, warning
from local.environment import LocalEnvironment, unknown_names
from local.setting_names import misspelled
from shared.config import secrets
from shared.config.settings import Settings
from shared.errors import ServiceError, SettingError

CHECK = "settings"
SERVERS = "servers"
FIX = "correct it in the environment or in .env; ./sync settings explains each"


@dataclass(frozen=True, slots=True)
class Subject:
    """An installation.

    Attributes:
        environment: the user's configuration.
        settings: the valid ones, with the servers of the installation; invalid ones are left unset.
        is_set_up: whether its servers run or are named; if not, its first start creates much.
    """

    environment: LocalEnvironment
    settings: Settings
    is_set_up: bool


def read(
    variables: Mapping[str, str], folder: Path, add: Callable[[Finding], None]
) -> Subject | None:
    """Read the settings of the installation in a folder, even if some are invalid.

    Args:
        variables: the process's environment.
        folder: where `.env` is.
        add: called with each finding.

    Returns:
        None if not even the names and paths can be read.
    """
    findings: list[Finding] = []
    try:
        lines = env_file.read(folder / ".env", variables)
    except SettingError as error:
        add(problem(CHECK, str(error), FIX))
        return None
    findings += [problem(CHECK, str(error), FIX) for error in unknown_names(lines)]
    try:
        environment = LocalEnvironment.of(lines, variables, folder)
    except SettingError as error:
        add(problem(CHECK, str(error), FIX))
        return None
    inherited = [name for name in environment.given if name not in environment.places]
    for name, meant in misspelled(inherited).items():
        findings.append(
            warning(CHECK, f"{name} is set, but nothing reads it", f"did you mean {meant}?")
        )
    values = _with_servers(environment, findings)
    is_set_up = not any(finding.check == SERVERS for finding in findings)
    invalid = Settings.invalid(values)
    findings += [problem(CHECK, _placed(environment, error), FIX) for error in invalid.values()]
    settings = Settings.from_mapping({n: v for n, v in values.items() if n not in invalid})
    for check in _local_checks(environment, settings):
        try:
            check()
        except SettingError as error:
            findings.append(problem(CHECK, _placed(environment, error), FIX))
    for finding in findings or [ok(CHECK, "none invalid")]:
        add(finding)
    return Subject(environment, settings, is_set_up)


def _with_servers(environment: LocalEnvironment, findings: list[Finding]) -> Mapping[str, str]:
    """Return the variables, with those of the running servers, and with secrets resolved."""
    try:
        given = with_servers(environment).given
    except SettingError as error:
        findings.append(problem(CHECK, _placed(environment, error), FIX))
        return environment.given
    except ServiceError as error:
        findings.append(problem(SERVERS, str(error), "make run, make services or make up"))
        given = {"LOCAL_RUN": str(int(is_loopback(environment.host))), **environment.given}
    try:
        return dict(secrets.resolve(given))
    except SettingError as error:
        findings.append(problem(CHECK, _placed(environment, error), FIX))
        return given


def _local_checks(
    environment: LocalEnvironment, settings: Settings
) -> Iterator[Callable[[], object]]:
    """Yield checks that raise `SettingError`, for settings that only the local runtime reads."""
    yield lambda: environment.host
    yield lambda: environment.port
    yield lambda: environment.allowed_hosts
    yield lambda: environment.tls
    yield lambda: environment.s3_port
    yield lambda: environment.schedule_seconds
    yield lambda: environment.triggers
    yield lambda: environment.count("WORKERS", 1)
    yield lambda: environment.count("THREADS", 1)
    yield settings.require_long_keys


def _placed(environment: LocalEnvironment, error: SettingError) -> str:
    """Return an error with the file and line that it comes from."""
    try:
        with environment.placing_errors():
            raise error
    except SettingError as placed:
        return str(placed)
