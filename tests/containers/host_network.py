"""The machine's network: an engine adds a bridge and firewall rules, and leaves them there."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
INTERFACES = Path("/sys/class/net")
FIREWALLS = ("iptables", "ip6tables")
ENGINES = re.compile(r"docker0|br-[0-9a-f]{12}")


@contextmanager
def put_back() -> Iterator[None]:
    """Leave the firewall, the bridges and the forwarding of IPv4 at the end as they were."""
    forward = FORWARD.read_text()
    rules = {name: _rules(name) for name in FIREWALLS}
    bridges = _bridges()
    try:
        yield
    finally:
        for name, before in rules.items():
            _restore(name, before)
        if shutil.which("ip"):
            for bridge in _bridges() - bridges:
                subprocess.run(["ip", "link", "delete", bridge], check=False)
        FORWARD.write_text(forward)


def _bridges() -> set[str]:
    return {path.name for path in INTERFACES.iterdir() if ENGINES.fullmatch(path.name)}


def _rules(firewall: str) -> dict[str, list[str]]:
    """Return the lines of each table that is in use, as `iptables-restore` reads them."""
    program = shutil.which(f"{firewall}-save")
    if program is None:
        return {}
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    tables: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in done.stdout.splitlines():
        if line.startswith("*"):
            lines = tables[line[1:]] = []
        elif line.startswith((":", "-")):
            lines.append(line)
    return tables


def _restore(firewall: str, before: dict[str, list[str]]) -> None:
    after = _rules(firewall)
    for table, lines in after.items():
        # A chain of the kernel's own has a policy, others have a dash.
        own = [line.split()[0] + " ACCEPT" for line in lines if re.match(r":\S+ [A-Z]", line)]
        text = "\n".join([f"*{table}", *before.get(table, own), "COMMIT", ""])
        subprocess.run([f"{firewall}-restore"], input=text, text=True, check=True)
