"""What every local server can do, whichever program it is."""

from __future__ import annotations

from typing import Protocol


class Server(Protocol):
    """A private instance of a server, its data below a folder of ours.

    Attributes:
        name: what a person calls it, such as "PostgreSQL".
    """

    name: str

    @property
    def pid(self) -> int | None:
        """The process id, or None while it does not run."""
        ...

    def start(self) -> None:
        """Starts it and returns at once; one that runs already is left alone.

        Raises:
            PortInUse, ProgramMissing, ForeignData, NoAccount: it cannot be started.
        """
        ...

    def wait_ready(self, timeout: float) -> None:
        """Returns when it answers.

        Args:
            timeout: seconds to wait at most.

        Raises:
            NotReady: it ended, or did not answer in time.
        """
        ...

    def stop(self) -> None:
        """Stops it in order and returns when it is gone; one that does not run is no error."""
        ...
