from __future__ import annotations

import pytest

from functions.admin.row_id import parse_row_id


@pytest.mark.parametrize(
    ("text", "row_id"),
    [
        ("42", 42),
        ("0", 0),
        ("007", 7),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None),
        ("9" * 40, None),
        ("", None),
        ("x", None),
        ("-1", None),
        (" 1", None),
        ("٤", None),
        ("²", None),
    ],
)
def test_an_id_is_a_positive_bigint(text: str, row_id: int | None) -> None:
    assert parse_row_id(text) == row_id
