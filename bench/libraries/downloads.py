"""Our download engine against awscrt's S3Client, obstore and boto3, all from the same nginx.

Every contender writes each object to a file of its own and computes its SHA-256 while it arrives,
as the worker does; none waits for the disk. nginx checks no login, so signatures are made and
not checked.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import objects
from bench.figure import Figure
from bench.libraries.engines import AwsCrt, Boto3, Engine, Obstore, Ours
from bench.libraries.timing import in_turn
from bench.setting import Setting

SMALL, SMALL_BYTES = 600, 64 << 10
LARGE_BYTES = 128 << 20
LARGE = "large.bin"
NAMES = {
    "awscrt": "awscrt S3Client",
    "obstore": "obstore, 16 threads",
    "boto3": "boto3, 16 threads",
}


def measure(setting: Setting) -> Iterator[Figure]:
    """Compare many small objects and a large one."""
    files = setting.folder / "libraries"
    keys = objects.keys(SMALL)
    for key in keys:
        objects.write(files, key, SMALL_BYTES)
    objects.write(files, LARGE, LARGE_BYTES)
    target = setting.folder / "copies"
    target.mkdir()
    with ExitStack() as opened:
        server = opened.enter_context(objects.nginx(setting.folder, files))
        engines: dict[str, Engine] = {
            "ours": Ours(server, target),
            "awscrt": AwsCrt(server),
            "obstore": Obstore(server),
            "boto3": Boto3(server),
        }
        for engine in engines.values():
            opened.callback(engine.close)
        for name, engine in engines.items():
            _compare_digests(name, engine, engines["ours"], keys[:8], target)
        contenders = {name: _run(engine, keys, target) for name, engine in engines.items()}
        small = in_turn(setting, "small objects", contenders)
        contenders = {name: _run(engine, [LARGE], target) for name, engine in engines.items()}
        large = in_turn(setting, "large object", contenders)
    what = f"{SMALL} × {SMALL_BYTES >> 10} KiB, nginx"
    ours = small["ours"]
    for name, against in NAMES.items():
        rates, references = [
            [SMALL / seconds for seconds, _ in runs] for runs in (ours, small[name])
        ]
        yield Figure(what, rates, "files/s", None, references, against)
    for name, against in NAMES.items():
        spent, references = [[cpu / SMALL * 1e6 for _, cpu in runs] for runs in (ours, small[name])]
        yield Figure(f"{what}: processor time", spent, "µs/file", None, references, against)
    what = f"{LARGE_BYTES >> 20} MiB, nginx"
    for index, kind in enumerate(("", ": processor time")):
        for name, against in NAMES.items():
            mine, references = [
                [run[index] for run in runs] for runs in (large["ours"], large[name])
            ]
            yield Figure(what + kind, mine, "s", None, references, against)


def _run(engine: Engine, keys: Sequence[str], target: Path) -> Callable[[], tuple[float, float]]:
    """Return what copies objects into a new folder: seconds and processor seconds it took."""

    def run() -> tuple[float, float]:
        folder = Path(tempfile.mkdtemp(dir=target))
        before, spent = time.perf_counter(), time.process_time()
        digests = engine.copy(keys, folder)
        taken, spent = time.perf_counter() - before, time.process_time() - spent
        if len(digests) != len(keys):
            raise AssertionError(f"{len(digests)} of {len(keys)} were copied")
        shutil.rmtree(folder)
        return taken, spent

    return run


def _compare_digests(
    name: str, engine: Engine, ours: Engine, keys: Sequence[str], target: Path
) -> None:
    """Make sure that a contender copies the same bytes; this also opens its connections."""
    copies = [Path(tempfile.mkdtemp(dir=target)) for _ in range(2)]
    expected = ours.copy(keys, copies[0])
    if engine.copy(keys, copies[1]) != expected:
        raise AssertionError(f"{name} computed other digests")
    for key in keys:
        if (copies[0] / key).read_bytes() != (copies[1] / key).read_bytes():
            raise AssertionError(f"{name} wrote other bytes")
