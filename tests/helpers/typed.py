"""Commands as they are typed, without the time that a new interpreter takes for its imports."""

from __future__ import annotations

import multiprocessing
import os
import shlex
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "local.cli",
        "local.verification",
        "functions.reconcile.handler",
        "functions.scrub.handler",
        "tests.helpers.typed",
    ]
)


def typed(command: str, folder: Path, variables: Mapping[str, str], seconds: float) -> str:
    """Run a `./sync` command in a process of its own, and return all that it prints.

    Args:
        command: as in a page; a problem that it reports by exit code 1 is no failure.
        folder: that it is typed in.
        variables: its environment.
        seconds: that it may take.
    """
    program, *arguments = shlex.split(command)
    assert program == "./sync"
    with tempfile.NamedTemporaryFile() as printed:
        process = _CONTEXT.Process(
            target=_run, args=(arguments, folder, dict(variables), printed.name)
        )
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
        text = Path(printed.name).read_text(encoding="utf-8")
        assert process.exitcode in {0, 1}, f"{command}: {process.exitcode}\n{text}"
        return text


def _run(arguments: list[str], folder: Path, variables: dict[str, str], printed: str) -> None:
    from local.cli import main

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    file = os.open(printed, os.O_WRONLY)
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        os.dup2(file, number)
        stream.reconfigure(encoding="utf-8")  # type: ignore[union-attr] # text streams
    sys.argv = ["sync", *arguments]
    main()
