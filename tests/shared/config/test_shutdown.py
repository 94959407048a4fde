from __future__ import annotations

import subprocess
import sys

SCRIPT = """
from shared.config.shutdown import close_at_exit

def close(name):
    print(name)

def fail():
    raise OSError("lost")

close_at_exit(lambda: close("publisher"), fail, lambda: close("ledger"))
print("running")
"""


def test_adapters_are_closed_in_order_when_the_process_exits() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout.split() == ["running", "publisher", "ledger"]
    assert "adapter not closed" in ended.stderr
