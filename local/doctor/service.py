"""The service itself: its address, its processes, its password, its certificate, its units."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from local.client import Client, NotAnswered
from local.doctor.finding import Finding, ok, problem, skipped, warning
from local.environment import LocalEnvironment
from shared import adapters
from shared.config.admin_password import admin_password_hash
from shared.config.settings import Settings
from shared.errors import LedgerUnavailable, SettingError
from shared.health import Part, Status, scheduler, worker
from shared.ledger.heartbeats import SCHEDULER

CERTIFICATE_DAYS = 21
"""Certificates are usually renewed 30 days before they expire; after 21, renewal is overdue."""

UNITS = "external-storage-sync*"
"""Names of the systemd units of this service."""

SYSTEMD = Path("/run/systemd/system")
"""Exists while systemd is the machine's service manager (sd_booted(3))."""


def answering(environment: LocalEnvironment) -> Iterator[Finding]:
    """Yield whether the service answers at its address."""
    try:
        Client(environment.url, b"", retry_seconds=0).check()
    except NotAnswered as error:
        yield problem("service", str(error), "start it, or read its log")
    else:
        yield ok("service", f"{environment.url} answers")


def processes(settings: Settings) -> Iterator[Finding]:
    """Yield whether workers and the scheduler have sent heartbeats recently."""
    if settings.database_url is None:
        yield skipped("heartbeats", "they are in PostgreSQL, which is not set up")
        return
    with closing(adapters.ledger(settings)) as ledger:
        try:
            waited = ledger.oldest_queued_seconds() or 0.0
            beats = ledger.heartbeats.all()
        except LedgerUnavailable as error:
            yield skipped("heartbeats", f"they are in the ledger: {error}")
            return
    now = datetime.now(UTC)
    if not any(beat.component == SCHEDULER for beat in beats):
        yield warning("scheduler", "no heartbeat for a day", "start ./sync scheduler")
    else:
        yield _judged(scheduler(beats, now), "restart ./sync scheduler, or read its log")
    yield _judged(worker(beats, waited, now), "restart ./sync trigger, or read its log")


def _judged(part: Part, advice: str) -> Finding:
    if part.status is Status.OK:
        return ok(part.name, "no problem reported")
    since = f", since {part.since:%Y-%m-%d %H:%M}" if part.since else ""
    return problem(part.name, f"{part.reason}{since}", advice)


def password(settings: Settings) -> Iterator[Finding]:
    """Yield whether the admin has a password that is allowed here."""
    given = settings.admin_password is not None or settings.admin_password_hash is not None
    if settings.local_run and not given:
        yield warning(
            "admin password",
            "the default one, which is accepted on this machine only",
            "set ADMIN_PASSWORD_HASH: ./sync hash-password",
        )
        return
    try:
        admin_password_hash(settings)
    except SettingError as error:
        yield problem("admin password", str(error), "set ADMIN_PASSWORD_HASH: ./sync hash-password")
    else:
        yield ok("admin password", "set")


def certificate(environment: LocalEnvironment, now: datetime) -> Iterator[Finding]:
    """Yield whether the certificate matches its key, and how long it is valid.

    Args:
        environment: names the files.
        now: the time (aware).
    """
    check = "TLS certificate"
    try:
        files = environment.tls
    except SettingError:
        return  # reported with the settings
    if files is None:
        yield skipped(check, "TLS_CERTIFICATE is not set")
        return
    from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415 # 30 ms

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*files)
        ends = load_pem_x509_certificate(files[0].read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:  # ssl's errors are OSErrors
        yield problem(check, f"{files[0]}: {error}", "correct TLS_CERTIFICATE and TLS_KEY")
        return
    shown = f"valid until {ends:%Y-%m-%d %H:%M} UTC"
    if ends <= now:
        yield problem(check, f"expired: {shown}", "renew it, then restart nginx")
    elif ends <= now + timedelta(days=CERTIFICATE_DAYS):
        yield warning(check, shown, "renew it, then restart nginx")
    else:
        yield ok(check, shown)


def units(seconds: float) -> Iterator[Finding]:
    """Yield whether the systemd units of the service are active.

    Args:
        seconds: time limit for systemd.
    """
    program = shutil.which("systemctl")
    if program is None or not SYSTEMD.exists():
        yield skipped("systemd", "not the service manager of this machine")
        return
    listing = [program, "list-units", "--all", "--plain", "--no-legend", "--full", UNITS]
    done = subprocess.run(listing, capture_output=True, text=True, check=False, timeout=seconds)
    found = [line.split(maxsplit=4) for line in done.stdout.splitlines()]
    if not found:
        yield skipped("systemd", "no unit of this service is installed")
    for name, _, active, sub, *_ in (fields for fields in found if len(fields) > 3):  # noqa: PLR2004
        if active == "active":
            yield ok(f"unit {name}", sub)
        elif active == "failed":
            yield problem(f"unit {name}", sub, f"journalctl -u {name}, then systemctl restart")
        else:
            yield warning(f"unit {name}", f"{active} ({sub})", f"systemctl start {name}")
