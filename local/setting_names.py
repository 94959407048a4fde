"""Which variables there are: ours, other programs', and what a misspelled one was meant to be."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import fields

from local.settings import LOCAL
from shared.config.secrets import SUFFIX
from shared.config.settings import Settings

FROM_SETTINGS = frozenset(item.metadata["name"] for item in fields(Settings))
OURS = FROM_SETTINGS | {f"{name}{SUFFIX}" for name in FROM_SETTINGS} | {name for name, *_ in LOCAL}
"""Every setting, and each of the functions' by reference, see `shared.config.secrets`."""

COMPOSE = frozenset(
    {
        "AMQP_PORT",
        "FUNCTIONS_PORT",
        "LOCAL_GID",
        "LOCAL_UID",
        "MANAGEMENT_PORT",
        "MEMCACHED_PORT",
        "METRICS_FOLDER",
        "NGINX_MAX_BODY_BYTES",
        "NGINX_PROXIES",
        "NGINX_REAL_IP",
        "POSTGRES_PASSWORD",
        "POSTGRES_PORT",
        "RABBITMQ_PASSWORD",
        "S3_FOLDER",
        "STORAGE_FOLDER",
        "SUBNET",
        "UP_SECONDS",
    }
)
"""What local/docker-compose.yml and local/up.sh read besides the settings."""

SDK = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_CA_BUNDLE",
        "AWS_CONFIG_FILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    }
)
"""The AWS SDK's, of which a misspelled one would be missed most (boto3 guide, Configuration)."""

_FOREIGN = re.compile(
    r"""
      AWS_(?!S3_)\w+ | LOCALSTACK_\w+  # the SDK, LocalStack
    | AWS_S3_(?:DISABLE_\w+ | US_EAST_1_REGIONAL_ENDPOINT | USE_ARN_REGION)
    | (?:HTTP|HTTPS|ALL|NO|FTP)_PROXY
    | SSL_CERT_(?:FILE|DIR) | SSLKEYLOGFILE | OPENSSL_\w+ | (?:CURL|REQUESTS)_CA_BUNDLE
    | PG[A-Z_]+  # libpq
    | PYTHON\w+ | PIP_\w+ | UV_\w+ | VIRTUAL_ENV | GRANIAN_\w+ | OTEL_\w+
    | COMPOSE_\w+ | DOCKER_\w+ | BUILDKIT_\w+ | BUILDX_\w+
    | LC_\w+ | LANG | LANGUAGE | LOCPATH | TZ | TZDIR
    | HOME | PATH | PWD | SHELL | USER | LOGNAME | HOSTNAME | TMPDIR | TEMP | TMP | XDG_\w+
    | TERM | COLUMNS | LINES | NO_COLOR | FORCE_COLOR | TTY_\w+
    | LD_\w+ | MALLOC_\w+ | GLIBC_TUNABLES
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""What other programs read in our processes or from the same file: the AWS SDK, libpq, libcurl,
OpenSSL, Python, Docker Compose, the C library, terminals. Proxies have names in lower case, too."""

MOST_EDITS = 2
"""Letters left out, added, exchanged or swapped with their neighbor that a name may be off."""

SHORT = 5
"""Settings with names no longer than this are meant at one edit only: `HOME` is not `HOST`."""

_CANDIDATES = sorted(OURS | SDK)


def is_known(name: str) -> bool:
    """Return whether a variable is a setting, or one that another program may read."""
    own = name in OURS or name in COMPOSE or name in SDK
    return own or (_FOREIGN.fullmatch(name) is not None and near_miss(name) is None)


def near_miss(name: str) -> str | None:
    """Return the variable that a misspelled name was probably meant to be.

    ===========================  ==================
    name                         meant
    ===========================  ==================
    ``RATE_LIMT_POST``           RATE_LIMIT_POST
    ``port``, ``PROT``           PORT
    ``SECRETKEY``                SECRET_KEY
    ``LOCALSTACK_HOTS``          LOCALSTACK_HOST
    ``AWS_PROFIL``               AWS_PROFILE
    ``AWS_ENDPOINT_URL_SQS``     None: the SDK's own
    ``HOME``, ``LANGUAGE``       None
    ===========================  ==================
    """
    if name in OURS | COMPOSE | SDK or name.startswith("AWS_ENDPOINT_URL_"):
        return None
    typed = name.upper()
    if _FOREIGN.fullmatch(name) and not typed.startswith(("AWS_", "LOCALSTACK_")):
        return None
    near = [
        (count, candidate)
        for candidate in _CANDIDATES
        if (count := edits(typed, candidate)) <= (1 if len(candidate) <= SHORT else MOST_EDITS)
    ]
    return min(near)[1] if near else None


def suggestion(name: str) -> str | None:
    """Return the variable that comes nearest to an unknown name, such as `RABBIT_URL`."""
    close = difflib.get_close_matches(name.upper(), _CANDIDATES, n=1, cutoff=0.75)
    return near_miss(name) or (close[0] if close else None)


def misspelled(names: Iterable[str]) -> dict[str, str]:
    """Return which of a process's variables look misspelled, each with what was meant.

    A process inherits variables of all kinds, so that an unknown one alone is no error there.
    """
    found = {name: near_miss(name) for name in names}
    return {name: meant for name, meant in found.items() if meant is not None}


def edits(one: str, other: str) -> int:
    """Return the Damerau-Levenshtein distance (optimal string alignment) of two names.

    ``LIMT``, ``LIMIT`` is 1; ``PROT``, ``PORT`` is 1, as neighbors are swapped.
    """
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        row = [i]
        for j, expected in enumerate(other, start=1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != expected))
            swapped = i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == expected
            row.append(min(cost, before[j - 2] + 1) if swapped else cost)
        before, last = last, row
    return last[-1]
