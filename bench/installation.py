"""A whole installation: `./sync run` on the stack's servers, and objects without end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import objects
from bench.processes import arguments, children
from bench.setting import Setting
from bench.stack import running
from local.servers.ports import free_port

SUPERVISOR = "supervisor"
SOURCE = "source"
KEYS = f"rewrite ^/{objects.BUCKET}/[0-9]+/[0-9]+[.]bin$ /{objects.BUCKET}/{SOURCE} break;"
"""nginx answers every key of `key` with the same object, and none that the worker makes up to see
whether it is talking to S3."""


def key(number: int) -> str:
    """Name one of the objects without end."""
    return f"{number // 1000:05}/{number:08}.bin"


@dataclass(frozen=True, slots=True)
class Installation:
    """`./sync run`, and the servers that it uses.

    Attributes:
        pid: of the supervisor.
        port: where it answers HTTP.
        storage: where files end.
        servers: process ids of the servers, by name.
    """

    pid: int
    port: int
    storage: Path
    servers: Mapping[str, int]

    def processes(self) -> dict[str, int]:
        """Return the process ids of all parts, by name: "serve", "trigger 1" and so on."""
        found = {SUPERVISOR: self.pid}
        triggers = 0
        for pid in children(self.pid):
            name = arguments(pid)[3]  # python -m local NAME
            if name == "trigger":
                triggers += 1
                name = f"trigger {triggers}"
            found[name] = pid
        return found

    def triggers(self) -> list[int]:
        """Return the process ids of the triggers."""
        return [pid for name, pid in self.processes().items() if name.startswith("trigger")]


@contextmanager
def installation(
    setting: Setting, name: str, url: str, size: int, more: Mapping[str, str] | None = None
) -> Iterator[Installation]:
    """Run an installation as the account that measures.

    Args:
        setting: where.
        name: of its folder.
        url: of its ledger.
        size: of every object, in bytes.
        more: further settings.
    """
    folder = setting.folder / name
    storage = folder / "storage"
    storage.mkdir(parents=True)
    objects.write(folder, SOURCE, size)
    with objects.nginx(folder, folder, KEYS) as server:
        variables = {
            **setting.stack.variables(url, server.variables(storage)),
            "DATA_DIR": str(folder / "data"),
            **({"RUN_AS": "root"} if os.geteuid() == 0 else {}),
            **(more or {}),
        }
        port = free_port()
        with running("run", ("-m", "local", "run"), variables, folder, port) as pid:
            yield Installation(pid, port, storage, setting.stack.pids)
