"""`./sync services`: the service on natively installed servers."""

from __future__ import annotations

from itertools import chain
from typing import Annotated

import typer

from local.commands import output
from local.commands.installation import environment
from local.commands.output import Json

app = typer.Typer(help="The service on servers installed on this machine.", no_args_is_help=True)


@app.command()
def install(
    *,
    tools: Annotated[bool, typer.Option(help="Also tools for tests and benchmarks.")] = False,
    containers: Annotated[
        bool, typer.Option("--containers", help="A container engine and Compose instead.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Install missing servers with apt, without starting the services of their packages."""
    from local.servers.packages import install_containers, install_missing

    done = install_containers() if containers else install_missing(tools=tools)
    output.report(done, as_json=as_json)


@app.command()
def start(*, as_json: Json = False) -> None:
    """Start what is not running; missing servers are installed with apt if there is apt."""
    from local.native_services import on_usual_ports
    from local.servers.packages import install_missing

    services = on_usual_ports(environment())
    output.report(chain(install_missing(tools=False), services.start()), as_json=as_json)


@app.command()
def stop(*, as_json: Json = False) -> None:
    """Stop everything; data is kept."""
    from local.native_services import on_usual_ports

    output.report(on_usual_ports(environment()).stop(), as_json=as_json)


@app.command()
def status(*, as_json: Json = False) -> None:
    """Show what runs."""
    from local.native_services import on_usual_ports

    output.report(on_usual_ports(environment()).status(), as_json=as_json)


@app.command(context_settings={"ignore_unknown_options": True})
def rabbitmqctl(arguments: list[str]) -> None:
    """Run rabbitmqctl on the private RabbitMQ."""
    from local.native_services import on_usual_ports

    done = on_usual_ports(environment()).rabbitmqctl(*arguments).run()
    typer.echo(done.stdout, nl=False)
    raise typer.Exit(done.returncode)
