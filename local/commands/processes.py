"""The processes of the service, `./sync run`, `serve`, `trigger` …, and what watches them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from local.commands.installation import adopt_with_ledger, environment

app = typer.Typer()

Pulses = Annotated[
    Path | None,
    typer.Option(help="Folder for files that are touched while all is well, for a health check."),
]


@app.command()
def run() -> None:
    """Start everything; a server that no setting names is embedded."""
    from local.run import run as run_all

    run_all(environment())


@app.command()
def s3() -> None:
    """Serve the local S3 alone, filled with the sample pictures."""
    from local.s3 import serve as serve_s3

    serve_s3(environment())


@app.command()
def serve() -> None:
    """Answer HTTP in front of the functions."""
    from local.http.serve import serve as serve_http

    serve_http(adopt_with_ledger())


@app.command()
def trigger(*, pulses: Pulses = None) -> None:
    """Hand messages from RabbitMQ to the sync worker."""
    from local.trigger import main as consume

    adopt_with_ledger()
    consume(pulses)


@app.command()
def scheduler(*, pulses: Pulses = None) -> None:
    """Run every schedule of the template; without RabbitMQ, hand due rows to the sync worker."""
    from local.scheduler import main as run_scheduler

    run_scheduler(adopt_with_ledger(), pulses=pulses)


@app.command()
def monitoring(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Where Prometheus answers.")] = 9090,
) -> None:
    """Start Prometheus beside the running service, with the alerts; Ctrl-C stops it."""
    from local.monitor import monitor

    monitor(environment(), port, typer.echo)
