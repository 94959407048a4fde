"""Settings: one frozen object, read from a mapping; an invalid value is reported by its name.

The names are the original application's (`SECRET_KEY`, `DATABASE_URL`, `AWS_S3_*` …). A secret
may be given as the ARN of an AWS Secrets Manager secret instead (`SECRET_KEY_ARN`), see
`shared.config.secrets`. This module is the only one that reads the process's environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from http import HTTPStatus
from typing import Any, Self, TypeVar
from urllib.parse import quote

from shared.config.parsers import (
    EXACT,
    IpNetwork,
    RateLimit,
    bucket_name,
    exact,
    flag,
    folder,
    host_maybe_port,
    hosts_and_ports,
    key,
    limit_status,
    networks,
    one_of,
    permissions,
    url,
    webhook_secret,
    whole,
)
from shared.errors import SettingError
from shared.log import FORMATS

T = TypeVar("T")

KEY_BYTES = 16
"""Least length of a key outside a local run: 128 bits are beyond guessing if they are random."""

LOOPBACK = "127.0.0.0/8,::1"
"""This machine itself; behind nginx the client's address counts, see TRUSTED_PROXIES."""


def _setting(
    name: str,
    doc: str,
    parse: Callable[[str], Any] = str,
    default: Any = MISSING,
    *,
    shown: str = "",
    secret: bool = False,
) -> Any:
    metadata = {"name": name, "doc": doc, "parse": parse, "shown": shown, "secret": secret}
    return field(default=default, repr=not secret, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings; an optional one that is not set is None or its default."""

    secret_key: bytes | None = _setting(
        "SECRET_KEY", "key that clients sign requests with (HMAC-SHA256)", key, None, secret=True
    )
    secret_key_previous: bytes | None = _setting(
        "SECRET_KEY_PREVIOUS",
        "previous key, also accepted while keys rotate",
        key,
        None,
        secret=True,
    )
    s3_events_secret: bytes | None = _setting(
        "S3_EVENTS_SECRET",
        "secret that a store sends with its events to POST /events/s3/; no such path without it",
        key,
        None,
        secret=True,
    )
    database_url: str | None = _setting(
        "DATABASE_URL",
        "URL of PostgreSQL, which holds the ledger; may name several hosts, as libpq has it",
        url("postgresql", "postgres"),
        None,
        secret=True,
    )
    database_auth: str = _setting(
        "DATABASE_AUTH",
        "how to log in to PostgreSQL: password, or iam on Amazon RDS, which takes a token instead",
        one_of("password", "iam"),
        "password",
    )
    database_roles: bool = _setting(
        "DATABASE_ROLES",
        "1 to have migrate create a database role for each function, and each function use its own",
        flag,
        default=False,
        shown="0",
    )
    rabbitmq_url: str | None = _setting(
        "RABBITMQ_URL",
        "URL of RabbitMQ, the queue; may name several nodes: amqp://user:password@a:5672,b:5672/",
        url("amqp", "amqps"),
        None,
        secret=True,
    )
    sqs_queue_url: str | None = _setting(
        "SQS_QUEUE_URL",
        "URL of the queue on Amazon SQS, instead of RabbitMQ, set by the template",
        url("http", "https"),
        None,
    )
    rabbitmq_user: str | None = _setting(
        "RABBITMQ_USER", "user of RabbitMQ, if RABBITMQ_URL names none", exact, None
    )
    rabbitmq_password: str | None = _setting(
        "RABBITMQ_PASSWORD", "password of RABBITMQ_USER", exact, None, secret=True
    )
    memcached_url: tuple[tuple[str, int], ...] | None = _setting(
        "MEMCACHED_URL",
        "host:port of memcached, which keeps the rate limits' counters; commas between several",
        hosts_and_ports("memcached"),
        None,
    )
    storage_path: str | None = _setting(
        "STORAGE_PATH", "folder the files are written to", folder, None
    )
    file_mode: int | None = _setting(
        "FILE_MODE",
        "permissions of the files, such as 0640; the umask and the folder decide where not set",
        permissions(0o400, 0o777),
        None,
    )
    folder_mode: int | None = _setting(
        "FOLDER_MODE",
        "permissions of the folders that are made, such as 2750; the umask where not set",
        permissions(0o700, 0o3777),
        None,
    )
    file_mtime: str = _setting(
        "FILE_MTIME",
        "time of the files: source, the object's Last-Modified, or sync, that of the copy",
        one_of("source", "sync"),
        "source",
    )
    file_xattrs: bool = _setting(
        "FILE_XATTRS",
        "1 to keep content type, ETag and user metadata as extended attributes user.*",
        flag,
        default=False,
        shown="0",
    )
    source: str = _setting(
        "SOURCE", "where objects are downloaded from: s3 or nasa", one_of("s3", "nasa"), "s3"
    )
    bucket: str | None = _setting("AWS_S3_BUCKET_NAME", "the client's bucket", bucket_name, None)
    s3_access_key_id: str | None = _setting(
        "AWS_S3_ACCESS_KEY_ID",
        "access key; without it, boto3's credential chain is used",
        default=None,
    )
    s3_secret_access_key: str | None = _setting(
        "AWS_S3_SECRET_ACCESS_KEY", "secret of the access key", default=None, secret=True
    )
    s3_region: str | None = _setting("AWS_S3_REGION_NAME", "the bucket's region", default=None)
    s3_endpoint: str | None = _setting(
        "AWS_ENDPOINT_URL_S3", "URL of an S3 server other than AWS", url("http", "https"), None
    )
    s3_addressing: str = _setting(
        "S3_ADDRESSING",
        "where the bucket's name goes in URLs: path, virtual (the host name) or auto",
        one_of("auto", "path", "virtual"),
        "auto",
    )
    s3_request_payer: str | None = _setting(
        "S3_REQUEST_PAYER",
        "requester, if this account pays for requests to a Requester Pays bucket",
        one_of("requester"),
        None,
    )
    localstack_host: str | None = _setting(
        "LOCALSTACK_HOST",
        "host of LocalStack, used if no endpoint is set",
        host_maybe_port,
        None,
    )
    nasa_api_url: str = _setting(
        "NASA_API_URL",
        "Mars photos API, the demo source",
        url("http", "https"),
        "https://api.nasa.gov/mars-photos/api/v1/rovers/curiosity/photos",
    )
    nasa_api_key: str = _setting(
        "NASA_API_KEY", "key of the Mars photos API", default="DEMO_KEY", secret=True
    )
    max_body_bytes: int = _setting(
        "MAX_BODY_BYTES", "largest request body, in bytes", whole(1), 65_536, shown="65536"
    )
    rate_limit_post: RateLimit = _setting(
        "RATE_LIMIT_POST",
        "limit on POSTs with one signature from one address",
        RateLimit.parse,
        RateLimit(50, 60),
        shown="50/m",
    )
    rate_limit_client: RateLimit = _setting(
        "RATE_LIMIT_CLIENT",
        "limit on POSTs from one address, and on its GETs of single requests",
        RateLimit.parse,
        RateLimit(6_000, 60),
        shown="6000/m",
    )
    rate_limit_get: RateLimit = _setting(
        "RATE_LIMIT_GET",
        "limit on other GETs from one address, and on GETs of unknown requests",
        RateLimit.parse,
        RateLimit(50, 60),
        shown="50/m",
    )
    rate_limit_unsigned: RateLimit = _setting(
        "RATE_LIMIT_UNSIGNED",
        "limit on requests with a missing or invalid signature from one address",
        RateLimit.parse,
        RateLimit(50, 60),
        shown="50/m",
    )
    rate_limit_login: RateLimit = _setting(
        "RATE_LIMIT_LOGIN",
        "limit on login attempts to the admin from one address",
        RateLimit.parse,
        RateLimit(10, 60),
        shown="10/m",
    )
    rate_limit_status: HTTPStatus = _setting(
        "RATE_LIMIT_STATUS",
        "status of a request over a limit: 412, the original's, or 429",
        limit_status,
        HTTPStatus.PRECONDITION_FAILED,
        shown="412",
    )
    trusted_proxies: tuple[IpNetwork, ...] = _setting(
        "TRUSTED_PROXIES", "addresses of proxies whose X-Forwarded-For is trusted", networks, ()
    )
    max_attempts: int = _setting(
        "MAX_ATTEMPTS", "attempts before an object is marked as failed", whole(1), 8, shown="8"
    )
    lease_seconds: int = _setting(
        "LEASE_SECONDS",
        "seconds without a heartbeat before a worker is presumed dead",
        whole(1),
        60,
        shown="60",
    )
    delivery_seconds: int = _setting(
        "DELIVERY_SECONDS",
        "re-queue a row whose message hasn't arrived after this many seconds",
        whole(0),
        30,
        shown="30",
    )
    missing_object_seconds: int = _setting(
        "MISSING_OBJECT_SECONDS",
        "keep retrying a 404 or 403 for this many seconds after the request",
        whole(0),
        300,
        shown="300",
    )
    sync_concurrency: int = _setting(
        "SYNC_CONCURRENCY", "objects that one worker downloads at once", whole(1), 32, shown="32"
    )
    prefetch: int = _setting(
        "PREFETCH",
        "messages that one trigger prefetches; 0 for two batches",
        whole(0),
        0,
        shown="0",
    )
    source_stall_seconds: int = _setting(
        "SOURCE_STALL_SECONDS",
        "end a download that stays below 1 KiB per second for this many seconds",
        whole(1),
        20,
        shown="20",
    )
    etag_mismatch: str = _setting(
        "ETAG_MISMATCH",
        "if only an ETag that looks like an MD5 differs from the bytes: compare them with a second"
        " download, fail the object, or accept it",
        one_of("compare", "fail", "accept"),
        "compare",
    )
    scrub_days: int = _setting(
        "SCRUB_DAYS",
        "read every stored file again within this many days and compare it with the ledger; 0 for"
        " never",
        whole(0),
        30,
        shown="30",
    )
    reconcile_days: int = _setting(
        "RECONCILE_DAYS",
        "compare the bucket with the ledger and the storage every so many days; 0 for never",
        whole(0),
        0,
        shown="0",
    )
    callback_url: str | None = _setting(
        "CALLBACK_URL",
        "URL at the client that is told of every object synced or failed (Standard Webhooks)",
        url("http", "https"),
        None,
        secret=True,
    )
    callback_secret: str | None = _setting(
        "CALLBACK_SECRET",
        "secret that callbacks are signed with: whsec_ and 24 to 64 random bytes in base64",
        webhook_secret,
        None,
        secret=True,
    )
    callback_secret_previous: str | None = _setting(
        "CALLBACK_SECRET_PREVIOUS",
        "previous secret, which callbacks are also signed with while secrets rotate",
        webhook_secret,
        None,
        secret=True,
    )
    notify_function: str | None = _setting(
        "NOTIFY_FUNCTION",
        "function on AWS that the worker starts to deliver callbacks, set by the template",
        str,
        None,
    )
    queue_type: str = _setting(
        "QUEUE_TYPE",
        "type of the RabbitMQ queues, quorum or classic",
        one_of("quorum", "classic"),
        "quorum",
    )
    admin_user: str = _setting("ADMIN_USER", "login name of the admin", default="root")
    admin_password: str | None = _setting(
        "ADMIN_PASSWORD", "password of the admin, instead of its hash", exact, None, secret=True
    )
    admin_password_hash: str | None = _setting(
        "ADMIN_PASSWORD_HASH",
        "salted hash of the admin's password, from `./sync hash-password`",
        default=None,
        secret=True,
    )
    admin_session_key: bytes | None = _setting(
        "ADMIN_SESSION_KEY",
        "key that signs the admin's sessions; without it, SECRET_KEY is used",
        key,
        None,
        secret=True,
    )
    admin_networks: tuple[IpNetwork, ...] | None = _setting(
        "ADMIN_NETWORKS",
        "addresses and networks that may open the admin; all others get a 404; if empty, all may",
        networks,
        None,
    )
    environment_name: str | None = _setting(
        "ENVIRONMENT_NAME",
        "name of this installation, such as production, in the header of the admin",
        default=None,
    )
    media_accel: bool = _setting(
        "MEDIA_ACCEL",
        "1 if nginx sends the admin's files (X-Accel-Redirect)",
        flag,
        default=False,
        shown="0",
    )
    local_run: bool = _setting(
        "LOCAL_RUN",
        "set to 1 by the local commands: allows the default password",
        flag,
        default=False,
        shown="0",
    )
    log_level: str = _setting(
        "LOG_LEVEL",
        "lowest level that is logged: DEBUG, INFO, WARNING or ERROR",
        one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        "INFO",
    )
    log_format: str = _setting(
        "LOG_FORMAT",
        "form of log lines: text, json, or auto for text on a terminal and JSON elsewhere",
        one_of(*FORMATS),
        "auto",
    )
    metrics_networks: tuple[IpNetwork, ...] = _setting(
        "METRICS_NETWORKS",
        "addresses and networks that may read /metrics; for all others there is no such page",
        networks,
        networks(LOOPBACK),
        shown=LOOPBACK,
    )
    metrics_path: str | None = _setting(
        "METRICS_PATH",
        "folder that all processes of a machine share for what they count; by default in DATA_DIR",
        folder,
        None,
    )
    metrics_namespace: str | None = _setting(
        "METRICS_NAMESPACE",
        "namespace of the metrics in CloudWatch, set by the template",
        str,
        None,
    )
    on_lambda: bool = _setting(
        "AWS_LAMBDA_FUNCTION_NAME", "set by AWS Lambda, never by you", bool, default=False
    )

    @classmethod
    def from_mapping(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings; an empty value counts as not set.

        Args:
            environment: variable names to texts.

        Raises:
            SettingError: one is invalid, or contradicts another; the text names the variable, never
                its value.
        """
        values, invalid = cls._parsed(environment)
        for error in invalid.values():
            raise error
        return _with_broker_login(cls(**values))

    @classmethod
    def invalid(cls, environment: Mapping[str, str]) -> dict[str, SettingError]:
        """Return what `from_mapping` would raise for each invalid variable, by its name."""
        return cls._parsed(environment)[1]

    @classmethod
    def _parsed(
        cls, environment: Mapping[str, str]
    ) -> tuple[dict[str, Any], dict[str, SettingError]]:
        values: dict[str, Any] = {}
        invalid: dict[str, SettingError] = {}
        for item in fields(cls):
            name, parse = item.metadata["name"], item.metadata["parse"]
            text = environment.get(name, "")
            if not text.strip():
                continue
            try:
                values[item.name] = parse(text if parse in EXACT else text.strip())
            except ValueError as error:
                invalid[name] = SettingError(f"{name}: {error}")
                invalid[name].__cause__ = error
        return values, invalid

    def require_long_keys(self) -> None:
        """Make sure that no key can be guessed, if others can reach the service.

        Raises:
            SettingError: a key is shorter than `KEY_BYTES`, and this is not a local run.
        """
        if self.local_run:
            return
        for value, name in (
            (self.secret_key, "SECRET_KEY"),
            (self.secret_key_previous, "SECRET_KEY_PREVIOUS"),
            (self.admin_session_key, "ADMIN_SESSION_KEY"),
            (self.s3_events_secret, "S3_EVENTS_SECRET"),
        ):
            if value is not None and len(value) < KEY_BYTES:
                raise SettingError(
                    f"{name}: at least {KEY_BYTES} bytes are needed where others reach the service"
                )

    @property
    def has_queue(self) -> bool:
        """Whether messages deliver rows; without a queue, requeue does."""
        return self.rabbitmq_url is not None or self.sqs_queue_url is not None

    @property
    def signing_keys(self) -> tuple[bytes, ...]:
        """The keys that a request may be signed with, the current one first.

        Raises:
            SettingError: there is none.
        """
        current = needed(self.secret_key, "SECRET_KEY")
        return (current, self.secret_key_previous) if self.secret_key_previous else (current,)

    def has(self, name: str) -> bool:
        """Return whether the setting with a variable's name has a value."""
        found = (item.name for item in fields(self) if item.metadata["name"] == name)
        return any(getattr(self, attribute) is not None for attribute in found)

    def require_callback_secret(self) -> None:
        """Make sure that callbacks can be signed, if there are any.

        Raises:
            SettingError: they cannot.
        """
        if self.callback_url is not None:
            _ = self.callback_secrets

    @property
    def callback_secrets(self) -> tuple[str, ...]:
        """The secrets that callbacks are signed with, the current one first.

        Raises:
            SettingError: there is none.
        """
        current = needed(self.callback_secret, "CALLBACK_SECRET")
        previous = self.callback_secret_previous
        return (current, previous) if previous else (current,)


_S = TypeVar("_S", bound=Settings)


def _with_broker_login(settings: _S) -> _S:
    """Put RabbitMQ's user and password into its URL, where they are given apart from it.

    Raises:
        SettingError: one of them is missing, or the URL has a user of its own.
    """
    if settings.rabbitmq_user is None and settings.rabbitmq_password is None:
        return settings
    user = needed(settings.rabbitmq_user, "RABBITMQ_USER")
    password = needed(settings.rabbitmq_password, "RABBITMQ_PASSWORD")
    scheme, _, rest = needed(settings.rabbitmq_url, "RABBITMQ_URL").partition("://")
    if "@" in rest.partition("/")[0]:
        raise SettingError("RABBITMQ_URL has a user of its own, and RABBITMQ_USER is set, too")
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return replace(settings, rabbitmq_url=f"{scheme}://{login}@{rest}")


def needed(value: T | None, name: str) -> T:
    """Return a setting that is required.

    Raises:
        SettingError: it is not set.
    """
    if value is None:
        raise SettingError(f"{name} is not set")
    return value


def environment() -> Mapping[str, str]:
    """Return the process's own environment, for the composition roots."""
    return os.environ
