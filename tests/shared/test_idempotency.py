from __future__ import annotations

import pytest

from shared.idempotency import version_key

PARTS = ("bucket", "a/b.jpg", "etag", "0cc175b9c0f1b6a831c399e269772661")


def test_a_version_has_one_key_of_32_bytes() -> None:
    assert version_key(*PARTS) == version_key(*PARTS)
    assert len(version_key(*PARTS)) == 32


@pytest.mark.parametrize("number", range(4))
def test_each_part_counts(number: int) -> None:
    others = [*PARTS]
    others[number] += "2"
    assert version_key(*others) != version_key(*PARTS)


@pytest.mark.parametrize(
    "others",
    [("bucketa", "/b.jpg", *PARTS[2:]), ("bucket", "a/b.jpget", "ag", PARTS[3]), PARTS[::-1]],
)
def test_parts_are_not_hashed_as_one_text(others: tuple[str, str, str, str]) -> None:
    assert version_key(*others) != version_key(*PARTS)
