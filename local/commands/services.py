"""`./sync services`: the service on natively installed servers."""

from __future__ import annotations

from typing import Annotated

import typer

from local.commands.installation import environment

app = typer.Typer(help="The service on servers installed on this machine.", no_args_is_help=True)


@app.command()
def install(
    *,
    tools: Annotated[bool, typer.Option(help="Also tools for tests and benchmarks.")] = False,
) -> None:
    """Install missing servers by apt, without starting the services of their packages."""
    from local.servers.packages import install_missing

    for line in install_missing(tools=tools):
        typer.echo(line)


@app.command()
def start() -> None:
    """Start what does not run; what is missing is installed by apt, where there is apt."""
    from local.native_services import on_usual_ports

    install()
    for line in on_usual_ports(environment()).start():
        typer.echo(line)


@app.command()
def stop() -> None:
    """Stop everything; data is kept."""
    from local.native_services import on_usual_ports

    for line in on_usual_ports(environment()).stop():
        typer.echo(line)


@app.command()
def status() -> None:
    """Show what runs."""
    from local.native_services import on_usual_ports

    for line in on_usual_ports(environment()).status():
        typer.echo(line)


@app.command(context_settings={"ignore_unknown_options": True})
def rabbitmqctl(arguments: list[str]) -> None:
    """Run rabbitmqctl on the private RabbitMQ."""
    from local.native_services import on_usual_ports

    done = on_usual_ports(environment()).rabbitmqctl(*arguments).run()
    typer.echo(done.stdout, nl=False)
    raise typer.Exit(done.returncode)
