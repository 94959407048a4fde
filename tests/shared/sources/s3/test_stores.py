"""Answers of stores, and of what is none, that differ from those of AWS."""

from __future__ import annotations

import gzip
import hashlib
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared import errors
from shared.config.settings import Settings
from shared.domain import Fetched, Wanted
from shared.sources.s3.source import S3Source
from tests.helpers.s3_server import Answer, Asked, FaultyServer, Rule, error, s3_object
from tests.shared.sources.conftest import NewSource

SECONDS = 30
MIB = 1 << 20
SMALL = random.Random(1).randbytes(20_000)
LARGE = random.Random(2).randbytes(9 * MIB)
NO_ID = {"x-amz-request-id": ""}
PAGE = b"<!DOCTYPE html><html><title>Welcome</title></html>"
HTML = {**NO_ID, "Content-Type": "text/html"}


def md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


class Store:
    """A source in front of a server of rules; each attempt is handed what the last one left."""

    def __init__(self, source: S3Source, incoming: Path, wanted: Wanted) -> None:
        self._source, self._incoming, self._wanted = source, incoming, wanted

    def part(self, attempt: int) -> Path:
        return self._incoming / f"1.{attempt}.part"

    def attempt(self, number: int = 1) -> Fetched | BaseException:
        wanted = replace(self._wanted, attempt=number)
        future = self._source.fetch(wanted, self.part(number))
        failure = future.exception(SECONDS)
        if isinstance(failure, errors.CopyUnproven):
            self._wanted = replace(wanted, unproven=failure.copy)
        return failure or future.result()


class Lab:
    """One server whose rule each test chooses, and one source in front of it.

    A source of its own costs a test half a second, which boto3 takes to begin.

    Attributes:
        server: its requests are those of the rule that it has now.
    """

    def __init__(self, server: FaultyServer, source: S3Source) -> None:
        self.server = server
        self._source = source
        self.incoming = Path()
        self.wanted: Callable[..., Wanted]
        self.new_source: NewSource

    def serve(self, rule: Rule) -> FaultyServer:
        """Answer by a rule from now on."""
        self.server.answer = rule
        self.server.asked.clear()
        return self.server

    def store(self, key: str = "key", *, fresh: bool = False, **settings: str) -> Store:
        """Return a store without attempts; a fresh one has learned nothing of the server."""
        source = self._source
        if fresh or settings:
            source = self.new_source(self.server.url, settings=settings)
        return Store(source, self.incoming, self.wanted(key))


@pytest.fixture(scope="module")
def shared_lab() -> Iterator[Lab]:
    with FaultyServer(lambda _: Answer(500)) as server:
        values = {
            "AWS_S3_BUCKET_NAME": "bucket",
            "AWS_S3_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_S3_SECRET_ACCESS_KEY": "hushhush",
            "AWS_S3_REGION_NAME": "us-east-1",
            "AWS_ENDPOINT_URL_S3": server.url,
        }
        source = S3Source(Settings.from_mapping(values))
        yield Lab(server, source)
        source.close()


@pytest.fixture
def lab(
    shared_lab: Lab, incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> Lab:
    shared_lab.incoming, shared_lab.wanted = incoming, wanted
    shared_lab.new_source = new_source
    return shared_lab


def spaced(body: bytes, bytes_a_second: int) -> Callable[[Any, Asked], None]:
    def send(connection: Any, _: Asked) -> None:
        for start in range(0, len(body), 65_536):
            connection.sendall(body[start : start + 65_536])
            time.sleep(65_536 / bytes_a_second)

    return send


def slowly(rule: Rule) -> Rule:
    """Send the bodies of plain GETs so slowly that more streams are worth while."""

    def slow(asked: Asked) -> Answer:
        answer = rule(asked)
        if asked.span is None and answer.status == 200:
            answer.headers.setdefault("Content-Length", str(len(answer.body)))
            answer.send = spaced(answer.body, 40 * MIB)
        return answer

    return slow


# What is no store


START_PAGE = Answer(200, {**HTML, "ETag": '"6b0b2179-258"', "Accept-Ranges": "bytes"}, PAGE)
IMPOSTORS = {
    "console": Answer(200, {**HTML, "Server": "MinIO Console"}, PAGE),
    "portal": Answer(200, {**HTML, "Cache-Control": "no-store"}, PAGE),
    "json": Answer(200, {**NO_ID, "Content-Type": "application/json"}, b"{}"),
    "empty": Answer(200, NO_ID),
    "start page": START_PAGE,
    "portal in chunks": Answer(
        200, {**HTML, "Transfer-Encoding": "chunked", "Content-Length": ""}, b"0\r\n\r\n"
    ),
    "a part of a page": Answer(206, {**HTML, "Content-Range": "bytes 0-9/50"}, PAGE[:10]),
    "404": Answer(404, HTML, PAGE),
    "403": Answer(403, HTML, PAGE),
    "401": Answer(401, HTML, PAGE),
    "400": Answer(400, HTML, PAGE),
    "405": Answer(405, HTML, PAGE),
}


@pytest.mark.parametrize("name", IMPOSTORS)
def test_what_is_no_object_store_gives_no_object(name: str, lab: Lab, incoming: Path) -> None:
    lab.serve(lambda _: IMPOSTORS[name])
    failure = lab.store().attempt()
    assert isinstance(failure, errors.NotAnObjectStore)
    assert "does not answer like S3: check AWS_ENDPOINT_URL_S3 / the proxy" in str(failure)
    assert list(incoming.iterdir()) == []


def test_a_web_page_in_a_store_that_sends_only_etags_is_an_object(lab: Lab) -> None:
    page = s3_object(PAGE, content_type="text/html", x_amz_request_id="")

    def rule(asked: Asked) -> Answer:
        if asked.path != "/bucket/a/page.html":
            return Answer(404, HTML, PAGE)
        answer = page(asked)
        answer.headers |= HTML
        return answer

    lab.serve(rule)
    fetched = lab.store("a/page.html").attempt()
    made_up = lab.server.asked[1].path
    assert isinstance(fetched, Fetched)
    assert fetched.verified_by == "md5"
    assert made_up.startswith("/bucket/a/")
    assert made_up.endswith("-page.html")


def test_the_page_of_a_filter_in_front_of_a_store_is_no_object(lab: Lab) -> None:
    lab.serve(lambda a: START_PAGE if a.path == "/bucket/key" else error(404, "NoSuchKey"))
    assert isinstance(lab.store().attempt(), errors.NotAnObjectStore)


def test_a_page_is_no_object_however_its_etag_looks(lab: Lab, incoming: Path) -> None:
    answer = Answer(200, {**HTML, "ETag": f'"{md5(b"another page")}"'}, PAGE)
    lab.serve(lambda _: answer)
    assert isinstance(lab.store().attempt(), errors.NotAnObjectStore)
    assert list(incoming.iterdir()) == []


@pytest.mark.parametrize("size", [len(PAGE), 3 * MIB])
def test_a_text_of_any_size_comes_from_a_store_without_ids(size: int, lab: Lab) -> None:
    text = (PAGE * (size // len(PAGE) + 1))[:size]
    serve = s3_object(text, content_type="text/html", x_amz_request_id="")
    lab.serve(lambda a: serve(a) if a.path == "/bucket/key" else Answer(404, HTML, PAGE))
    fetched = lab.store().attempt()
    assert isinstance(fetched, Fetched)
    assert fetched.sha256 == hashlib.sha256(text).digest()


UNREADABLE = {
    "SSE-C": error(400, "InvalidRequest", "<Message>The object was encrypted</Message>"),
    "KMS": error(400, "KMS.DisabledException"),
    "archived": error(403, "InvalidObjectState"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_no_attempt_can_read_is_given_up(name: str, lab: Lab) -> None:
    lab.serve(lambda _: UNREADABLE[name])
    failure = lab.store().attempt()
    assert isinstance(failure, errors.ObjectUnreadable)
    assert isinstance(failure, errors.GiveUp)


# ETags


@pytest.mark.parametrize(
    "spelled", ['"{upper}"', "{lower}", "{upper}", 'W/"{lower}"', "W/{upper}", '"{lower}"']
)
def test_an_md5_is_checked_however_it_is_spelled(spelled: str, lab: Lab) -> None:
    tag = spelled.format(lower=md5(SMALL), upper=md5(SMALL).upper())
    rules = iter([s3_object(SMALL, etag=tag), s3_object(b"!" + SMALL[1:], etag=tag)])

    def rule(asked: Asked) -> Answer:
        return next(rules)(asked)

    lab.serve(rule)
    good, spoiled = lab.store().attempt(), lab.store().attempt(2)
    assert isinstance(good, Fetched)
    assert good.verified_by == "md5"
    assert isinstance(spoiled, errors.ContentMismatch)


NO_MD5 = {
    "random": md5(b"random"),
    "random-1": f"{md5(b'random')}-1",
    "zeros-1": "0" * 32 + "-1",
    "copied-3": f"{md5(b'of another copy')}-3",
}


@pytest.mark.parametrize("tag", NO_MD5)
@pytest.mark.parametrize("body", [b"", b"x", b"xy", SMALL, LARGE], ids=len)
def test_an_etag_that_is_no_md5_needs_two_equal_downloads(tag: str, body: bytes, lab: Lab) -> None:
    lab.serve(s3_object(body, etag=f'"{NO_MD5[tag]}"'))
    downloads = lab.store()
    first, second = downloads.attempt(), downloads.attempt(2)
    assert isinstance(first, errors.CopyUnproven)
    assert first.first
    assert isinstance(second, Fetched)
    assert second.verified_by == "two equal downloads"
    assert downloads.part(2).read_bytes() == body


@pytest.mark.parametrize("tag", [md5(SMALL), NO_MD5["copied-3"]])  # the latter's parts are unknown
def test_bytes_spoiled_each_time_in_another_way_never_pass(tag: str, lab: Lab) -> None:
    chance = random.Random(3)

    def rule(asked: Asked) -> Answer:
        answer = s3_object(SMALL, etag=f'"{tag}"')(asked)
        at = chance.randrange(len(answer.body))
        answer.body = answer.body[:at] + bytes([answer.body[at] ^ 1]) + answer.body[at + 1 :]
        return answer

    lab.serve(rule)
    downloads = lab.store()
    outcomes = [downloads.attempt(number) for number in range(1, 9)]
    assert {type(outcome) for outcome in outcomes} == {errors.CopyUnproven}


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=len)
def test_what_spoils_the_beginning_of_each_response_never_passes(
    body: bytes, lab: Lab, incoming: Path
) -> None:
    def rule(asked: Asked) -> Answer:
        answer = s3_object(body)(asked)
        answer.body = bytes([answer.body[0] ^ 1]) + answer.body[1:]
        return answer

    lab.serve(rule)
    downloads = lab.store()
    outcomes = [downloads.attempt(number) for number in range(1, 5)]
    assert {type(outcome) for outcome in outcomes} == {errors.CopyUnproven}
    assert list(incoming.iterdir()) == []


def test_an_object_replaced_between_two_downloads_is_compared_anew(lab: Lab) -> None:
    lab.serve(s3_object(SMALL, etag='"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"'))
    downloads = lab.store()
    downloads.attempt()
    lab.serve(s3_object(SMALL, etag='"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"'))
    second, third = downloads.attempt(2), downloads.attempt(3)
    assert isinstance(second, errors.CopyUnproven)
    assert isinstance(third, Fetched)
    assert third.verified_by == "two equal downloads"


def test_a_checksum_is_decisive_whatever_downloads_agree(lab: Lab) -> None:
    rule = s3_object(SMALL, etag='"tag"', x_amz_checksum_crc32="AAAAAA==")
    lab.serve(rule)
    downloads = lab.store()
    outcomes = [downloads.attempt(number) for number in (1, 2, 3)]
    assert {type(outcome) for outcome in outcomes} == {errors.ContentMismatch}


@pytest.mark.parametrize("policy", ["fail", "accept"])
def test_a_setting_is_stricter_or_laxer(policy: str, lab: Lab) -> None:
    lab.serve(s3_object(SMALL, etag=f'"{"0" * 32}-1"'))
    outcome = lab.store(ETAG_MISMATCH=policy).attempt()
    if policy == "fail":
        assert type(outcome) is errors.ContentMismatch
    else:
        assert isinstance(outcome, Fetched)
        assert outcome.verified_by == "size, not the ETag"


# Ranges


def ignores_ranges(body: bytes) -> Rule:
    def rule(asked: Asked) -> Answer:
        return s3_object(body)(Asked(asked.method, asked.path, {}))

    return rule


def calls_ranges_200(body: bytes) -> Rule:
    def rule(asked: Asked) -> Answer:
        answer = s3_object(body)(asked)
        answer.status = 200
        return answer

    return rule


def sends_another_range(body: bytes) -> Rule:
    def rule(asked: Asked) -> Answer:
        answer = s3_object(body)(asked)
        if asked.span:
            answer.headers["Content-Range"] = f"bytes 0-{len(answer.body) - 1}/{len(body)}"
        return answer

    return rule


def refuses(status: int, header: str) -> Callable[[bytes], Rule]:
    def refusing(body: bytes) -> Rule:
        def rule(asked: Asked) -> Answer:
            return error(status, "X") if header in asked.headers else s3_object(body)(asked)

        return rule

    return refusing


WITHOUT_RANGES: dict[str, Callable[[bytes], Rule]] = {
    "the whole by 200": ignores_ranges,
    "another range": sends_another_range,
    "412 for If-Match": refuses(412, "if-match"),
    "416 for Range": refuses(416, "range"),
}


@pytest.mark.parametrize("name", [*WITHOUT_RANGES, "the range by 200"])
def test_an_object_comes_whole_in_one_attempt_whatever_its_ranges_are_like(
    name: str, lab: Lab
) -> None:
    rule = WITHOUT_RANGES.get(name, calls_ranges_200)(LARGE)
    lab.serve(slowly(rule))
    downloads = lab.store(fresh=True)
    first = downloads.attempt()
    spans = [asked.span for asked in lab.server.asked]
    again = downloads.attempt(2)
    later = [asked.span for asked in lab.server.asked[len(spans) :]]
    assert isinstance(first, Fetched)
    assert first.sha256 == hashlib.sha256(LARGE).digest()
    assert downloads.part(1).read_bytes() == LARGE
    assert any(spans)
    assert isinstance(again, Fetched)
    assert any(later) is (name == "the range by 200")  # what failed once is not tried again


def test_an_empty_etag_pins_nothing(lab: Lab) -> None:
    lab.serve(slowly(s3_object(LARGE, etag='""')))
    fetched = lab.store().attempt()
    asked = lab.server.asked
    assert isinstance(fetched, Fetched)
    assert (fetched.etag, fetched.verified_by) == (None, "size")
    assert [(a.span, a.headers.get("if-match")) for a in asked] == [(None, None)]


# Bodies without a length


def chunked(body: bytes, **headers: str) -> Answer:
    pieces = [body[i : i + 65_536] for i in range(0, len(body), 65_536)]
    sent = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(200, {"Transfer-Encoding": "chunked", "Content-Length": "", **named}, sent)


@pytest.mark.parametrize("body", [b"", SMALL, LARGE], ids=len)
def test_a_body_in_chunks_is_taken_to_its_end(body: bytes, lab: Lab) -> None:
    lab.serve(lambda _: chunked(body, ETag=f'"{md5(body)}"'))
    downloads = lab.store()
    fetched = downloads.attempt()
    assert isinstance(fetched, Fetched)
    assert (fetched.size, fetched.verified_by) == (len(body), "md5")
    assert downloads.part(1).read_bytes() == body


def cut(answer: Answer) -> Answer:
    half = answer.body[: len(answer.body) // 2]
    answer.send = lambda connection, _: connection.sendall(half)
    return answer


def test_a_body_in_chunks_that_is_cut_never_passes(lab: Lab, incoming: Path) -> None:
    lab.serve(lambda _: cut(chunked(SMALL, ETag='"tag"')))
    downloads = lab.store()
    outcomes = [downloads.attempt(number) for number in (1, 2, 3)]
    assert {type(outcome) for outcome in outcomes} == {errors.ContentMismatch}
    assert list(incoming.iterdir()) == []


def until_closed(body: bytes, etag: str) -> Answer:
    headers = {"Content-Length": "", "Connection": "close", "ETag": etag}
    return Answer(200, headers, send=lambda connection, _: connection.sendall(body))


def test_a_body_that_ends_with_the_connection_needs_a_digest_or_its_equal(lab: Lab) -> None:
    lab.serve(lambda _: until_closed(SMALL, f'"{md5(SMALL)}"'))
    proven = lab.store().attempt()
    lab.serve(lambda _: until_closed(SMALL, '"tag"'))
    downloads = lab.store()
    first, second = downloads.attempt(2), downloads.attempt(3)
    assert isinstance(proven, Fetched)
    assert proven.verified_by == "md5"
    assert isinstance(first, errors.CopyUnproven)
    assert isinstance(second, Fetched)
    assert second.verified_by == "two equal downloads"


def test_a_body_that_ends_with_the_connection_and_was_cut_is_not_taken(lab: Lab) -> None:
    # Two requests each: the first one asks for gzip in vain.
    ends: Iterator[int] = iter([5_000, 20_000, 20_000, 19_999, 12_000, 13_000])

    def rule(asked: Asked) -> Answer:
        return until_closed(SMALL[: next(ends)] if asked.method == "GET" else b"", '"tag"')

    lab.serve(rule)
    downloads = lab.store()
    outcomes = [downloads.attempt(number) for number in (1, 2, 3)]
    assert {type(outcome) for outcome in outcomes} == {errors.CopyUnproven}


@pytest.mark.parametrize("came", [20_000, 19_999])
def test_a_head_tells_whether_a_body_that_ends_with_the_connection_is_whole(
    came: int, lab: Lab
) -> None:
    def rule(asked: Asked) -> Answer:
        if asked.method == "HEAD":
            return Answer(200, {"Content-Length": str(len(SMALL)), "ETag": '"tag"'})
        return until_closed(SMALL[:came], '"tag"')

    lab.serve(rule)
    outcome = lab.store().attempt()
    if came == len(SMALL):
        assert isinstance(outcome, Fetched)
        assert (outcome.size, outcome.verified_by) == (came, "size")
    else:
        assert type(outcome) is errors.ContentMismatch


STORED = gzip.compress(LARGE[: 3 * MIB])


def google(asked: Asked) -> Answer:
    """Answer as Cloud Storage does for an object that is stored in gzip."""
    about = {"ETag": f'"{md5(STORED)}"', "x-goog-stored-content-encoding": "gzip"}
    if "gzip" in asked.headers.get("accept-encoding", ""):
        answer = s3_object(STORED)(asked)
        answer.headers |= {**about, "Content-Encoding": "gzip"}
        return answer
    return chunked(gzip.decompress(STORED), **about)


def test_an_object_that_is_decompressed_for_others_is_fetched_as_it_is_stored(lab: Lab) -> None:
    lab.serve(google)
    downloads = lab.store()
    fetched = downloads.attempt()
    signed = {asked.headers["authorization"] for asked in lab.server.asked}
    assert isinstance(fetched, Fetched)
    assert fetched.verified_by == "md5"
    assert downloads.part(1).read_bytes() == STORED
    assert not any("accept-encoding" in authorization for authorization in signed)


def test_what_is_stored_in_gzip_stays_in_gzip(lab: Lab) -> None:
    lab.serve(s3_object(STORED, content_encoding="gzip"))
    downloads = lab.store()
    fetched = downloads.attempt()
    (asked,) = lab.server.asked
    assert isinstance(fetched, Fetched)
    assert downloads.part(1).read_bytes() == STORED
    assert "accept-encoding" not in asked.headers


def test_what_is_compressed_on_the_way_is_fetched_as_it_is_stored(lab: Lab) -> None:
    def rule(asked: Asked) -> Answer:
        if "gzip" in asked.headers.get("accept-encoding", ""):
            return chunked(gzip.compress(SMALL), ETag='W/"tag"', Content_Encoding="gzip")
        return chunked(SMALL, ETag='W/"tag"')

    lab.serve(rule)
    downloads = lab.store()
    fetched = downloads.attempt()
    assert isinstance(fetched, Fetched)
    assert downloads.part(1).read_bytes() == SMALL
