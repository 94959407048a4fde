"""Real object stores, and what boto3 brings from each, downloaded beside."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.objects import BUCKET, ObjectServer
from shared.config.settings import Settings
from shared.domain import Fetched, Wanted
from shared.errors import CopyUnproven, NotAnObjectStore
from shared.sources.s3.source import S3Source
from tests.faults.harness.real_stores import COPIED, STORES, client, nginx, rclone
from tests.helpers.tcp_proxy import TcpProxy

SECONDS = 120
MIB = 1 << 20
SLOW = 30 * MIB
"""Bytes per second and connection: a source that is slower than 100 MB/s gets more of them."""

ATTEMPTS = 3
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHANCE = random.Random(1)
NINE = CHANCE.randbytes(9 * MIB)
FILES = {
    "empty.bin": b"",
    "small a+b ü.jpg": CHANCE.randbytes(20_000),
    "page.html": b"<!DOCTYPE html><html></html>",
    "packed.csv.gz": gzip.compress(b"a,b,c\n" * 5_000),
    "nine.bin": NINE,
    "eighteen.bin": CHANCE.randbytes(18 * MIB),
}


def copy(server: ObjectServer, key: str, folder: Path, url: str | None = None) -> bytes:
    """Return what comes of an object in a few attempts, as the worker makes them.

    Raises:
        ServiceError: it did not come.
    """
    variables = server.variables(folder) | {"AWS_ENDPOINT_URL_S3": url or server.endpoint}
    source = S3Source(Settings.from_mapping(variables))
    incoming = folder / ".incoming"
    incoming.mkdir(exist_ok=True)
    wanted = Wanted(1, 1, key, NOW, NOW)
    try:
        for number in range(1, ATTEMPTS + 1):
            part = incoming / f"1.{number}.part"
            attempt = source.fetch(replace(wanted, attempt=number), part)
            error = attempt.exception(SECONDS)
            if error is None:
                assert isinstance(attempt.result(), Fetched)
                return part.read_bytes()
            if not isinstance(error, CopyUnproven):
                raise error
            wanted = replace(wanted, unproven=error.copy)
    finally:
        source.close()
        for part in incoming.iterdir():
            part.unlink()
    pytest.fail("no two downloads were the same")


def by_boto3(server: ObjectServer, key: str, folder: Path) -> bytes:
    """Return what boto3 downloads."""
    path = folder / "by boto3"
    client(server, folder).download_file(BUCKET, key, str(path))
    return path.read_bytes()


def test_a_slow_store_that_answers_ranges_by_200_gives_its_object_in_one_attempt(
    tmp_path: Path,
) -> None:
    with (
        rclone(tmp_path, {"nine.bin": NINE}) as server,
        TcpProxy(server.endpoint, bytes_per_second=SLOW) as proxy,
    ):
        assert copy(server, "nine.bin", tmp_path, proxy.url) == NINE
        assert proxy.connections > 1


def test_the_start_page_of_a_web_server_is_no_object(tmp_path: Path) -> None:
    files = {"index.html": FILES["page.html"], "a.jpg": NINE[:50_000]}
    page = f"types {{ text/html html; image/jpeg jpg; }} try_files $uri /{BUCKET}/index.html;"
    for directives in ("", page):
        with nginx(tmp_path, files, directives) as server:
            with pytest.raises(NotAnObjectStore):
                copy(server, "not there.jpg", tmp_path)
            assert copy(server, "a.jpg", tmp_path) == files["a.jpg"]


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectServer]:
    with STORES[request.param](tmp_path, FILES) as server:
        yield server


@pytest.mark.faults
@pytest.mark.parametrize("rate", [None, SLOW], ids=["fast", "slow"])
def test_what_boto3_brings_comes_byte_by_byte(
    rate: int | None, store: ObjectServer, tmp_path: Path
) -> None:
    copied = [COPIED + key for key in FILES] if store.name in {"SeaweedFS", "moto"} else []
    with TcpProxy(store.endpoint, bytes_per_second=rate) as proxy:
        for key in [*FILES, *copied]:
            body = FILES[key.removeprefix(COPIED)]
            assert by_boto3(store, key, tmp_path) == body, key
            assert copy(store, key, tmp_path, proxy.url) == body, key
