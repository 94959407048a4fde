"""Back-off: how long to wait before connecting again. Pure."""

from __future__ import annotations

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 5.0


def backoff_seconds(failures: int, chance: float) -> float:
    """Return the seconds to wait after this many failures in a row.

    ========  ===============
    failures  seconds
    ========  ===============
    0         0.1 to 0.2
    1         0.2 to 0.4
    3         0.8 to 1.6
    5 and up  2.5 to 5
    ========  ===============

    Args:
        failures: attempts that failed since the last open connection.
        chance: a random number from 0 to 1, so that many clients do not come back at once.
    """
    longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures, 30))
    return longest * (1 + chance) / 2


def reconnect_seconds(failures: int, nodes: int, chance: float) -> float:
    """Return the seconds to wait before the next of several nodes is tried.

    ========  =====  ==================================
    failures  nodes  seconds
    ========  =====  ==================================
    0         1      0.1 to 0.2
    0, 1      3      0, the others have not been tried
    2         3      0.1 to 0.2
    3, 4      3      0
    5         3      0.2 to 0.4
    ========  =====  ==================================

    Args:
        failures: as in `backoff_seconds`, of whatever node.
        nodes: how many there are.
        chance: as there.
    """
    rounds, tried = divmod(failures + 1, nodes)
    return 0.0 if tried else backoff_seconds(rounds - 1, chance)
