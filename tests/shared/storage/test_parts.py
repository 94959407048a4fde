from __future__ import annotations

from pathlib import Path

import pytest

from shared.storage.parts import is_unfinished, journal_of, part_name


def test_each_attempt_has_a_part_of_its_own_with_its_journal_beside_it() -> None:
    assert part_name(7, 2) == "7.2.part"
    assert part_name(7, 3) != part_name(7, 2) != part_name(72, 2)
    assert journal_of(Path("/storage/.incoming/7.2.part")) == Path("/storage/.incoming/7.2.journal")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("7.2.part", True),
        ("7.2.journal", True),
        ("7.2.journal-new", True),
        ("7.2.part.bak", False),
        ("7.part", False),
        ("a.2.part", False),
        ("-7.2.part", False),
        (" 7.2.part", False),
        ("7.2.part\n", False),
        ("notes.txt", False),
    ],
)
def test_only_parts_and_journals_may_be_swept(name: str, expected: bool) -> None:
    assert is_unfinished(name) is expected
