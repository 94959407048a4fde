"""How long to wait before connecting again. Pure."""

from __future__ import annotations

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 10.0


def pause(failures: int, chance: float) -> float:
    """Gives the seconds to wait after so many failures in a row.

    ========  ===============
    failures  seconds
    ========  ===============
    0         0.1 to 0.2
    1         0.2 to 0.4
    3         0.8 to 1.6
    6 and up  5 to 10
    ========  ===============

    Args:
        failures: tries that failed since the connection last stood.
        chance: evenly spread from 0 to 1, so that many clients do not come back as one.
    """
    longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures, 30))
    return longest * (1 + chance) / 2
