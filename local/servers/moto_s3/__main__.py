"""`python -m local.servers.moto_s3`: serve moto's S3 with its objects in a folder."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import run_simple

from local.servers.moto_s3.application import PersistentS3


def main() -> None:
    """Parse the command line and serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args()
    os.umask(0o077)  # what a person puts there is that person's
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    application = PersistentS3(given.folder)
    run_simple(
        given.host,
        given.port,
        application,
        threaded=True,
        request_handler=MotoRequestHandler,
    )


if __name__ == "__main__":
    main()
