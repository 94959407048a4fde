"""Keeps a group of our own processes running, and the servers they need."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable, Mapping

from local.restarts import OwnProcess, OwnServer, Watched
from local.servers.account import Account
from local.servers.errors import NotReady, ServerError
from local.servers.ports import answers
from local.servers.process import KILL_SECONDS
from local.servers.server import Server
from local.shutdown import StopFlag

logger = logging.getLogger(__name__)

STOP_SECONDS = 60.0
"""How long a process may take to finish what it has in hand."""

WATCH_SECONDS = 0.2


class Supervisor:
    """Runs `python -m local …` commands and started servers, starting again those that end.

    Args:
        variables: the environment of the processes.
        account: the account that they run as, or None for ours.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        variables: Mapping[str, str],
        account: Account | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._variables = variables
        self._account = account
        self._clock = clock
        self._processes: list[OwnProcess] = []
        self._watched: list[Watched] = []

    def start(self, *arguments: str) -> None:
        """Start `python -m local` with these arguments."""
        process = OwnProcess(arguments, self._variables, self._account)
        self._processes.append(process)
        self._watched.append(Watched(process, self._clock()))

    @property
    def pids(self) -> dict[str, int]:
        """The process ids, by the first argument of each."""
        return {process.name: process.process.pid for process in self._processes}

    def adopt(self, server: Server) -> None:
        """Look after a server that runs. Stopping it remains with who started it."""
        self._watched.append(Watched(OwnServer(server), self._clock()))

    def wait_for_port(self, host: str, port: int, seconds: float) -> None:
        """Return when one of the processes answers on a port of an address.

        Raises:
            NotReady: one ended, or none answered in time; its own lines say why.
        """
        deadline = self._clock() + seconds
        while not answers(port, b"", b"", host):
            ended = [process.name for process in self._processes if process.ended()]
            if ended or self._clock() > deadline:
                raise NotReady(f"{' and '.join(ended) or 'the service'}, see the lines above")
            time.sleep(WATCH_SECONDS)

    def watch(self, stop: StopFlag) -> None:
        """Start again what ended, until `stop` is set.

        Raises:
            NotReady: a server could not be started again; the text says why.
        """
        while not stop.wait(WATCH_SECONDS):
            for watched in self._watched:
                self._look_after(watched)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Ask every process to stop, in the order of their start, and wait for all.

        Args:
            seconds: how long they may take; then they are killed. One that even then waits for a
                disk which does not answer is left to end by itself.
        """
        for process in self._processes:
            process.process.terminate()
        deadline = self._clock() + seconds
        for process in self._processes:
            try:
                process.process.wait(max(0.0, deadline - self._clock()))
            except subprocess.TimeoutExpired:
                logger.warning("process killed", extra={"command": process.name})
                process.process.kill()
                self._wait_for_killed(process)

    def _wait_for_killed(self, process: OwnProcess) -> None:
        try:
            process.process.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            logger.error(  # noqa: TRY400 # the trace says nothing more
                "process cannot be killed, it ends once its disk answers",
                extra={"command": process.name, "pid": process.process.pid},
            )

    def _look_after(self, watched: Watched) -> None:
        now = self._clock()
        if watched.restart_at is not None:
            if now >= watched.restart_at:
                self._restart(watched)
        elif (reason := watched.what.ended()) is None:
            watched.settle(now)
        else:
            self._plan(watched, reason)

    def _restart(self, watched: Watched) -> None:
        watched.restart_at = None
        try:
            watched.what.start()
        except ServerError as error:
            self._plan(watched, error.about)
        except OSError as error:
            self._plan(watched, str(error))
        else:
            watched.started = self._clock()

    def _plan(self, watched: Watched, reason: str) -> None:
        pause = watched.plan_restart(self._clock(), reason)
        logger.error(
            "process ended, it is started again",
            extra={"command": watched.what.name, "status": reason, "seconds": pause},
        )
