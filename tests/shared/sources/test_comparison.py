from __future__ import annotations

from dataclasses import replace

import pytest

from shared.domain import UnprovenCopy
from shared.errors import ContentMismatch, CopyUnproven
from shared.sources.comparison import Comparison, EtagMismatch

COPY = UnprovenCopy("tag", 5, b"s" * 32)
OTHERS = [replace(COPY, etag="t"), replace(COPY, size=6), replace(COPY, sha256=b"t" * 32)]


def test_two_equal_copies_prove_each_other() -> None:
    assert Comparison(earlier=COPY).verdict("a", COPY) == "two equal downloads"
    assert Comparison(earlier=COPY).verdict("a", COPY, whole=False) == "two equal downloads"


@pytest.mark.parametrize("earlier", [None, *OTHERS])
def test_a_copy_without_its_equal_is_handed_on(earlier: UnprovenCopy | None) -> None:
    with pytest.raises(CopyUnproven, match="its MD5 does not match; ") as raised:
        Comparison(earlier=earlier).verdict("its MD5 does not match", COPY)
    assert raised.value.copy == COPY
    assert raised.value.first is (earlier is None)


@pytest.mark.parametrize("earlier", [None, COPY])
def test_a_strict_policy_takes_the_etag_for_the_md5(earlier: UnprovenCopy | None) -> None:
    with pytest.raises(ContentMismatch) as raised:
        Comparison(EtagMismatch.FAIL, earlier).verdict("a", COPY)
    assert not isinstance(raised.value, CopyUnproven)


def test_a_strict_policy_compares_what_cannot_be_checked() -> None:
    strict = Comparison(EtagMismatch.FAIL, COPY)
    assert strict.verdict("a", COPY, differs=False) == "two equal downloads"
    with pytest.raises(CopyUnproven):
        Comparison(EtagMismatch.FAIL).verdict("a", COPY, differs=False)


def test_a_lax_policy_takes_what_has_the_right_size() -> None:
    assert Comparison(EtagMismatch.ACCEPT).verdict("a", COPY) == "size, not the ETag"
    with pytest.raises(CopyUnproven):
        Comparison(EtagMismatch.ACCEPT).verdict("a", COPY, whole=False)
