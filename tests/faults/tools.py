"""The programs that `make faults` runs, looked for before its hour begins."""

from __future__ import annotations

import sys

from local.servers.programs import missing, require
from shared.errors import ServiceError

PROGRAMS = {
    "rabbitmq-server": "rabbitmq-server",
    "memcached": "memcached",
    "faketime": "faketime",
    "cc": "gcc",
}
"""Programs and their Debian packages; PostgreSQL is the embedded one."""


if __name__ == "__main__":
    try:
        require(missing(PROGRAMS))
    except ServiceError as error:
        sys.exit(str(error))
