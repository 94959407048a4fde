"""The interface of every local server."""

from __future__ import annotations

from typing import Protocol


class Server(Protocol):
    """A private instance of a server, its data below a folder of ours.

    Attributes:
        name: its name for people, such as "PostgreSQL".
    """

    name: str

    @property
    def pid(self) -> int | None:
        """The process id, or None while it does not run."""
        ...

    def start(self) -> None:
        """Start it and return at once; one that runs already is kept.

        Raises:
            PortInUse, ProgramMissing, ForeignData, NoAccount: it cannot be started.
        """
        ...

    def wait_ready(self, timeout: float) -> None:
        """Wait until it answers.

        Args:
            timeout: seconds to wait at most.

        Raises:
            NotReady: it ended, or did not answer in time.
        """
        ...

    def stop(self) -> None:
        """Stop it cleanly and wait until it is gone; one that does not run is no error."""
        ...
