from __future__ import annotations

import pytest

from shared.ledger.search import Term


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("  ", None),
        ("a_b%c\\", Term("a_b%c\\", "a\\_b\\%c\\\\%", None, None, None)),
        ("42", Term("42", "42%", None, None, 42)),
        ("9" * 19, Term("9" * 19, "9" * 19 + "%", bytes.fromhex("9" * 19 + "0" * 45),
                        bytes.fromhex("9" * 19 + "f" * 45), None)),
        ("0A1b2c3", Term("0A1b2c3", "0A1b2c3%", None, None, None)),
    ],
)  # fmt: skip
def test_a_search_text_is_read_in_every_way_it_can_be_meant(text: str, term: Term | None) -> None:
    assert Term.parse(text) == term
