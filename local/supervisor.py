"""Keeps a group of our own processes running."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from local.servers.errors import NotReady
from local.servers.ports import answers
from local.servers.process import Command
from local.shutdown import StopFlag

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.5
"""Pauses before a process that ended is started again: it may take a while until what it misses
is back."""

LONGEST_PAUSE_SECONDS = 30.0
SETTLED_SECONDS = 60.0
"""A process that ran for so long starts with the first pause again."""

STOP_SECONDS = 60.0
"""How long a process may take to finish what it has in hand."""

WATCH_SECONDS = 0.2


@dataclass(slots=True)
class _Child:
    arguments: Sequence[str]
    process: subprocess.Popen[bytes]
    started: float
    pause: float = FIRST_PAUSE_SECONDS
    restart_at: float | None = field(default=None)


class Supervisor:
    """Runs `python -m local …` commands, starting again those that end.

    Args:
        variables: the environment of the processes.
        clock: monotonic seconds.
    """

    def __init__(
        self, variables: Mapping[str, str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._variables = variables
        self._clock = clock
        self._children: list[_Child] = []

    def start(self, *arguments: str) -> None:
        """Starts `python -m local` with these arguments."""
        self._children.append(_Child(arguments, self._spawn(arguments), self._clock()))

    def wait_for_port(self, host: str, port: int, seconds: float) -> None:
        """Returns when one of the processes answers on a port of an address.

        Raises:
            NotReady: one ended, or none answered in time; its own lines say why.
        """
        deadline = self._clock() + seconds
        while not answers(port, b"", b"", host):
            ended = [c.arguments[0] for c in self._children if c.process.poll() is not None]
            if ended or self._clock() > deadline:
                raise NotReady(f"{' and '.join(ended) or 'the service'}, see the lines above")
            time.sleep(WATCH_SECONDS)

    def watch(self, stop: StopFlag) -> None:
        """Starts ended processes again until `stop` is set."""
        while not stop.wait(WATCH_SECONDS):
            for child in self._children:
                self._look_after(child)

    def stop(self) -> None:
        """Asks every process to stop, in the order of their start, and wait for all."""
        for child in self._children:
            child.process.terminate()
        deadline = self._clock() + STOP_SECONDS
        for child in self._children:
            try:
                child.process.wait(max(0.0, deadline - self._clock()))
            except subprocess.TimeoutExpired:
                logger.warning("process killed", extra={"command": child.arguments[0]})
                child.process.kill()
                child.process.wait()

    def _look_after(self, child: _Child) -> None:
        status = child.process.poll()
        now = self._clock()
        if status is None:
            if now - child.started > SETTLED_SECONDS:
                child.pause = FIRST_PAUSE_SECONDS
        elif child.restart_at is None:
            logger.error(
                "process ended, it is started again",
                extra={"command": child.arguments[0], "status": status, "seconds": child.pause},
            )
            child.restart_at = now + child.pause
            child.pause = min(2 * child.pause, LONGEST_PAUSE_SECONDS)
        elif now >= child.restart_at:
            child.process = self._spawn(child.arguments)
            child.started, child.restart_at = now, None

    def _spawn(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        command = Command((sys.executable, "-m", "local", *arguments), self._variables)
        return subprocess.Popen(
            # Killed without a word, we still leave no process behind.
            command.launch("--parent", str(os.getpid()), "--signal", str(int(signal.SIGTERM))),
            env=dict(self._variables),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which decides the order
        )
