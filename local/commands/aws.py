"""Commands for a stack on AWS; what it costs: `local.commands.aws_costs`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from local.commands import output
from local.commands.exit_codes import USAGE
from local.commands.installation import from_caller
from local.commands.output import Json
from local.commands.passwords import asked_password

app = typer.Typer(help="A stack that is deployed on AWS, see docs/deploy.md.", no_args_is_help=True)
Stack = Annotated[str, typer.Argument(help="The stack's name.")]

HEADER = """\
# Parameters of template.yaml, which describes them all. What is not here has its default there.
"""


@app.command()
def parameters(file: Annotated[Path, typer.Argument(help="Where they are kept.")]) -> None:
    """Ask for a first deployment's bucket and alarm address, and write them to a parameter file."""
    file = from_caller(file)
    if file.exists():
        typer.echo(f"The parameters are those in {file}")
        return
    bucket = typer.prompt("The client's bucket")
    email = typer.prompt(
        "Address that alarms are sent to (Enter for none)", default="", show_default=False
    )
    given = {"SourceBucketName": bucket, "AlarmEmail": email}
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{name}: {json.dumps(value)}\n" for name, value in given.items()]  # JSON is YAML
    file.write_text(HEADER + "".join(lines))
    typer.echo(f"The parameters are in {file}: change them there, and deploy again")


@app.command()
def show(stack: Stack, *, as_json: Json = False) -> None:
    """Print what the client and the admin's user need: address, signing key, login."""
    from shared.aws.deployed_stack import DeployedStack

    deployed = DeployedStack(stack)
    url = deployed.outputs["ApiUrl"]
    key = deployed.secret("SigningKeysSecretArn")["current"]
    is_set = bool(deployed.secret("AdminSecretArn")["password_hash"])
    if as_json:
        output.print_json({"url": url, "signing_key": key, "password_is_set": is_set})
        return
    password = "set" if is_set else f"not set yet: make admin-password-aws STACK={stack}"
    typer.echo(f"Requests     {url}/sync/")
    typer.echo(f"Signing key  {key}")
    typer.echo(f"Admin        {url}/admin/, user root, password {password}")


@app.command()
def admin_password(stack: Stack) -> None:
    """Set the admin's password, asked for or read from standard input."""
    from shared.aws.deployed_stack import DeployedStack
    from shared.config.admin_password import PASSWORD_CHARACTERS
    from shared.passwords import hash_password

    deployed = DeployedStack(stack)
    secret = deployed.secret("AdminSecretArn")
    password = asked_password()
    if len(password) < PASSWORD_CHARACTERS:
        typer.echo(f"At least {PASSWORD_CHARACTERS} characters are needed", err=True)
        raise typer.Exit(USAGE)
    replaced = secret["password_hash"]
    deployed.put_secret("AdminSecretArn", secret | {"password_hash": hash_password(password)})
    typer.echo(f"Log in at {deployed.outputs['ApiUrl']}/admin/ as root")
    if replaced:
        typer.echo(
            "Running functions accept the new password within five minutes, "
            "or at the second login attempt"
        )
