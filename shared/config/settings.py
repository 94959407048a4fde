"""Settings: one frozen object, read from a mapping, every wrong value named.

The names are the original application's (`SECRET_KEY`, `DATABASE_URL`, `AWS_S3_*` …). A secret
may be given as the ARN of an AWS Secrets Manager secret instead (`SECRET_KEY_ARN`), see
`shared.config.secrets`. This module is the only one that reads the process's environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Self, TypeVar

from shared.config.parsers import (
    EXACT,
    IpNetwork,
    RateLimit,
    bucket_name,
    exact,
    flag,
    folder,
    host_maybe_port,
    host_port,
    key,
    networks,
    one_of,
    url,
    whole,
)
from shared.errors import SettingError

T = TypeVar("T")

KEY_BYTES = 16
"""Least length of a key outside a local run: 128 bits are beyond guessing if they are random."""


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
    """All settings; what is optional and not given is None or its default."""

    secret_key: bytes | None = _setting(
        "SECRET_KEY", "key of the HMAC that signs requests", key, None, secret=True
    )
    secret_key_previous: bytes | None = _setting(
        "SECRET_KEY_PREVIOUS", "the key before it, accepted too", key, None, secret=True
    )
    database_url: str | None = _setting(
        "DATABASE_URL",
        "PostgreSQL, the ledger",
        url("postgresql", "postgres"),
        None,
        secret=True,
    )
    rabbitmq_url: str | None = _setting(
        "RABBITMQ_URL", "RabbitMQ, the queue", url("amqp", "amqps"), None, secret=True
    )
    memcached_url: tuple[str, int] | None = _setting(
        "MEMCACHED_URL", "memcached as host:port, for rate limits", host_port("memcached"), None
    )
    storage_path: str | None = _setting(
        "STORAGE_PATH", "folder in which the files end", folder, None
    )
    source: str = _setting(
        "SOURCE", "where objects come from: s3 or nasa", one_of("s3", "nasa"), "s3"
    )
    bucket: str | None = _setting("AWS_S3_BUCKET_NAME", "the client's bucket", bucket_name, None)
    s3_access_key_id: str | None = _setting(
        "AWS_S3_ACCESS_KEY_ID", "access key; without it boto3's usual chain", default=None
    )
    s3_secret_access_key: str | None = _setting(
        "AWS_S3_SECRET_ACCESS_KEY", "its secret", default=None, secret=True
    )
    s3_region: str | None = _setting("AWS_S3_REGION_NAME", "the bucket's region", default=None)
    s3_endpoint: str | None = _setting(
        "AWS_ENDPOINT_URL_S3", "an S3 server other than AWS", url("http", "https"), None
    )
    localstack_host: str | None = _setting(
        "LOCALSTACK_HOST",
        "LocalStack, used where no endpoint is given",
        host_maybe_port,
        None,
    )
    nasa_api_url: str = _setting(
        "NASA_API_URL",
        "Mars photos API of the demo source",
        url("http", "https"),
        "https://api.nasa.gov/mars-photos/api/v1/rovers/curiosity/photos",
    )
    nasa_api_key: str = _setting("NASA_API_KEY", "its key", default="DEMO_KEY", secret=True)
    max_body_bytes: int = _setting(
        "MAX_BODY_BYTES", "largest request body", whole(1), 65_536, shown="65536"
    )
    rate_limit_post: RateLimit = _setting(
        "RATE_LIMIT_POST",
        "POSTs of one signature from one address",
        RateLimit.parse,
        RateLimit(50, 60),
        shown="50/m",
    )
    rate_limit_client: RateLimit = _setting(
        "RATE_LIMIT_CLIENT",
        "POSTs from one address",
        RateLimit.parse,
        RateLimit(6_000, 60),
        shown="6000/m",
    )
    rate_limit_get: RateLimit = _setting(
        "RATE_LIMIT_GET",
        "GETs from one address",
        RateLimit.parse,
        RateLimit(50, 60),
        shown="50/m",
    )
    rate_limit_unsigned: RateLimit = _setting(
        "RATE_LIMIT_UNSIGNED",
        "requests with a missing or wrong signature from one address",
        RateLimit.parse,
        RateLimit(50, 60),
        shown="50/m",
    )
    rate_limit_login: RateLimit = _setting(
        "RATE_LIMIT_LOGIN",
        "tries to log in to the admin from one address",
        RateLimit.parse,
        RateLimit(10, 60),
        shown="10/m",
    )
    trusted_proxies: tuple[IpNetwork, ...] = _setting(
        "TRUSTED_PROXIES", "proxies whose X-Forwarded-For counts", networks, ()
    )
    max_attempts: int = _setting(
        "MAX_ATTEMPTS", "attempts before an object is failed", whole(1), 8, shown="8"
    )
    lease_seconds: int = _setting(
        "LEASE_SECONDS",
        "a worker that is silent for so long has died",
        whole(1),
        60,
        shown="60",
    )
    delivery_seconds: int = _setting(
        "DELIVERY_SECONDS",
        "a row whose message did not arrive for so long is published again",
        whole(0),
        30,
        shown="30",
    )
    missing_object_seconds: int = _setting(
        "MISSING_OBJECT_SECONDS",
        "an object may become visible for so long after its request",
        whole(0),
        300,
        shown="300",
    )
    sync_concurrency: int = _setting(
        "SYNC_CONCURRENCY", "objects copied at once by one worker", whole(1), 32, shown="32"
    )
    prefetch: int = _setting(
        "PREFETCH",
        "messages that one trigger takes ahead; 0 for two batches",
        whole(0),
        0,
        shown="0",
    )
    source_stall_seconds: int = _setting(
        "SOURCE_STALL_SECONDS",
        "a download that brings less than 1 KiB a second for so long is ended",
        whole(1),
        20,
        shown="20",
    )
    queue_type: str = _setting(
        "QUEUE_TYPE",
        "RabbitMQ queue type, quorum or classic",
        one_of("quorum", "classic"),
        "quorum",
    )
    admin_user: str = _setting("ADMIN_USER", "login name of the admin", default="root")
    admin_password: str | None = _setting(
        "ADMIN_PASSWORD", "password of the admin, in place of its hash", exact, None, secret=True
    )
    admin_password_hash: str | None = _setting(
        "ADMIN_PASSWORD_HASH",
        "salted hash of the admin's password, made by `./sync hash-password`",
        default=None,
        secret=True,
    )
    admin_session_key: bytes | None = _setting(
        "ADMIN_SESSION_KEY",
        "secret that signs the admin's sessions; without it SECRET_KEY does",
        key,
        None,
        secret=True,
    )
    media_accel: bool = _setting(
        "MEDIA_ACCEL",
        "1 where nginx sends the admin's files (X-Accel-Redirect)",
        flag,
        default=False,
        shown="0",
    )
    local_run: bool = _setting(
        "LOCAL_RUN",
        "1 in a local run, set by its commands: the default password will do",
        flag,
        default=False,
        shown="0",
    )
    log_level: str = _setting(
        "LOG_LEVEL",
        "DEBUG, INFO, WARNING or ERROR",
        one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        "INFO",
    )
    on_lambda: bool = _setting(
        "AWS_LAMBDA_FUNCTION_NAME", "set by AWS Lambda, never by hand", bool, default=False
    )

    @classmethod
    def from_mapping(cls, environment: Mapping[str, str], required: Iterable[str] = ()) -> Self:
        """Read the settings; an empty value counts as not given.

        Args:
            environment: variable names to texts.
            required: the variables that the caller cannot do without.

        Raises:
            SettingError: one is missing or wrong; the text names the variable, never its value.
        """
        for name in required:
            if not environment.get(name, "").strip():
                raise SettingError(f"{name} is not set")
        values = {}
        for item in fields(cls):
            parse, text = item.metadata["parse"], environment.get(item.metadata["name"], "")
            if not text.strip():
                continue
            try:
                values[item.name] = parse(text if parse in EXACT else text.strip())
            except ValueError as error:
                about = f"{item.metadata['name']}: {error}"
                raise SettingError(about) from error
        return cls(**values)

    def require_long_keys(self) -> None:
        """Make sure that nothing that signs can be guessed, where others reach the service.

        Raises:
            SettingError: outside a local run one is shorter than `KEY_BYTES`.
        """
        if self.local_run:
            return
        for value, name in (
            (self.secret_key, "SECRET_KEY"),
            (self.secret_key_previous, "SECRET_KEY_PREVIOUS"),
            (self.admin_session_key, "ADMIN_SESSION_KEY"),
        ):
            if value is not None and len(value) < KEY_BYTES:
                raise SettingError(
                    f"{name}: at least {KEY_BYTES} bytes are needed where others reach the service"
                )

    @property
    def signing_keys(self) -> tuple[bytes, ...]:
        """The keys that a request may be signed with, the current one first."""
        return tuple(k for k in (self.secret_key, self.secret_key_previous) if k)


def needed(value: T | None, name: str) -> T:
    """Return a setting that must be there.

    Raises:
        SettingError: it is not set.
    """
    if value is None:
        raise SettingError(f"{name} is not set")
    return value


def environment() -> Mapping[str, str]:
    """Return the process's own environment, for the composition roots."""
    return os.environ
