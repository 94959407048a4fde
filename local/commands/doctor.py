"""What is wrong with the installation, and what to do: `./sync doctor`."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from local.commands import exit_codes, output
from local.commands.output import Json

app = typer.Typer()


@app.command(epilog="Example: ./sync doctor --json | jq '.findings[] | select(.level != \"ok\")'")
def doctor(*, as_json: Json = False) -> None:
    """Check settings, servers, permissions, queues, clocks, storage and processes; suggest fixes.

    Nothing is changed, and a server that is down or frozen does not delay the other checks. Exits
    with 1 if a problem was found; warnings do not count.
    """
    from local.doctor.examination import examine
    from local.doctor.finding import document, is_healthy
    from shared import log

    log.configure("CRITICAL")
    with output.waiting("Examining"):
        findings = examine(os.environ, Path.cwd())
    if as_json:
        output.print_json(document(findings))
    else:
        for finding in findings:
            check, detail, advice = map(
                output.printable, (finding.check, finding.detail, finding.advice)
            )
            typer.echo(f"{finding.level:8} {check}: {detail}")
            if advice:
                typer.echo(f"{'':8} -> {advice}")
    raise typer.Exit(exit_codes.OK if is_healthy(findings) else exit_codes.PROBLEM)
