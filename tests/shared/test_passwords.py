from __future__ import annotations

import pytest

from shared.passwords import hash_password, verify


def test_a_password_matches_its_own_hash_alone() -> None:
    hashed = hash_password("pässword")
    assert verify("pässword", hashed)
    assert not verify("password", hashed)
    assert not verify("", hashed)


def test_two_hashes_of_one_password_differ() -> None:
    assert hash_password("a") != hash_password("a")


@pytest.mark.parametrize(
    "text",
    ["", "admin", "scrypt$", "scrypt$1$2$3$4", "scrypt$a$8$1$AAAA$AAAA", "scrypt$16$8$1$!$AAAA",
     "scrypt$15$8$1$AAAA$AAAA", "scrypt$1099511627776$8$1$AAAA$AAAA", "md5$16384$8$1$AAAA$AAAA"],
)  # fmt: skip
def test_a_text_that_is_not_a_hash_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="expected scrypt"):
        verify("admin", text)
