"""Requests of every shape: no 500, no traceback, no file outside the storage."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import quote

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from shared.http.signing import sign
from tests.faults.harness.arena import Arena, Trial
from tests.faults.harness.caller import Caller
from tests.faults.harness.load import CREATED, Asked
from tests.faults.harness.stack import SECRET

T = TypeVar("T")

COUNTS = {"short": (300, 100), "long": (40_000, 10_000)}

METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "QUERY"])
PATHS = st.one_of(
    st.sampled_from(["/", "/sync", "/sync/", "/status.html", "/admin/", "/media/", "/media/../x"]),
    st.text(max_size=60).map(lambda text: "/" + quote(text, safe="/.%")),
    st.text(string.printable, max_size=60).map(lambda text: "/media/" + quote(text)),
)
QUERIES = st.one_of(st.just(""), st.text(max_size=40).map(lambda t: "?" + quote(t, safe="=&%")))
HEADERS = st.dictionaries(
    st.sampled_from(
        ["Authorization", "Content-Type", "Cookie", "X-Forwarded-For", "Accept", "Range", "X-Odd"]
    ),
    st.text(
        st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=80
    ),
    max_size=4,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
BODIES = st.one_of(st.binary(max_size=300), JSON.map(lambda value: json.dumps(value).encode()))
NAMES = st.one_of(
    st.text(max_size=80),
    st.lists(st.sampled_from(["..", ".", "", "a", ".incoming", "\\", "x" * 256]), max_size=6).map(
        "/".join
    ),
)
"""Names that try to leave the storage, among others."""

FIELDS = st.fixed_dictionaries(
    {"oeid": st.text(max_size=20), "ref_id": st.text(max_size=20), "file_name": NAMES},
    optional={"file_type": st.just("image/png") | st.text(max_size=20), "more": JSON},
)


def outside(arena: Arena) -> set[Path]:
    """Return what lies beside the storage; servers and logs change by themselves."""
    folder = arena.stack.folder
    return set(folder.iterdir()) | set((folder / "services").iterdir())


def counts(*, long: bool) -> tuple[int, int]:
    return COUNTS["long" if long else "short"]


def calm(count: int, number: int) -> Callable[[T], T]:
    """Have hypothesis send so many requests, the same for each seed, and report at once."""
    quiet = settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    return cast("Callable[[T], T]", lambda test: seed(number)(quiet(test)))


def test_no_request_breaks_the_service(unlimited: Arena, *, long: bool) -> None:
    count, _ = counts(long=long)
    before = outside(unlimited)

    @calm(count, unlimited.seed)
    @given(METHODS, PATHS, QUERIES, HEADERS, BODIES)
    def call(method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> None:
        caller.call(method, path + query, body, headers)

    with unlimited.trial("fuzzed requests") as trial, Caller(unlimited.stack.port) as caller:
        trial.times = count
        call()
    assert outside(unlimited) == before


def test_no_signed_request_breaks_out(unlimited: Arena, *, long: bool) -> None:
    _, count = counts(long=long)
    before = outside(unlimited)

    with (
        unlimited.trial("fuzzed signed requests", rest_seconds=300.0) as trial,
        Caller(unlimited.stack.port) as caller,
    ):
        trial.times = count
        send_signed(trial, caller, count, unlimited.seed)
    assert outside(unlimited) == before


def send_signed(trial: Trial, caller: Caller, count: int, number: int) -> None:
    @calm(count, number)
    @given(FIELDS | JSON)
    def call(document: Any) -> None:
        body = json.dumps(document).encode()
        signature = sign(SECRET.encode(), body)
        headers = {"Authorization": signature, "Content-Type": "application/json"}
        status, _ = caller.call("POST", "/sync/", body, headers)
        assert status in {201, 400, 409, 412}
        if status == CREATED:
            asked = Asked(document["file_name"], body, signature)
            trial.promises.accepted[signature] = asked

    call()
