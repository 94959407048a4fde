from __future__ import annotations

import dataclasses
import hashlib
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, wait
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from awscrt.checksums import crc32c, crc64nvme

from shared import errors
from shared.domain import Fetched, StoredCopy, Wanted
from shared.sources.digesting import JOURNAL_BYTES
from shared.sources.s3.inline_body import INLINE_BYTES
from shared.sources.s3.segmented_body import DIGEST_BYTES
from shared.sources.s3.segments import SEGMENT_BYTES
from tests.helpers.s3_server import Answer, Asked, FaultyServer, b64, error, s3_object
from tests.helpers.waiting import until
from tests.shared.sources.conftest import NewSource

SECONDS = 30


def content(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def part_of(incoming: Path, row_id: int = 1, attempt: int = 1) -> Path:
    return incoming / f"{row_id}.{attempt}.part"


SIZES = [0, 1, 65_536, INLINE_BYTES, INLINE_BYTES + 1, 3 * SEGMENT_BYTES + 17]


@pytest.mark.parametrize("size", SIZES)
def test_an_object_of_any_size_is_copied_and_verified(
    size: int, incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    body = content(size)
    with FaultyServer(s3_object(body)) as server:
        fetched = new_source(server.url).fetch(wanted(), part_of(incoming)).result(SECONDS)
    assert part_of(incoming).read_bytes() == body
    assert fetched.size == size
    assert fetched.sha256 == hashlib.sha256(body).digest()
    assert fetched.etag == hashlib.md5(body, usedforsecurity=False).hexdigest()
    assert fetched.verified_by == "md5"


def slowed(rule: Callable[[Asked], Answer]) -> Callable[[Asked], Answer]:
    """Slow the answers to plain GETs to some 30 MB/s, so that company is worth while."""

    def slow(asked: Asked) -> Answer:
        answer = rule(asked)
        if asked.span is None:
            body = answer.body
            answer.headers["Content-Length"] = str(len(body))

            def send(connection: Any, _: Asked) -> None:
                for start in range(0, len(body), 300_000):
                    connection.sendall(body[start : start + 300_000])
                    time.sleep(0.01)

            answer.send = send
        return answer

    return slow


def test_ranges_of_a_large_object_are_pinned_to_its_version(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    body = content(8 * SEGMENT_BYTES)
    with FaultyServer(slowed(s3_object(body))) as server:
        fetched = new_source(server.url).fetch(wanted(), part_of(incoming)).result(SECONDS)
        first, *others = server.asked
    assert fetched.sha256 == hashlib.sha256(body).digest()
    assert first.span is None
    assert others
    etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
    assert {asked.headers["if-match"] for asked in others} == {f'"{etag}"'}


BODY = content(5000)
CHECKSUMS = {
    "crc32": ("x_amz_checksum_crc32", __import__("zlib").crc32(BODY).to_bytes(4, "big")),
    "crc32c": ("x_amz_checksum_crc32c", crc32c(BODY).to_bytes(4, "big")),
    "crc64nvme": ("x_amz_checksum_crc64nvme", crc64nvme(BODY).to_bytes(8, "big")),
    "sha1": ("x_amz_checksum_sha1", hashlib.sha1(BODY, usedforsecurity=False).digest()),
    "sha256": ("x_amz_checksum_sha256", hashlib.sha256(BODY).digest()),
}


@pytest.mark.parametrize("name", CHECKSUMS)
def test_a_checksum_of_the_store_is_compared(
    name: str, incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    header, value = CHECKSUMS[name]
    rule = s3_object(BODY, etag='"opaque"', **{header: b64(value)})
    with FaultyServer(rule) as server:
        fetched = new_source(server.url).fetch(wanted(), part_of(incoming)).result(SECONDS)
    assert fetched.verified_by == name
    assert server.asked[0].headers["x-amz-checksum-mode"] == "ENABLED"


@pytest.mark.parametrize("name", CHECKSUMS)
def test_wrong_bytes_of_the_right_length_are_refused(
    name: str, incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    header, value = CHECKSUMS[name]
    wrong = BODY[:-1] + bytes([BODY[-1] ^ 1])
    rule = s3_object(wrong, etag='"opaque"', **{header: b64(value)})
    with (
        FaultyServer(rule) as server,
        pytest.raises(errors.ContentMismatch),
    ):
        new_source(server.url).fetch(wanted(), part_of(incoming)).result(SECONDS)
    until(lambda: not list(incoming.iterdir()))


def test_an_etag_that_is_no_md5_is_not_taken_for_one(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    rule = s3_object(
        BODY, etag='"0123456789abcdef0123456789abcdef"', x_amz_server_side_encryption="aws:kms"
    )
    with FaultyServer(rule) as server:
        fetched = new_source(server.url).fetch(wanted(), part_of(incoming)).result(SECONDS)
    assert fetched.verified_by == "size"


def _cut(connection: Any, _: Asked) -> None:
    connection.sendall(b"x" * 100)


def _longer(connection: Any, _: Asked) -> None:
    connection.sendall(BODY + b"more")


def _nothing(_: Any, __: Asked) -> None:
    return


def _huge_error(connection: Any, _: Asked) -> None:
    for _n in range(300):
        connection.sendall(b"x" * 10_000)


MISBEHAVIOR: dict[str, tuple[Answer, type[errors.TransferError]]] = {
    "403": (error(403, "AccessDenied"), errors.ObjectHidden),
    "clock": (error(403, "RequestTimeTooSkewed"), errors.CredentialsRefused),
    "token": (error(400, "ExpiredToken"), errors.CredentialsRefused),
    "bucket": (error(404, "NoSuchBucket"), errors.BucketMissing),
    "500": (error(500, "InternalError"), errors.SourceUnavailable),
    "503": (error(503, "SlowDown"), errors.SourceUnavailable),
    "redirect": (Answer(302, {"Location": "http://127.0.0.1:1/"}), errors.SourceUnavailable),
    "no length": (Answer(200, {"Transfer-Encoding": "chunked"}, b""), errors.RetryLater),
    "cut short": (Answer(200, {"Content-Length": "5000"}, send=_cut), errors.ContentMismatch),
    "no body": (Answer(200, {"Content-Length": "5000"}, send=_nothing), errors.ContentMismatch),
    "endless error": (
        Answer(500, {"Content-Length": "3000000"}, send=_huge_error),
        errors.SourceUnavailable,
    ),
    "partial": (Answer(206, {"Content-Range": "bytes 0-9/20"}, b"x" * 10), errors.RetryLater),
    "no content": (Answer(204), errors.SourceUnavailable),
}


@pytest.mark.parametrize("name", MISBEHAVIOR)
def test_a_misbehaving_server_gives_the_right_error_and_leaves_nothing(
    name: str, incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    answer, expected = MISBEHAVIOR[name]
    with FaultyServer(lambda _: answer) as server:
        failure = new_source(server.url).fetch(wanted(), part_of(incoming)).exception(SECONDS)
    assert isinstance(failure, expected)
    assert "hushhush" not in str(failure)
    assert list(incoming.iterdir()) == []


def test_a_body_longer_than_announced_is_cut_where_the_object_ends(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    etag = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
    longer = Answer(200, {"Content-Length": "5000", "ETag": f'"{etag}"'}, send=_longer)
    with FaultyServer(lambda _: longer) as server:
        fetched = new_source(server.url).fetch(wanted(), part_of(incoming)).result(SECONDS)
    assert fetched.verified_by == "md5"
    assert part_of(incoming).read_bytes() == BODY


@pytest.mark.parametrize(
    ("seconds_later", "expected"),
    [(0, errors.ObjectNotVisible), (60, errors.ObjectNotVisible), (61, errors.ObjectMissing)],
)
def test_a_missing_object_is_given_its_grace_window(
    seconds_later: int,
    expected: type[errors.TransferError],
    incoming: Path,
    new_source: NewSource,
    wanted: Callable[..., Wanted],
) -> None:
    with FaultyServer(lambda _: error(404, "NoSuchKey")) as server:
        source = new_source(server.url, settings={"MISSING_OBJECT_SECONDS": "60"})
        late = wanted(seconds_later=seconds_later)
        failure = source.fetch(late, part_of(incoming)).exception(SECONDS)
    assert type(failure) is expected


def test_a_connection_that_trickles_is_ended_and_delays_nobody(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    good = s3_object(BODY)

    def trickle(connection: Any, _: Asked) -> None:
        while not server.ended.wait(0.1):
            connection.sendall(b"x")

    def rule(asked: Asked) -> Answer:
        if asked.path.endswith("slow"):
            return Answer(200, {"Content-Length": "5000"}, send=trickle)
        return good(asked)

    with FaultyServer(rule) as server:
        source = new_source(server.url)
        slow = source.fetch(wanted("slow"), part_of(incoming))
        others = [source.fetch(wanted("k", n), part_of(incoming, n)) for n in range(2, 50)]
        assert all(other.result(SECONDS).size == 5000 for other in others)
        assert not slow.done()
        assert isinstance(slow.exception(SECONDS), errors.SourceUnavailable)


def test_a_server_that_is_not_there_gives_the_right_error(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    with FaultyServer(lambda _: Answer()) as server:
        url = server.url
    failure = new_source(url).fetch(wanted(), part_of(incoming)).exception(SECONDS)
    assert isinstance(failure, errors.SourceUnavailable)


def test_an_object_replaced_while_it_is_copied_is_never_mixed(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    old, new = s3_object(content(8 * SEGMENT_BYTES)), s3_object(content(8 * SEGMENT_BYTES, 2))

    def rule(asked: Asked) -> Answer:
        return new(asked) if len(server.asked) > 1 else slowed(old)(asked)

    with FaultyServer(rule) as server:
        failure = new_source(server.url).fetch(wanted(), part_of(incoming)).exception(SECONDS)
    assert isinstance(failure, errors.ObjectChanged)
    assert list(incoming.iterdir()) == []


def test_a_server_without_ranges_is_read_in_one_stream(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    body = content(5 * SEGMENT_BYTES)
    with FaultyServer(s3_object(body, Accept_Ranges="none")) as server:
        fetched = new_source(server.url).fetch(wanted(), part_of(incoming)).result(SECONDS)
    assert fetched.sha256 == hashlib.sha256(body).digest()
    assert [asked.span for asked in server.asked] == [None]


def test_a_large_object_survives_broken_connections(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    body = content(6 * SEGMENT_BYTES)
    whole = s3_object(body)
    broken = threading.Semaphore(3)

    def rule(asked: Asked) -> Answer:
        answer = whole(asked)
        if asked.span is not None and broken.acquire(blocking=False):
            half = answer.body[: len(answer.body) // 2]
            answer.headers["Content-Length"] = str(len(answer.body))
            answer.send = lambda connection, _: connection.sendall(half)
        return answer

    with FaultyServer(slowed(rule)) as server:
        fetched = new_source(server.url).fetch(wanted(), part_of(incoming)).result(SECONDS)
    assert fetched.sha256 == hashlib.sha256(body).digest()
    assert hashlib.sha256(part_of(incoming).read_bytes()).digest() == fetched.sha256


@pytest.fixture
def interrupted(incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]) -> bytes:
    """Leave the part of a first attempt that broke off after about 100 MiB."""
    body = content(JOURNAL_BYTES * 2)
    whole = s3_object(body)

    def rule(asked: Asked) -> Answer:
        answer = whole(asked)
        if asked.span is None or asked.span[0] >= JOURNAL_BYTES + 4 * SEGMENT_BYTES:
            keep = answer.body[: JOURNAL_BYTES + SEGMENT_BYTES] if asked.span is None else b""
            answer.headers["Content-Length"] = str(len(answer.body))
            answer.send = lambda connection, _: connection.sendall(keep)
        return answer

    with FaultyServer(rule) as server:
        failure = new_source(server.url).fetch(wanted(), part_of(incoming)).exception(SECONDS)
    assert isinstance(failure, errors.ContentMismatch)
    assert sorted(p.name for p in incoming.iterdir()) == ["1.1.journal", "1.1.part"]
    return body


def test_an_interrupted_copy_is_continued_by_the_next_attempt(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted], interrupted: bytes
) -> None:
    with FaultyServer(s3_object(interrupted)) as server:
        source = new_source(server.url)
        fetched = source.fetch(wanted(attempt=3), part_of(incoming, 1, 3)).result(SECONDS)
        starts = [asked.span[0] for asked in server.asked if asked.span]
    assert min(starts) >= DIGEST_BYTES
    assert len(starts) == len(server.asked)
    assert fetched.sha256 == hashlib.sha256(interrupted).digest()
    assert fetched.verified_by == "md5"
    assert part_of(incoming, 1, 3).read_bytes() == interrupted
    assert not part_of(incoming).exists()


def test_an_interrupted_copy_is_continued_where_the_file_in_place_is_an_older_version(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted], interrupted: bytes
) -> None:
    older = dataclasses.replace(wanted(attempt=3), stored=StoredCopy("older", 1, b"s" * 32, "md5"))
    with FaultyServer(s3_object(interrupted)) as server:
        source = new_source(server.url, settings={"STORAGE_PATH": str(incoming.parent)})
        fetched = source.fetch(older, part_of(incoming, 1, 3)).result(SECONDS)
        first, *others = server.asked
    assert first.headers["if-none-match"] == '"older"'
    assert min(asked.span[0] if asked.span else 0 for asked in others) >= DIGEST_BYTES
    assert fetched.sha256 == hashlib.sha256(interrupted).digest()


def test_an_interrupted_copy_of_an_object_replaced_since_begins_anew(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted], interrupted: bytes
) -> None:
    other = content(len(interrupted), 3)
    with FaultyServer(s3_object(other)) as server:
        source = new_source(server.url)
        second = source.fetch(wanted(attempt=2), part_of(incoming, 1, 2)).exception(SECONDS)
        third = source.fetch(wanted(attempt=3), part_of(incoming, 1, 3)).result(SECONDS)
    assert isinstance(second, errors.ObjectChanged)
    assert third.sha256 == hashlib.sha256(other).digest()


def test_a_part_that_was_changed_since_is_not_trusted(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted], interrupted: bytes
) -> None:
    with part_of(incoming).open("r+b") as file:
        file.seek(1000)
        file.write(b"changed by someone else")
    with FaultyServer(s3_object(interrupted)) as server:
        source = new_source(server.url)
        second = source.fetch(wanted(attempt=2), part_of(incoming, 1, 2)).exception(SECONDS)
        third = source.fetch(wanted(attempt=3), part_of(incoming, 1, 3)).result(SECONDS)
    assert isinstance(second, errors.ContentMismatch)
    assert third.sha256 == hashlib.sha256(interrupted).digest()


def test_a_part_that_somebody_still_writes_is_left_alone(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted], interrupted: bytes
) -> None:
    import fcntl

    with (
        part_of(incoming).open("r+b") as held,
        FaultyServer(s3_object(interrupted)) as server,
    ):
        fcntl.flock(held, fcntl.LOCK_EX)
        source = new_source(server.url)
        fetched = source.fetch(wanted(attempt=2), part_of(incoming, 1, 2)).result(SECONDS)
        assert server.asked[0].span is None
    assert fetched.size == len(interrupted)
    assert part_of(incoming).exists()


WRONG_TYPES = b'{"etag": 1, "size": "9", "proven": "3", "sha256": null, "check": null}'


@pytest.mark.parametrize(
    "journal", [b"", b"[]", b"{}", b'{"etag": 1, "check": 2}', b"\xff\x00", WRONG_TYPES]
)
def test_an_unreadable_journal_is_as_good_as_none(
    journal: bytes, incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    part_of(incoming).write_bytes(b"rest")
    (incoming / "1.1.journal").write_bytes(journal)
    with FaultyServer(s3_object(BODY)) as server:
        source = new_source(server.url)
        fetched = source.fetch(wanted(attempt=2), part_of(incoming, 1, 2)).result(SECONDS)
    assert fetched.verified_by == "md5"


def test_a_running_copy_ends_soon_after_it_is_cancelled(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    begun = threading.Event()

    def hang(connection: Any, _: Asked) -> None:
        connection.sendall(b"x" * 2000)
        begun.set()
        server.ended.wait()

    with FaultyServer(lambda _: Answer(200, {"Content-Length": "5000"}, send=hang)) as server:
        source = new_source(
            server.url, settings={"SOURCE_STALL_SECONDS": "60", "SYNC_CONCURRENCY": "1"}
        )
        running = source.fetch(wanted(), part_of(incoming))
        waiting = source.fetch(wanted("other", 2), part_of(incoming, 2))
        assert begun.wait(SECONDS)
        assert waiting.cancel()
        assert running.cancel()
        assert not wait([running, waiting], SECONDS).not_done
        assert list(incoming.iterdir()) == []
        with pytest.raises(CancelledError):
            running.result()


def test_the_answer_of_a_proxy_is_not_taken_for_the_stores(
    incoming: Path,
    new_source: NewSource,
    wanted: Callable[..., Wanted],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A proxy opens the tunnel to a store behind HTTPS with a 200 of its own."""
    opened = Answer(200, {"Content-Length": ""}, send=lambda *_: None)
    with FaultyServer(lambda _: opened) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        source = new_source("https://store.example")
        failure = source.fetch(wanted(), part_of(incoming)).exception(SECONDS)
        assert proxy.asked[0].path == "store.example:443"
    assert isinstance(failure, errors.SourceUnavailable)
    assert "curl error 35" in str(failure)  # of TLS, which the tunnel's end did not speak
    assert list(incoming.iterdir()) == []


def test_closing_ends_what_runs_and_what_waits(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    def hang(_: Any, __: Asked) -> None:
        server.ended.wait()

    with FaultyServer(lambda _: Answer(200, {"Content-Length": "5"}, send=hang)) as server:
        source = new_source(
            server.url, settings={"SOURCE_STALL_SECONDS": "60", "SYNC_CONCURRENCY": "2"}
        )
        futures = [source.fetch(wanted("k", n), part_of(incoming, n)) for n in range(5)]
        until(lambda: len(server.asked) == 2)
        source.close()
        assert {type(f.exception(0)) for f in futures} == {errors.OutOfTime}
    assert list(incoming.iterdir()) == []


def test_no_more_objects_are_copied_at_once_than_is_set(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    lock, now, most = threading.Lock(), 0, 0

    def slowly(connection: Any, _: Asked) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1
        connection.sendall(b"12345")

    with FaultyServer(lambda _: Answer(200, {"Content-Length": "5"}, send=slowly)) as server:
        source = new_source(server.url, settings={"SYNC_CONCURRENCY": "3"})
        futures = [source.fetch(wanted("k", n), part_of(incoming, n)) for n in range(20)]
        assert all(f.result(SECONDS).size == 5 for f in futures)
    assert most <= 3


ODD_KEYS = [
    "a b+c%20d&e=f?g#h",
    "ü/日本語/🙂.jpg",
    "!*'();:@$,[]{}|^~`\"<>",
    "a%2Fb%00",
    "...",
    "x" * 255 + "/" + "y" * 255,
]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_an_odd_key_is_asked_for_as_it_is(
    key: str, incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    with FaultyServer(s3_object(BODY)) as server:
        new_source(server.url).fetch(wanted(key), part_of(incoming)).result(SECONDS)
    assert unquote(server.asked[0].path) == f"/bucket/{key}"
    assert server.asked[0].path == quote(f"/bucket/{key}", safe="/~")


def test_a_redirect_to_another_region_is_followed_within_s3(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    good = s3_object(BODY)

    def rule(asked: Asked) -> Answer:
        if "/eu-west-3/s3/" in asked.headers["authorization"]:
            return good(asked)
        return error(301, "PermanentRedirect", x_amz_bucket_region="eu-west-3")

    with FaultyServer(rule) as server:
        source = new_source(server.url)
        first = source.fetch(wanted(), part_of(incoming)).result(SECONDS)
        asked = len(server.asked)
        source.fetch(wanted("other", 2), part_of(incoming, 2)).result(SECONDS)
    assert first.size == len(BODY)
    assert (asked, len(server.asked)) == (2, 3)  # learnt once


def test_a_server_that_always_redirects_is_not_followed_for_ever(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    rule = error(301, "PermanentRedirect", x_amz_bucket_region="eu-west-3")
    with FaultyServer(lambda _: rule) as server:
        failure = new_source(server.url).fetch(wanted(), part_of(incoming)).exception(SECONDS)
    assert isinstance(failure, errors.SourceUnavailable)
    assert len(server.asked) == 2


def test_a_storage_that_cannot_be_written_is_not_blamed_on_the_source(
    tmp_path: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    with FaultyServer(s3_object(BODY)) as server:
        future = new_source(server.url).fetch(wanted(), tmp_path / "missing" / "1.1.part")
        assert isinstance(future.exception(SECONDS), errors.StorageUnavailable)


@pytest.mark.parametrize("size", [100_000, 3 * SEGMENT_BYTES])
def test_a_full_storage_is_said_to_be_full(
    size: int, incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    import resource
    import signal

    # a limit on file sizes is the disk quota that needs no root
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with FaultyServer(s3_object(content(size))) as server:
            source = new_source(server.url)
            failure = source.fetch(wanted(), part_of(incoming)).exception(SECONDS)
            source.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert isinstance(failure, errors.StorageFull)
    assert list(incoming.iterdir()) == []


def test_outcomes_of_many_objects_are_their_own(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    bodies = {f"k{n}": content(n * 7919 % 200_000, n) for n in range(60)}

    def rule(asked: Asked) -> Answer:
        name = asked.path.rpartition("/")[2]
        return s3_object(bodies[name])(asked) if name in bodies else error(404, "NoSuchKey")

    with FaultyServer(rule) as server:
        source = new_source(server.url)
        futures = {
            name: source.fetch(wanted(name, n), part_of(incoming, n))
            for n, name in enumerate([*bodies, "no1", "no2"])
        }
        results: dict[str, Fetched | BaseException | None] = {
            name: f.exception(SECONDS) or f.result() for name, f in futures.items()
        }
    assert {n for n, r in results.items() if isinstance(r, errors.ObjectNotVisible)} == {
        "no1",
        "no2",
    }
    for n, (name, body) in enumerate(bodies.items()):
        assert part_of(incoming, n).read_bytes() == body, name


def has(part: Path, size: int) -> bool:
    return part.exists() and part.stat().st_size >= size


def test_a_slow_object_is_continued_for_as_many_attempts_as_it_takes(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    body = content(3_000_000)
    whole = s3_object(body)

    def slow(asked: Asked) -> Answer:
        answer = whole(asked)
        piece = answer.body
        answer.headers["Content-Length"] = str(len(piece))

        def send(connection: Any, _: Asked) -> None:
            connection.sendall(piece[:1_200_000])
            connection.recv(1)  # until the client has gone

        if len(piece) > 1_200_000:
            answer.send = send
        return answer

    proven = [0]
    with FaultyServer(slow) as server:
        source = new_source(server.url)
        for attempt in (1, 2):
            one = wanted(attempt=attempt)
            future = source.fetch(one, part_of(incoming, 1, attempt))
            until(partial(has, part_of(incoming, 1, attempt), proven[-1] + 500_000))
            future.cancel()
            wait([future], SECONDS)
            assert one.progress.continued == proven[-1]
            assert one.progress.proven > proven[-1]
            proven.append(one.progress.proven)
        last = source.fetch(wanted(attempt=3), part_of(incoming, 1, 3)).result(SECONDS)
    assert last.sha256 == hashlib.sha256(body).digest()
    assert [asked.span[0] for asked in server.asked if asked.span] == proven[1:]
