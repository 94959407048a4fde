"""Named points at which a process can be made to die, to prove that nothing is lost then.

An unarmed point costs one comparison. Points are armed when a process starts, by
`CRASH_POINT=name[:chance[:seed[:STOP]]]` and in a local run only; a service on AWS refuses to start
with it. With `STOP` the process freezes instead, as if its host had silently disappeared.
"""

from __future__ import annotations

import enum
import os
import random
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from shared.errors import SettingError

VARIABLE = "CRASH_POINT"


class CrashPoint(enum.StrEnum):
    """Where a process can die, in the order in which an object passes the points."""

    BEFORE_RECORD = "before-record"
    """ingest: the request is valid, nothing is committed."""
    AFTER_RECORD = "after-record"
    """ingest: the row is committed, its message is not handed over."""
    AFTER_HAND_OVER = "after-hand-over"
    """ingest: the publisher has the row, the client has no answer."""
    BEFORE_PUBLISH = "before-publish"
    """publisher: messages wait, none is on the wire."""
    AFTER_PUBLISH = "after-publish"
    """publisher: messages are on the wire, none is confirmed."""
    AFTER_TAKE_DUE = "after-take-due"
    """requeue: due rows are taken, their messages are not sent."""
    AFTER_CLAIM = "after-claim"
    """worker: rows are leased, nothing is downloaded."""
    MID_DOWNLOAD = "mid-download"
    """worker: some bytes of an object are in its part file."""
    AFTER_LAST_BYTE = "after-last-byte"
    """worker: a part is complete and verified, not yet durable."""
    AFTER_DURABLE = "after-durable"
    """worker: parts are on disk, none has its name."""
    AFTER_RENAME = "after-rename"
    """storage: a file has its name, the name is not yet durable."""
    BEFORE_UPDATE = "before-update"
    """worker: files are in place, the ledger is not updated."""
    AFTER_UPDATE = "after-update"
    """worker: the ledger is updated, the rest of the batch is still to come."""
    BEFORE_ACKNOWLEDGEMENT = "before-acknowledgement"
    """trigger: a batch is done, its messages are not acknowledged."""
    AFTER_DELIVERY = "after-delivery"
    """notify: the receiver has confirmed callbacks, the ledger is not updated."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens at which point.

    Attributes:
        point: where the process dies.
        chance: how likely it is each time the point is passed, from 0 to 1.
        random: the source of chance.
        signal: what the process is sent, SIGKILL or SIGSTOP.
    """

    point: CrashPoint
    chance: float
    random: random.Random
    signal: signal.Signals

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> Self | None:
        """Read the variable; None if it is not set.

        Raises:
            SettingError: it is invalid, or this is not a local run.
        """
        text = variables.get(VARIABLE)
        if not text:
            return None
        if not variables.get("LOCAL_RUN"):
            raise SettingError(f"{VARIABLE}: only for local runs")
        name, _, rest = text.partition(":")
        chance, _, rest = rest.partition(":")
        seed, _, action = rest.partition(":")
        try:
            # Chance decides when a test kills: it must be repeatable, not secret.
            source = random.Random(int(seed or "0"))
            number = signal.Signals[f"SIG{action or 'KILL'}"]
            return cls(CrashPoint(name), float(chance or "1"), source, number)
        except (ValueError, KeyError) as error:
            about = f"{VARIABLE}: expected name[:chance[:seed[:STOP]]], a name of `CrashPoint`"
            raise SettingError(about) from error


_armed: Fault | None = None


def arm(variables: Mapping[str, str]) -> None:
    """Arm the point that the variable names, or none; a process does so when it starts.

    Raises:
        SettingError: the variable is invalid, or this is not a local run.
    """
    global _armed  # noqa: PLW0603 - a process dies as a whole
    _armed = Fault.read(variables)


def injection_point(point: CrashPoint) -> None:
    """Kill this process as `kill -9` does, if it is armed for that point; otherwise do nothing."""
    if _armed is not None and _armed.point is point and _armed.random.random() < _armed.chance:
        os.kill(os.getpid(), _armed.signal)
