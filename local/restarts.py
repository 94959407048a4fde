"""What a supervisor keeps running, and how often and how late it starts it again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from local.servers.account import Account
from local.servers.errors import NotReady, ServerError
from local.servers.process import Command
from local.servers.server import Server

FIRST_PAUSE_SECONDS = 0.5
"""Pause before a process is started again that has just been started: it may take a while until
what it misses is back. One that had settled is started again at once."""

LONGEST_PAUSE_SECONDS = 30.0
SETTLED_SECONDS = 60.0
"""A process that ran for so long has settled."""


class Supervised(Protocol):
    """Something that runs, ends, and can be started again.

    Attributes:
        name: what the log calls it.
        restarts: how many restarts in a row may fail, or None for any number.
    """

    name: str
    restarts: int | None

    def start(self) -> None:
        """Start it and return at once.

        Raises:
            ServerError, OSError: it cannot be started now.
        """
        ...

    def ended(self) -> str | None:
        """Return how it ended, or None while it runs."""
        ...


class OwnProcess:
    """A `python -m local …` command. It may miss a server for long, so it is always restarted.

    Args:
        arguments: the command.
        variables: its environment.
        account: the account to run as, or None for ours.
    """

    restarts: int | None = None

    def __init__(
        self,
        arguments: Sequence[str],
        variables: Mapping[str, str],
        account: Account | None = None,
    ) -> None:
        self.name = arguments[0]
        self._account = account
        self._arguments = arguments
        self._variables = variables
        self.process = self._spawn()

    def start(self) -> None:
        """Start it again."""
        self.process = self._spawn()

    def ended(self) -> str | None:
        """Return its exit code, or None while it runs."""
        status = self.process.poll()
        return None if status is None else f"exit code {status}"

    def _spawn(self) -> subprocess.Popen[bytes]:
        arguments = (sys.executable, "-m", "local", *self._arguments)
        command = Command(arguments, self._variables, self._account)
        return subprocess.Popen(
            # Even if we are killed, no process is left behind.
            command.launch("--parent", str(os.getpid()), "--signal", str(int(signal.SIGTERM))),
            env=dict(self._variables),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which decides the order
        )


class OwnServer:
    """A server that runs already. One that cannot be started stays so: it is given up.

    Args:
        server: the server; it keeps its port and its data when it is started again.
    """

    restarts: int | None = 5

    def __init__(self, server: Server) -> None:
        self.name = server.name
        self._server = server

    def start(self) -> None:
        """Start it again."""
        self._server.start()

    def ended(self) -> str | None:
        """Return the last lines of its log, or None while it runs."""
        if self._server.pid is not None:
            return None
        try:
            self._server.wait_ready(0.0)
        except ServerError as error:
            return error.about
        return None


@dataclass(slots=True)
class Watched:
    """One thing that is kept running, with its back-off.

    Attributes:
        what: the thing.
        started: when it was started last, in monotonic seconds.
        pause: how long the next restart waits.
        restart_at: when it is due, or None while it runs.
        failed: how many times in a row it ended before it had run for `SETTLED_SECONDS`.
    """

    what: Supervised
    started: float
    pause: float = FIRST_PAUSE_SECONDS
    restart_at: float | None = field(default=None)
    failed: int = 0

    def settle(self, now: float) -> None:
        """Forget earlier ends once it has run for long enough."""
        if now - self.started > SETTLED_SECONDS:
            self.pause, self.failed = 0.0, 0

    def plan_restart(self, now: float, reason: str) -> float:
        """Return after how many seconds it is to be started again.

        Raises:
            NotReady: it was started again often enough.
        """
        limit = self.what.restarts
        if limit is not None and self.failed >= limit:
            raise NotReady(f"{self.what.name}, restarted {self.failed} times: {reason}")
        pause = self.pause
        self.failed += 1
        self.restart_at = now + pause
        self.pause = min(2 * pause, LONGEST_PAUSE_SECONDS) or FIRST_PAUSE_SECONDS
        return pause
