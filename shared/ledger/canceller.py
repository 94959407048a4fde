"""Cancelling the statements that got no answer in time: the server would go on with them."""

from __future__ import annotations

import contextlib
import logging
import threading

import psycopg2

from shared.ledger.hosts import CONNECT_SECONDS, Hosts

logger = logging.getLogger(__name__)

_CANCEL = """
SELECT count(*) FILTER (WHERE pg_cancel_backend(pid)) FROM pg_stat_activity
 WHERE pid = ANY(%s) AND usename = current_user AND state = 'active'
   AND query_start < now() - make_interval(secs => %s)
"""
"""The age is for a failover: on another server the same number is another statement's."""


class Canceller:
    """Cancels statements over a connection and in a thread of its own, which ends with its work.

    psycopg2's `cancel` is not used: it waits for the server without a limit, and no other thread
    runs meanwhile. Through a pooler the numbers are not the server's, and nothing is cancelled.

    Args:
        hosts: where the statements run.
        seconds: how long they had been running at least.
    """

    def __init__(self, hosts: Hosts, seconds: float) -> None:
        self._hosts = hosts
        self._seconds = seconds
        self._lock = threading.Lock()
        self._pids: list[int] = []
        self._running = False

    def cancel(self, pid: int) -> None:
        """Cancel what a process of the server runs, soon, if the server answers."""
        with self._lock:
            self._pids.append(pid)
            if self._running:
                return
            self._running = True
        threading.Thread(target=self._run, name="cancel", daemon=True).start()

    def _run(self) -> None:
        while True:
            with self._lock:
                pids, self._pids = self._pids, []
                self._running = bool(pids)
            if not pids:
                return
            # No caller waits for it; a server that does not answer has been reported already.
            with contextlib.suppress(psycopg2.Error):
                self._cancel(pids)

    def _cancel(self, pids: list[int]) -> None:
        with contextlib.closing(self._hosts.connect()) as connection:
            connection.seconds = CONNECT_SECONDS
            with connection.cursor() as cursor:
                cursor.execute(_CANCEL, (pids, self._seconds / 2))
                logger.info("statements cancelled", extra={"statements": cursor.fetchall()[0][0]})
