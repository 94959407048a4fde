"""`./sync services`: the service on natively installed servers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from local.environment import LocalEnvironment
from local.native_services import NativeServices

app = typer.Typer(help="The service on servers installed on this machine.", no_args_is_help=True)


@app.command()
def install(
    *,
    tools: Annotated[bool, typer.Option(help="Also what tests and benchmarks use.")] = False,
) -> None:
    """Install missing servers by apt, without starting the services of their packages."""
    from local.servers.packages import install_missing

    for line in install_missing(tools=tools):
        typer.echo(line)


@app.command()
def start() -> None:
    """Start what does not run; what is missing is installed by apt, where there is apt."""
    install()
    for line in _services().start():
        typer.echo(line)


@app.command()
def stop() -> None:
    """Stop everything; data is kept."""
    for line in _services().stop():
        typer.echo(line)


@app.command()
def status() -> None:
    """Show what runs."""
    for line in _services().status():
        typer.echo(line)


@app.command(context_settings={"ignore_unknown_options": True})
def rabbitmqctl(arguments: list[str]) -> None:
    """Run rabbitmqctl on the private RabbitMQ."""
    done = _services().rabbitmqctl(*arguments).run()
    typer.echo(done.stdout, nl=False)
    raise typer.Exit(done.returncode)


def _services() -> NativeServices:
    from local.native_services import NativeServices, Ports

    environment = LocalEnvironment.load(os.environ, Path.cwd())
    # Clients come to nginx here, and to the functions themselves in `run`: always by PORT.
    ports = Ports(nginx=environment.port, s3=environment.s3_port)
    return NativeServices(environment, ports)
