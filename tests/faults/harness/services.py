"""Our own processes as real child processes that can be killed, and that start again."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from local.servers.account import Account
from local.servers.errors import NotReady
from local.servers.process import Command, Process
from tests.helpers.waiting import until

WATCH_SECONDS = 0.05
RESTART_SECONDS = 0.2


class Service:
    """`python -m local <command>`, started again whenever it ends, as a supervisor does.

    Args:
        command: serve, trigger or scheduler.
        folder: of its log.
        variables: its environment.
    """

    def __init__(self, command: str, folder: Path, variables: Mapping[str, str]) -> None:
        self.command = command
        self.deaths = 0
        self.log = folder / f"{command}.log"
        self.account: Account | None = None
        self._variables = dict(variables)
        self._process = Process(command, folder, stop_signal=signal.SIGTERM)
        self._lock = threading.RLock()
        self._wanted = False
        self._known: int | None = None
        self._over = threading.Event()
        # A process ends with the thread that starts it, so one thread starts them all.
        self._thread = threading.Thread(target=self._look_after, name=f"look after {command}")
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The process id, None while it does not run."""
        with self._lock:
            return self._process.pid

    def start(self) -> None:
        """Have it run; return once it does."""
        self._wanted = True
        until(lambda: self.pid is not None, f"{self.command} to start")

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it and leave it ended."""
        with self._lock:
            self._wanted = False
            self._known = None
            if number == signal.SIGKILL and (pid := self.pid):
                os.killpg(pid, signal.SIGKILL)
            self._process.stop()

    def kill(self) -> None:
        """Kill it as `kill -9` does, and nothing but the one process."""
        if pid := self.pid:
            os.kill(pid, signal.SIGKILL)

    def freeze(self) -> Callable[[], None]:
        """Stop it from running; return what lets it go on."""
        pid = self.pid
        if pid is None:
            raise RuntimeError(f"{self.command} does not run")
        os.killpg(pid, signal.SIGSTOP)
        return lambda: os.killpg(pid, signal.SIGCONT)

    def go_on(self) -> None:
        """Let it run again if it has frozen itself."""
        if pid := self.pid:
            os.killpg(pid, signal.SIGCONT)

    def state(self) -> str:
        """Return its state as the kernel has it (proc(5)): T where it is frozen."""
        stat = Path(f"/proc/{self.pid}/stat")
        return stat.read_text().rpartition(")")[2].split()[0] if stat.exists() else ""

    def peak_memory(self) -> int:
        """Return the most bytes of memory that it has held (proc(5), VmHWM)."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return 0

    def variable(self, name: str) -> str:
        """Return a variable of its environment."""
        return self._variables[name]

    def change(self, **variables: str) -> None:
        """Change its environment from its next start on; an empty text removes a variable."""
        self._variables.update(variables)

    def restart(self) -> None:
        """Stop it in order and start it again."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End it for good."""
        self._over.set()
        self._thread.join()

    def _look_after(self) -> None:
        ended_at = 0.0
        while not self._over.wait(WATCH_SECONDS):
            with self._lock:
                if not self._wanted or self.pid is not None:
                    continue
                if self._known is not None:
                    self._known = None
                    self.deaths += 1
                    ended_at = time.monotonic()
                if time.monotonic() - ended_at >= RESTART_SECONDS:
                    arguments = (sys.executable, "-m", "local", self.command)
                    given = {name: text for name, text in self._variables.items() if text}
                    directory = self.log.parent
                    command = Command(arguments, given, self.account, directory)
                    with contextlib.suppress(NotReady):  # the one before waits for a disk
                        self._process.start(command, None)
                        self._known = self.pid
        with self._lock:
            if (pid := self.pid) is not None:
                os.killpg(pid, signal.SIGCONT)
            self._process.stop(grace=10.0)
