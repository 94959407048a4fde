"""Composition root of the admin: built once per process, kept while its environment is warm."""

from __future__ import annotations

import hashlib
import hmac
import time
from datetime import UTC, datetime

from functions.admin.app import Admin
from functions.admin.bulk.pages import BulkPages
from functions.admin.bulk.performing import BulkActions
from functions.admin.bulk.results import Results
from functions.admin.callbacks.actions import CallbackActions
from functions.admin.callbacks.pages import CallbackPages
from functions.admin.dashboard.first_request import first_request
from functions.admin.dashboard.health import HealthChecks
from functions.admin.dashboard.page import DashboardPages
from functions.admin.dashboard.probes import BucketProbe, probes
from functions.admin.export.pages import PART, PART_ON_LAMBDA, ExportPages
from functions.admin.failures.page import FailurePages
from functions.admin.media.content import (
    LARGEST_RESPONSE,
    LARGEST_RESPONSE_ON_LAMBDA,
    Media,
)
from functions.admin.media.decoder import Decoder
from functions.admin.media.thumbnail_cache import ThumbnailCache
from functions.admin.media.thumbnails import FORMATS, Thumbnails
from functions.admin.objects.actions import ObjectActions
from functions.admin.objects.list_page import ListPage
from functions.admin.objects.pages import ObjectPages
from functions.admin.objects.paging import Paging
from functions.admin.objects.view import ObjectView
from functions.admin.records import QUERIES, Records
from functions.admin.web.access_control import Gate
from functions.admin.web.assets import Assets
from functions.admin.web.credentials import Credentials
from functions.admin.web.login import LoginPages
from functions.admin.web.problems import ProblemPages
from functions.admin.web.rendering import Templates
from functions.admin.web.sessions import SESSION_SECONDS, RevokedSessions, Sessions
from shared import adapters
from shared.config.admin_password import admin_password_hash
from shared.config.process_cache import once_per_process
from shared.config.settings import Settings, needed
from shared.config.shutdown import close_at_exit
from shared.config.startup import start
from shared.http.rate_limit import RateLimiter
from shared.ledger import objects as objects_read
from shared.ledger import overview, scanning
from shared.storage.reading import StorageReader


@once_per_process
def admin() -> Admin:
    """Return this process's admin.

    Raises:
        SettingError: a setting is missing or invalid, as the default password outside a local
            run is.
    """
    return build(start())


def build(settings: Settings) -> Admin:
    """Return an admin with these settings; it connects when it is first used.

    Raises:
        SettingError: as `admin`.
    """
    password_hash = admin_password_hash(settings)
    files = StorageReader(needed(settings.storage_path, "STORAGE_PATH"))
    ledger = adapters.ledger(settings, "admin")
    cache = adapters.cache(settings, ledger)
    login_cache = adapters.lasting_cache(settings, ledger)
    database = adapters.database(
        settings,
        QUERIES,
        scanning.QUERIES,
        objects_read.QUERIES,
        overview.QUERIES,
        function="admin",
    )
    decoder = Decoder(FORMATS)
    close_at_exit(decoder.close, ledger.close, database.close, cache.close, login_cache.close)
    records = Records(database)
    assets = Assets()
    name = settings.environment_name or ("local" if settings.local_run else "")
    templates = Templates(assets, name)
    sessions = Sessions(session_key(settings), SESSION_SECONDS, time.time)
    revoked = RevokedSessions(database)
    credentials = Credentials(
        settings.admin_user, password_hash, RateLimiter(login_cache), settings.rate_limit_login
    )
    paging = Paging(database)
    searches = scanning.Scanning(database)
    reasons = overview.Overview(database)
    bulk_actions = BulkActions(ledger, files)
    callback_actions = CallbackActions(ledger.replays)
    largest = LARGEST_RESPONSE_ON_LAMBDA if settings.on_lambda else LARGEST_RESPONSE
    bucket = None
    if settings.bucket and (connect := adapters.listing(settings)) is not None:
        bucket = BucketProbe(connect)
        close_at_exit(bucket.close)

    def clock() -> datetime:
        return datetime.now(UTC)

    dashboard = DashboardPages(
        templates=templates,
        ledger=ledger,
        records=records,
        overview=reasons,
        files=files,
        health=HealthChecks(probes(settings, ledger, cache, bucket)),
        first_request=lambda context: first_request(
            context.request,
            secure=context.secure,
            key=settings.secret_key if settings.local_run else None,
            s3_url=settings.s3_endpoint if settings.local_run else None,
            bucket=settings.bucket,
        ),
        clock=clock,
    )
    login = LoginPages(templates, credentials, sessions, revoked)
    return Admin(
        gate=Gate(
            sessions,
            revoked,
            settings.trusted_proxies,
            on_lambda=settings.on_lambda,
            networks=settings.admin_networks,
        ),
        login=login,
        dashboard=dashboard,
        listed=ListPage(
            templates=templates,
            paging=paging,
            records=records,
            ledger=ledger,
            scanning=searches,
            overview=reasons,
            actions=bulk_actions,
        ),
        bulk=BulkPages(
            templates=templates,
            paging=paging,
            scanning=searches,
            ledger=ledger,
            results=Results(database, records, ledger),
            actions=bulk_actions,
        ),
        failures=FailurePages(templates=templates, ledger=ledger, overview=reasons),
        export=ExportPages(
            templates=templates,
            scanning=searches,
            objects=objects_read.Objects(database),
            part=PART_ON_LAMBDA if settings.on_lambda else PART,
        ),
        objects=ObjectPages(
            templates=templates,
            records=records,
            ledger=ledger,
            actions=ObjectActions(records, ledger, files),
            callback_actions=callback_actions,
            view=ObjectView(
                paging=paging,
                records=records,
                ledger=ledger,
                files=files,
                largest_response=None if settings.media_accel else largest,
                clock=clock,
            ),
        ),
        callbacks=CallbackPages(templates=templates, ledger=ledger, actions=callback_actions),
        media=Media(records, files, largest, accelerated=settings.media_accel),
        thumbnails=Thumbnails(records, files, decoder, ThumbnailCache()),
        assets=assets,
        problems=ProblemPages(
            templates, dashboard.outage, settings.rate_limit_status, login.interrupted
        ),
    )


def session_key(settings: Settings) -> bytes:
    """Return the key of the session cookies: a new password logs everyone out.

    Raises:
        SettingError: there is no secret to derive it from.
    """
    secret = needed(settings.admin_session_key or settings.secret_key, "ADMIN_SESSION_KEY")
    # A password's hash, made in each process, differs, and their sessions must not.
    password = settings.admin_password_hash or settings.admin_password or "local run"
    return hmac.new(secret, f"admin session {password}".encode(), hashlib.sha256).digest()
