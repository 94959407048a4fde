"""Composition root of the admin: built once per process, kept while a sandbox is warm."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from datetime import UTC, datetime

from functions.admin import records
from functions.admin.app import Admin
from functions.admin.dashboard.health import PROBE_SECONDS, Probes
from functions.admin.dashboard.page import Dashboard
from functions.admin.media.content import Media
from functions.admin.media.thumbnails import Pictures
from functions.admin.objects.actions import Actions
from functions.admin.objects.pages import FilePages
from functions.admin.objects.paging import Paging
from functions.admin.records import Objects
from functions.admin.web.assets import Assets
from functions.admin.web.login import Login, password_hash
from functions.admin.web.logouts import Logouts
from functions.admin.web.rendering import Pages
from functions.admin.web.sessions import Sessions
from shared import adapters
from shared.cache.interface import Cache
from shared.config.process_cache import once_per_process
from shared.config.settings import Settings, needed
from shared.config.startup import start
from shared.http.rate_limit import RateLimiter
from shared.ledger.database import Database
from shared.ledger.ledger import Ledger
from shared.storage.reading import StoredFiles

SESSION_SECONDS = 12 * 3600
LARGEST_ON_LAMBDA = 4 * 1024 * 1024
"""An answer of a Lambda function is 6 MB at most, and a file in it base64: four thirds."""

LARGEST = 32 * 1024 * 1024
"""Elsewhere memory is the limit, for an answer is held whole and several are at a time."""


@once_per_process
def admin() -> Admin:
    """Gives this process's admin.

    Raises:
        SettingError: a setting is missing or wrong, the default password outside a local run
            included.
    """
    return build(start(required=("DATABASE_URL", "STORAGE_PATH")))


def build(settings: Settings) -> Admin:
    """Gives an admin with these settings; connects when first used.

    Raises:
        SettingError: as `admin`.
    """
    hashed = password_hash(settings.admin_password_hash, local_run=settings.local_run)
    url = needed(settings.database_url, "DATABASE_URL")
    files = StoredFiles(needed(settings.storage_path, "STORAGE_PATH"))
    counters = adapters.cache(settings)
    ledger = Ledger.at(url)
    database = Database(url, records.QUERIES)
    recorded = Objects(database)
    static = Assets()
    pages = Pages(static, _now)
    piece = LARGEST_ON_LAMBDA if settings.on_lambda else LARGEST
    return Admin(
        sessions=Sessions(session_key(settings), SESSION_SECONDS, time.time),
        logouts=Logouts(database),
        login=Login(settings.admin_user, hashed, RateLimiter(counters), settings.rate_limit_login),
        pages=pages,
        files=FilePages(
            pages=pages,
            paging=Paging(database),
            objects=recorded,
            ledger=ledger,
            actions=Actions(recorded, ledger, files),
            files=files,
            piece=None if settings.media_accel else piece,
        ),
        dashboard=Dashboard(
            ledger, recorded, files, Probes(probes(settings, ledger, counters)), _now
        ),
        media=Media(recorded, files, piece, accelerated=settings.media_accel),
        pictures=Pictures(recorded, files),
        static=static,
        trusted_proxies=settings.trusted_proxies,
        always_secure=settings.on_lambda,
    )


def session_key(settings: Settings) -> bytes:
    """Gives the key of the session cookies: a new password logs everybody out.

    Raises:
        SettingError: there is no secret to derive it from.
    """
    secret = needed(settings.admin_session_key or settings.secret_key, "ADMIN_SESSION_KEY")
    # The default password's hash is made anew in each process, which must share their sessions.
    about = settings.admin_password_hash or "local run"
    return hmac.new(secret, f"admin session {about}".encode(), hashlib.sha256).digest()


def probes(settings: Settings, ledger: Ledger, counters: Cache) -> dict[str, Callable[[], str]]:
    """Gives what asks each server that is set up."""

    def database() -> str:
        ledger.ping()
        return "Answers"

    def cached() -> str:
        counters.ping()
        return "Answers" if settings.memcached_url else "In this process"

    found = {"Database": database, "Cache": cached}
    if settings.rabbitmq_url:
        broker = adapters.queue(settings)

        def queued() -> str:
            depth = broker.depth()
            return f"{depth} message{'' if depth == 1 else 's'} waiting"

        found["Queue"] = queued
    if source := adapters.source_probe(settings, PROBE_SECONDS):
        found[source.name] = source.ask
    return found


def _now() -> datetime:
    return datetime.now(UTC)
