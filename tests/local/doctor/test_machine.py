"""What the doctor finds on this machine: settings, storage, certificate, the whole examination."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.at_once import ask_all
from local.doctor import service, source, storage, versions
from local.doctor.finding import Finding, Level, document, is_healthy, ok, problem, skipped, warning
from local.doctor.subject import read
from local.environment import LocalEnvironment
from shared.config.settings import Settings
from shared.errors import SettingError
from shared.ledger.ledger import Ledger
from shared.storage.local import LocalStorage
from tests.helpers.certificates import certificate
from tests.helpers.failing_disk import CannotMount, mounted
from tests.helpers.paths import ROOT
from tests.helpers.project import environment
from tests.helpers.servers import free_port


def levels(findings: Iterator[Finding]) -> dict[str, Level]:
    return {finding.check: finding.level for finding in findings}


def test_every_invalid_setting_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MAX_ATTEMPTS=none\nRATE_LIMT_POST=1/s\n")
    findings: list[Finding] = []
    variables = {"QUEUE_TYPE": "odd", "PORT": "99999", "DATABASE_URL": "http://x", "PROT": "1"}
    subject = read(variables, tmp_path, findings.append)
    assert subject is not None
    assert subject.settings.queue_type == "quorum"
    problems = [f for f in findings if f.level is Level.PROBLEM]
    for text in (
        ".env:1: MAX_ATTEMPTS",
        ".env:2: RATE_LIMT_POST",
        "did you mean RATE_LIMIT_POST",
        "QUEUE_TYPE",
        "PORT",
        "DATABASE_URL",
    ):
        assert any(text in finding.detail for finding in problems), text
    assert len(problems) == 5
    assert all(finding.advice for finding in problems)
    assert [f.advice for f in findings if f.level is Level.WARNING] == ["did you mean PORT?"]


def test_a_file_of_settings_that_cannot_be_read_is_one_problem(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("no assignment\n")
    findings: list[Finding] = []
    assert read({}, tmp_path, findings.append) is None
    assert [finding.level for finding in findings] == [Level.PROBLEM]


def test_every_invalid_setting_is_collected() -> None:
    given = {"MAX_ATTEMPTS": "0", "QUEUE_TYPE": "odd", "LEASE_SECONDS": "5"}
    assert set(Settings.invalid(given)) == {"MAX_ATTEMPTS", "QUEUE_TYPE"}
    with pytest.raises(SettingError, match="MAX_ATTEMPTS"):
        Settings.from_mapping({"MAX_ATTEMPTS": "0"})


def test_a_storage_of_this_installation_is_fine(database_url: str, tmp_path: Path) -> None:
    settings = Settings(database_url=database_url, storage_path=str(tmp_path))
    new = list(storage.examine(settings, tmp_path))
    assert is_healthy(new)
    assert list(tmp_path.iterdir()) == []  # nothing is written before the first worker
    ledger = Ledger.at(database_url)
    own = LocalStorage(tmp_path, owner=ledger.installation)
    own.check_owner()
    own.close()
    ledger.close()
    found = levels(storage.examine(settings, tmp_path))
    assert found["storage owner"] is Level.OK
    assert found["storage"] is Level.OK


def test_a_storage_that_is_missing_or_anothers_is_a_problem(
    database_url: str, tmp_path: Path
) -> None:
    settings = Settings(database_url=database_url, storage_path=str(tmp_path / "nowhere"))
    (missing,) = storage.examine(settings, tmp_path / "nowhere")
    assert (missing.check, missing.level) == ("storage", Level.PROBLEM)
    (tmp_path / ".incoming" / "owner" / ("f" * 32)).mkdir(parents=True)
    settings = Settings(database_url=database_url, storage_path=str(tmp_path))
    found = {finding.check: finding for finding in storage.examine(settings, tmp_path)}
    assert found["storage owner"].level is Level.PROBLEM
    assert "./sync adopt-storage" in found["storage owner"].advice


def test_what_is_made_at_the_first_start_is_not_missed_before(tmp_path: Path) -> None:
    findings: list[Finding] = []
    subject = read({"DATA_DIR": str(tmp_path / "data")}, tmp_path, findings.append)
    assert subject is not None
    assert not subject.is_set_up
    assert [(f.check, f.level) for f in findings] == [("servers", Level.PROBLEM)]
    for check in (
        source.examine(subject.settings, 1.0, required=False),
        storage.examine(subject.settings, tmp_path / "data" / "storage", required=False),
    ):
        assert [finding.level for finding in check] == [Level.SKIPPED]
    (needed,) = source.examine(Settings(), 1.0)
    assert needed.level is Level.PROBLEM
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("option", "check"), [("size=64k", "space"), ("nr_inodes=20", "inodes")])
def test_a_full_disk_is_a_problem(option: str, check: str, tmp_path: Path) -> None:
    try:
        with mounted(tmp_path / "small", "-t", "tmpfs", "-o", option, "tmpfs"):
            found = levels(storage.examine(Settings(), tmp_path / "small"))
    except CannotMount as error:
        pytest.skip(str(error))
    assert found[f"storage {check}"] is Level.PROBLEM


def test_a_certificate_is_looked_at_before_it_expires(tmp_path: Path) -> None:
    file, key = certificate(tmp_path, "localhost")
    here = LocalEnvironment.load({"TLS_CERTIFICATE": str(file), "TLS_KEY": str(key)}, tmp_path)
    now = datetime.now(UTC)  # the certificate is valid for a day from now on
    for days, level in ((-30, Level.OK), (0, Level.WARNING), (2, Level.PROBLEM)):
        (found,) = service.certificate(here, now + timedelta(days=days))
        assert found.level is level, days
    _, other = certificate(tmp_path / "other", "localhost")
    here = LocalEnvironment.load({"TLS_CERTIFICATE": str(file), "TLS_KEY": str(other)}, tmp_path)
    (found,) = service.certificate(here, now)
    assert found.level is Level.PROBLEM


def test_the_admins_password_must_be_set_where_others_reach_it() -> None:
    (elsewhere,) = service.password(Settings())
    assert elsewhere.level is Level.PROBLEM
    (here,) = service.password(Settings(local_run=True))
    assert here.level is Level.WARNING
    (short,) = service.password(Settings(admin_password="short"))
    assert (short.level, "ADMIN_PASSWORD" in short.detail) == (Level.PROBLEM, True)


def test_packages_are_compared_with_the_lock(tmp_path: Path) -> None:
    (found,) = versions.packages()
    assert found.level is Level.OK
    lock = tmp_path / "lock"
    lock.write_text("pytest==999.0 \\\nno-such-package==1.0 \\\nno-such-other==1 ; x == 'y' \\\n")
    missing, older = versions.packages(lock)
    assert (missing.level, older.level) == (Level.PROBLEM, Level.WARNING)
    assert "no-such-other" not in missing.detail


@pytest.mark.parametrize(
    ("version", "numbers"), [("17.2", (17, 2)), ("4.1.0-rc.1", (4, 1, 0)), ("", ()), ("x", ())]
)
def test_versions_are_compared_by_their_numbers(version: str, numbers: tuple[int, ...]) -> None:
    assert versions.numbers(version) == numbers


@pytest.mark.parametrize(
    ("findings", "worst"),
    [
        ([], "ok"),
        ([ok("a", "")], "ok"),
        ([ok("a", ""), skipped("b", "")], "ok"),
        ([warning("a", "", "x"), skipped("b", "")], "warning"),
        ([problem("a", "", "x"), warning("b", "", "x"), ok("c", "")], "problem"),
    ],
)
def test_the_worst_finding_is_the_documents_status(findings: list[Finding], worst: str) -> None:
    assert document(findings)["status"] == worst
    assert is_healthy(findings) == (worst != "problem")


def test_a_question_that_is_not_answered_delays_no_other() -> None:
    released = threading.Event()

    def frozen() -> Iterator[int]:
        yield 1
        released.wait()
        yield 2

    def broken() -> Iterator[int]:
        yield 3
        raise ValueError("broken")

    questions: dict[str, Callable[[], Iterator[int]]] = {"frozen": frozen, "broken": broken}
    answers = ask_all(questions, 0.3)
    released.set()
    assert (answers["frozen"].values, answers["frozen"].ended) == ((1,), False)
    assert (answers["broken"].values, answers["broken"].ended) == ((3,), True)
    assert str(answers["broken"].error) == "broken"


def test_with_everything_down_it_ends_and_says_what_to_do(tmp_path: Path, silent_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local", "doctor", "--json"],
        cwd=tmp_path,
        env=environment(
            PYTHONPATH=str(ROOT),
            DATABASE_URL=f"postgresql://u:secret1@127.0.0.1:{free_port()}/d",
            RABBITMQ_URL=silent_url,
            MEMCACHED_URL=f"127.0.0.1:{free_port()}",
            AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{free_port()}",
            AWS_S3_ACCESS_KEY_ID="k",
            AWS_S3_SECRET_ACCESS_KEY="secret2",
            AWS_S3_BUCKET_NAME="client-uploads",
            STORAGE_PATH=str(tmp_path / "nowhere"),
            SECRET_KEY="secret3",
            PORT=str(free_port()),
        ),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "secret" not in done.stdout
    found = {finding["check"]: finding for finding in json.loads(done.stdout)["findings"]}
    for check in ("PostgreSQL", "RabbitMQ", "S3", "storage", "service"):
        assert found[check]["level"] == "problem", check
        assert found[check]["advice"]
    assert found["memcached"]["level"] == "warning"
