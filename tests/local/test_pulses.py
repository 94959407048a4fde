"""Pulses are files that are touched, and that exist only once something was done."""

from __future__ import annotations

import os
from pathlib import Path

from local.pulses import pulse


def test_a_pulse_is_a_file_whose_time_moves(tmp_path: Path) -> None:
    beat = pulse(tmp_path / "pulses", "trigger")
    file = tmp_path / "pulses" / "trigger"
    assert file.parent.is_dir()
    assert not file.exists()
    beat()
    os.utime(file, (1, 1))
    beat()
    assert file.stat().st_mtime > 1


def test_a_pulse_that_cannot_be_written_harms_nothing(tmp_path: Path) -> None:
    beat = pulse(tmp_path / "pulses", "trigger")
    (tmp_path / "pulses").rmdir()
    beat()
    assert not (tmp_path / "pulses").exists()


def test_without_a_folder_there_is_none(tmp_path: Path) -> None:
    pulse(None, "trigger")()
    assert list(tmp_path.iterdir()) == []
