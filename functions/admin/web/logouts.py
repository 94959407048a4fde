"""Sessions that were ended: a copy of a cookie must not outlive the logout."""

from __future__ import annotations

from functions.admin.web.sessions import Session
from shared.ledger.database import Database


class Logouts:
    """Keeps in the ledger which sessions were ended, for every process to see.

    Args:
        database: with the admin's queries.

    Every method raises `LedgerUnavailable` when PostgreSQL is unreachable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def end(self, session: Session) -> None:
        """Ends a session."""
        self._database.run("end_session", sid=session.sid, expires=session.expires)

    def ended(self, session: Session) -> bool:
        """Tells whether a session was ended."""
        return bool(self._database.run("session_ended", sid=session.sid)[0][0])
