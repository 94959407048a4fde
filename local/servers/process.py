"""One server process: started clean, recognized by a later run, stopped cleanly."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.servers.account import Account
from local.servers.errors import ForeignData, NotReady
from local.servers.ports import require_free
from local.servers.running import Record, Running

LAUNCH = Path(__file__).with_name("launch.py")
LOG_WRITER = Path(__file__).with_name("log_writer.py")
LOG_SECONDS = 2.0
"""Time limit for writing the last lines of a server that has ended."""

POLL_SECONDS = 0.02
LOG_LINES_SHOWN = 3
KILL_SECONDS = 5.0
"""Time limit for a killed process to end."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run.

    Attributes:
        arguments: absolute path of the program and its arguments.
        environment: its whole environment; nothing of ours is inherited.
        account: the account to run as, or None for ours.
        directory: where it starts, or None for the folder of its log; `run` starts in ours.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str]
    account: Account | None = None
    directory: Path | None = None

    def launch(self, *more: str) -> list[str]:
        """Return the command line that becomes the program, see `local.servers.launch`."""
        line = [sys.executable, "-I", "-S", str(LAUNCH), *more]
        if self.account:
            line += ["--uid", str(self.account.uid), "--gid", str(self.account.gid)]
            for capability in self.account.capabilities:
                line += ["--capability", str(capability)]
        return [*line, "--", *self.arguments]

    def run(self, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run it to its end.

        Args:
            stdin: text for its standard input.

        Returns:
            Its exit code and output, both streams in `stdout`.
        """
        return subprocess.run(  # the arguments are this package's own
            self.launch(),
            input=stdin,
            env=dict(self.environment),
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="surrogateescape",  # it may show a path that the locale cannot
            check=False,
        )


class Process:
    """A server's process and its files `<name>.pid` and `<name>.log`, see `log_writer`."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        stays: bool = False,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        """Describe it; nothing is started.

        Args:
            name: what a person calls it; lower-cased it names the files.
            folder: where these files are.
            stays: it outlives this process and is stopped by a later one. Otherwise it ends
                with the thread that starts it, however that ends (on Linux).
            stop_signal: what makes it stop cleanly.
        """
        self.name = name
        self.log = folder / f"{name.lower()}.log"
        self._record = folder / f"{name.lower()}.pid"
        self._stays = stays
        self._stop_signal = stop_signal
        self._child: subprocess.Popen[bytes] | None = None
        self._log_writer: threading.Thread | None = None

    @property
    def running(self) -> Running | None:
        """The process, started by us or recorded by an earlier one, if it lives."""
        server = self._known()
        alive = server is not None and server.alive
        if self._child is not None:
            self._child.poll()  # after the look: one that was seen to have ended is reaped
        return server if alive else None

    @property
    def pid(self) -> int | None:
        """The process id, or None while it does not run."""
        running = self.running
        return running.pid if running else None

    def start(self, command: Command, port: int | None) -> None:
        """Start it.

        Args:
            command: what to run.
            port: the TCP port of 127.0.0.1 that it will take, if any.

        Raises:
            PortInUse: something else has that port.
            NotReady: the one before was killed, and has not ended.
        """
        if port is not None:
            require_free(port, self.name)
        if self._child is not None:
            self._reap(self._child)
        ending = ["--parent", str(os.getpid()), "--signal", str(int(self._stop_signal))]
        with self._log_pipe() as log:
            if command.account:  # nginx opens it once more, by the name /dev/stdout
                os.fchown(log, command.account.uid, command.account.gid)
            self._child = subprocess.Popen(  # the arguments are this package's own
                command.launch(*([] if self._stays else ending)),
                env=dict(command.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=command.directory or self.log.parent,
                start_new_session=True,  # Ctrl-C reaches us alone, and we decide the order
            )
        server = Running.of(self._child.pid)
        if server:
            owner = None if self._stays else Running.of(os.getpid())
            Record(server, owner).save(self._record)

    def take_over(self) -> bool:
        """Settle what an earlier process left.

        Returns:
            True where the server runs already and is to stay.

        Raises:
            ForeignData: it runs for another process that is alive.
        """
        record = Record.load(self._record)
        if record is None:
            return False
        if not record.server.alive:
            self.stop()
            return False
        if self._child is not None or (record.owner is None and self._stays):
            return True
        if record.owner is None or record.owner.alive:
            raise ForeignData(f"{self.name} runs there already, as process {record.server.pid}")
        self.stop()
        return False

    def wait_until(self, ready: Callable[[], bool], timeout: float) -> None:
        """Return once `ready` does.

        Raises:
            NotReady: the process ended, or `timeout` seconds passed; with the log's last lines.
        """
        deadline = time.monotonic() + timeout
        while not ready():
            if self.running is None:
                raise NotReady(f"{self.name} ended: {self._last_words()}")
            if time.monotonic() > deadline:
                raise NotReady(f"{self.name} within {timeout:.0f} s: {self._last_words()}")
            time.sleep(POLL_SECONDS)

    def stop(self, grace: float = 30.0) -> None:
        """Stop it and wait until it is gone; it is killed after `grace` seconds.

        One that waits for a disk which does not answer cannot be killed. It ends when the disk
        does, and is not waited for.
        """
        server = self._known()
        if server:
            server.signal(self._stop_signal)
            self._gone(server, grace)
            server.kill_group()
            self._gone(server, grace)
        if self._child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(KILL_SECONDS)
                self._child = None
        self._end_log()
        self._record.unlink(missing_ok=True)

    def _reap(self, child: subprocess.Popen[bytes]) -> None:
        """Record the end of a process, which may have ended since the last check."""
        try:
            child.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            raise NotReady(
                f"{self.name}: process {child.pid} cannot end before its disk answers"
            ) from None

    @contextmanager
    def _log_pipe(self) -> Iterator[int]:
        """Start the process that writes the log, and open the pipe to it, to be inherited."""
        self._end_log()
        self.log.touch()  # raises here, and not unseen in the writer
        reading, writing = os.pipe()
        try:
            writer = subprocess.Popen(  # the arguments are this package's own
                [sys.executable, "-I", "-S", str(LOG_WRITER), str(self.log.absolute())],
                env={},
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # it outlives the server's process group
            )
            # It ends with the last process that writes to the pipe, so a thread waits for it.
            self._log_writer = threading.Thread(target=writer.wait, name="log", daemon=True)
            self._log_writer.start()
            yield writing
        finally:
            os.close(reading)
            os.close(writing)

    def _end_log(self) -> None:
        """Wait until everything that an ended server printed is in its log.

        Something that the server left behind may print on; that is not waited for.
        """
        if self._log_writer is not None:
            self._log_writer.join(LOG_SECONDS)

    def _known(self) -> Running | None:
        """Return the recorded process; if the record has been removed, our own child."""
        record = Record.load(self._record)
        if record:
            return record.server
        if self._child is None or self._child.poll() is not None:
            return None
        return Running.of(self._child.pid)

    def _gone(self, running: Running, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self._child is not None:
                self._child.poll()
            if not running.alive:
                return True
            time.sleep(POLL_SECONDS)
        return False

    def _last_words(self) -> str:
        if self.running is None:
            self._end_log()
        lines = self.log.read_text(errors="replace").split("\n") if self.log.exists() else []
        written = [line.strip() for line in lines if line.strip()]
        return " | ".join(written[-LOG_LINES_SHOWN:]) or "it wrote nothing"
