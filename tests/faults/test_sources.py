"""Object stores that refuse, lie, dawdle and change their minds."""

from __future__ import annotations

import pytest

from tests.faults.harness.arena import Arena
from tests.faults.harness.object_store import Behavior

HOPELESS = {
    Behavior.DENIED: "The object store refuses access",
    Behavior.ABSENT: "The object ",
    Behavior.BROKEN: "The object store could not be read",
    Behavior.WRONG: "The received bytes differ from the object",
    Behavior.SILENT: "The object store could not be read",
    Behavior.REDIRECT: "The object store could not be read",
}
"""What no attempt gets: the reason that a person reads begins so."""

SIZES = (20_000, 3_000_000, 70_000_000)
"""Below and above what is digested as it arrives, and above what is fetched in several ranges."""

ODD_NAMES = (
    "spaces in a name ",
    "!-_.*'()",
    "&$@=;/:+ ,?",
    "{^}%`]\"'>[~<#|",
    "%2e%2e/%2F",
    "\N{SNOWMAN} \N{GREEK SMALL LETTER ALPHA} \N{RIGHT-TO-LEFT MARK}",
    "e\N{COMBINING ACUTE ACCENT}",
    "\N{LATIN SMALL LETTER E WITH ACUTE}",
    "x" * 200,
    "deep/" * 40 + "leaf",
    "UPPER",
    "upper",
    "..dots..",
    "-rf",
)
"""Every kind of character that S3 takes in a key (S3 user guide, "Naming Amazon S3 objects")."""


def test_a_bad_source_fails_its_own_object_alone(two_tries: Arena) -> None:
    behaviors: list[Behavior] = [b for b in Behavior if b not in {Behavior.HANG, Behavior.SILENT}]
    sizes = dict.fromkeys(behaviors, 20_000) | {Behavior.REPLACED: 3_000_000}
    with two_tries.trial("sources, all at once") as trial:
        trial.times = len(behaviors)
        for behavior in behaviors:
            trial.send(behavior, size=sizes[behavior])
        trial.rest()
        for row in two_tries.stack.rows():
            expected = HOPELESS.get(Behavior(row.file_name.partition("/")[0]))
            assert (row.state == "failed") == (expected is not None), row
            assert expected is None or (row.last_error or "").startswith(expected), row


@pytest.mark.faults
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("behavior", Behavior)
def test_a_bad_source_never_leads_to_a_bad_file(
    behavior: Behavior, size: int, two_tries: Arena
) -> None:
    with two_tries.trial(f"source {behavior.value}", rest_seconds=150.0) as trial:
        count = 1 if size > 10**7 else 10
        trial.times = count
        trial.send(behavior, count=count, size=size)
        trial.rest(150.0)
        states = {row.state for row in two_tries.stack.rows()}
        assert states == {"failed" if behavior in HOPELESS else "synced"}


def test_names_of_every_odd_character_become_files(arena: Arena) -> None:
    with arena.trial("names with odd characters") as trial:
        trial.times = len(ODD_NAMES)
        for name in ODD_NAMES:
            trial.send("plain", name=name)
        trial.rest()
        assert {row.state for row in arena.stack.rows()} == {"synced"}


def test_an_empty_object_becomes_an_empty_file(arena: Arena) -> None:
    with arena.trial("object of 0 bytes") as trial:
        trial.send("plain", size=0)


@pytest.mark.faults
def test_a_huge_object_is_copied_in_bounded_memory(arena: Arena) -> None:
    with arena.trial("object of 5 GiB", rest_seconds=600.0) as trial:
        trial.send("plain", size=5 * 2**30)
        trial.rest(600.0)
        assert arena.stack.trigger.peak_memory() < 500 * 2**20
