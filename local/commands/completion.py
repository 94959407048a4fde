"""Completion for the shells: `./sync --install-completion` and `--show-completion`.

typer computes the completions, but its scripts do not work for a command typed as `./sync`: they
name an environment variable after the command, and no shell allows a dot or a slash in a variable's
name. zsh and fish look a command up by the last part of its path; `sync` is also another program's
name, whose completion these scripts leave unchanged.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import typer

from local.commands.exit_codes import PROBLEM

VARIABLE = "_SYNC_COMPLETE"
"""Environment variable by which a shell asks the command line for completions."""

SCRIPTS = {
    "bash": f"""\
_external_storage_sync() {{
  local IFS=$'\\n'
  COMPREPLY=($(COMP_WORDS="${{COMP_WORDS[*]}}" COMP_CWORD=$COMP_CWORD \\
    {VARIABLE}=complete_bash "$1" 2>/dev/null))
}}
complete -o default -F _external_storage_sync ./sync external-storage-sync
""",
    "zsh": f"""\
_external_storage_sync() {{
  eval "$(_TYPER_COMPLETE_ARGS="${{words[1,$CURRENT]}}" {VARIABLE}=complete_zsh \\
    "${{words[1]}}" 2>/dev/null)"
}}
(( $+functions[compdef] )) || {{ autoload -Uz compinit && compinit }}
compdef _external_storage_sync external-storage-sync
compdef -p _external_storage_sync '*/./sync'
""",
    "fish": f"""\
function __external_storage_sync
  set -l typed (commandline -cp)
  set -l program (commandline -opc)[1]
  test "$program" = sync && return 1
  {VARIABLE}=complete_fish _TYPER_COMPLETE_FISH_ACTION=$argv[1] _TYPER_COMPLETE_ARGS="$typed" \\
    $program 2>/dev/null
end
for name in sync external-storage-sync
  complete --command $name --no-files --arguments '(__external_storage_sync get-args)' \\
    --condition '__external_storage_sync is-args'
end
""",
}
"""The script of each shell, for the command typed as `./sync` or found on PATH."""

_FILES = {
    "bash": (".bashrc", ".bash_completions/external-storage-sync.sh"),
    "zsh": (".zshrc", ".zfunc/external-storage-sync.zsh"),
    "fish": (None, ".config/fish/conf.d/external-storage-sync.fish"),
}
"""For each shell, its start-up file and the script's path, both below the home folder."""


def adjust(command: Any) -> None:
    """Make typer's two options print and install these scripts."""
    for parameter in command.params:
        if parameter.name == "show_completion":
            parameter.callback = _show
        if parameter.name == "install_completion":
            parameter.callback = _install


def _show(context: Any, _parameter: Any, wanted: object) -> None:
    if wanted and not context.resilient_parsing:
        typer.echo(SCRIPTS[_shell()], nl=False)
        raise typer.Exit


def _install(context: Any, _parameter: Any, wanted: object) -> None:
    if wanted and not context.resilient_parsing:
        for line in install(_shell(), Path.home()):
            typer.echo(line)
        raise typer.Exit


def install(shell: str, home: Path) -> list[str]:
    """Write a shell's script below the home folder, and return the lines to print.

    Args:
        shell: one of `SCRIPTS`.
        home: the user's home folder.
    """
    start, script = _FILES[shell]
    place = home / script
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(SCRIPTS[shell], encoding="utf-8")
    if start is not None:
        line = f'source "{place}"\n'
        read_at_start = home / start
        before = read_at_start.read_text() if read_at_start.exists() else ""
        if line not in before:
            separator = "" if before.endswith("\n") or not before else "\n"
            read_at_start.write_text(f"{before}{separator}{line}")
    return [f"{shell} completion installed in {place}", "It takes effect in new shells"]


def _shell() -> str:
    """Return the name of the shell that runs the command.

    Raises:
        Exit: there is no script for it.
    """
    import shellingham

    try:
        name = str(shellingham.detect_shell()[0])
    except shellingham.ShellDetectionFailure:
        name = Path(os.environ.get("SHELL", "")).name
    if name not in SCRIPTS:
        shells = ", ".join(SCRIPTS)
        typer.echo(f"completion supports {shells}, not {name or 'this shell'}", file=sys.stderr)
        raise typer.Exit(PROBLEM)
    return name
