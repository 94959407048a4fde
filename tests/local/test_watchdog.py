from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

from local.context import Context, EndingContext
from local.watchdog import watched
from shared.config.shutdown import STUCK
from tests.helpers.paths import ROOT
from tests.helpers.waiting import until


def test_a_call_that_returns_is_left_alone() -> None:
    ended: list[str] = []
    call = watched(lambda event, _: event, 30.0, ended.append)
    assert call("event", Context(0.0)) == "event"
    assert not ended


def test_a_call_that_hangs_ends_its_process_once_its_time_is_over() -> None:
    ended: list[str] = []
    stop, go_on = threading.Event(), threading.Event()

    def hang(_event: Any, _context: Any) -> None:
        go_on.wait(30)

    call = watched(hang, 0.05, ended.append)
    thread = threading.Thread(target=call, args=({}, EndingContext(60.0, stop.is_set)))
    thread.start()
    assert not go_on.wait(0.3)
    assert not ended
    stop.set()
    until(lambda: ended)
    go_on.set()
    thread.join()
    assert ended == ["a function did not return 0.05 s after its time was over"]


ENDS = """
import threading
from local.watchdog import end_after
end_after(0.1)
threading.Event().wait()
"""


def test_a_process_that_hangs_when_it_is_to_stop_ends_nevertheless() -> None:
    done = subprocess.run([sys.executable, "-c", ENDS], cwd=ROOT, timeout=30, check=False)
    assert done.returncode == STUCK
