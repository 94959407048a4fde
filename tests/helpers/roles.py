"""Ledgers for the tests of functions: one that a test prepares rows in, and the function's own."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from shared.ledger.database import Database
from shared.ledger.ledger import QUERIES, Ledger
from shared.ledger.roles import acting_as

_urls: WeakKeyDictionary[Ledger, str] = WeakKeyDictionary()
_own: WeakKeyDictionary[Ledger, Ledger] = WeakKeyDictionary()


def open_ledger(url: str, *, with_callbacks: bool = False) -> Ledger:
    """Return a ledger that may do anything."""
    ledger = Ledger(Database(url, *QUERIES), with_callbacks=with_callbacks)
    _urls[ledger] = url
    return ledger


def own_ledger(ledger: Ledger, function: str) -> Ledger:
    """Return the ledger of a function's role in the same database.

    Args:
        ledger: of `open_ledger`; another one, which a test has to a server of its own, is returned.
        function: whose role it acts as, always the same for one ledger.
    """
    if ledger not in _urls:
        return ledger
    if ledger not in _own:
        database = Database(acting_as(_urls[ledger], function), *QUERIES)
        _own[ledger] = Ledger(database, with_callbacks=ledger.with_callbacks)
    return _own[ledger]
