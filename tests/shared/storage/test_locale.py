"""Names on disk are UTF-8, whatever the locale of the process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

NAMES = ["Straße/ß.txt", "文件/名前.txt", "plain.txt", "é/🎉.bin"]

PROGRAM = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from shared import log
from shared.domain import Wanted
from shared.storage.local import LocalStorage
from shared.storage.reading import StorageReader

log.configure()
now = datetime.now(UTC)
names = bytes.fromhex(sys.argv[2]).decode().split("|")
storage = LocalStorage(sys.argv[1])
wanted = [Wanted(n, 1, name, now, now) for n, name in enumerate(names, 1)]
parts = storage.parts(wanted)
for one in wanted:
    Path(parts[one.row_id]).write_bytes(one.file_name.encode())
assert storage.make_durable(dict.fromkeys(parts.values())) == {}
assert storage.place([(one, parts[one.row_id]) for one in wanted]) == {}
import logging
for name in names:
    logging.getLogger().warning("placed", extra={"file": name})
    with StorageReader(sys.argv[1]).open(name) as file:
        assert file.stream.read() == name.encode()
print(sys.getfilesystemencoding())
"""


def latin_locale(folder: Path) -> dict[str, str]:
    if shutil.which("localedef") is None:
        pytest.skip("localedef is not installed")
    made = subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "ISO-8859-1", str(folder / "de_DE.ISO-8859-1")],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("localedef has no sources of de_DE")
    return {"LC_ALL": "de_DE.ISO-8859-1", "LOCPATH": str(folder)}


@pytest.mark.parametrize(
    ("name", "encoding"), [("C", "ascii"), ("POSIX", "ascii"), ("latin", "iso8859-1")]
)
def test_names_are_utf_8_in_any_locale(tmp_path: Path, name: str, encoding: str) -> None:
    variables = latin_locale(tmp_path) if name == "latin" else {"LC_ALL": name}
    storage = tmp_path / "storage"
    storage.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(storage), "|".join(NAMES).encode().hex()],
        cwd=ROOT,
        env={
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT),
            "PYTHONUTF8": "0",
            "PYTHONCOERCECLOCALE": "0",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().replace("utf-8", "") == encoding
    root = os.fsencode(storage) + b"/"
    found = {
        (folder + b"/" + file).removeprefix(root)
        for folder, _, files in os.walk(os.fsencode(storage))
        for file in files
    }
    assert found == {name.encode() for name in NAMES}
