"""Credentials that change while the worker runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from shared import errors
from shared.aws.credentials import Credentials
from shared.config.settings import Settings
from shared.domain import Wanted
from shared.sources.s3.location import RENEWAL_SECONDS, Location
from tests.helpers.s3_server import (
    Answer,
    Asked,
    CloseConnection,
    FaultyServer,
    s3_object,
)
from tests.helpers.signatures import signed
from tests.shared.sources.conftest import NewSource

SECONDS = 30
BODY = b"an object"
LARGE = bytes(range(256)) * 40_960  # 10 MiB: fetched in segments
CHAIN = {"AWS_S3_ACCESS_KEY_ID": "", "AWS_S3_SECRET_ACCESS_KEY": ""}
OLD, NEW = {"OLD": "old"}, {"NEW": "new"}
BUCKET = {"AWS_S3_BUCKET_NAME": "bucket", "AWS_ENDPOINT_URL_S3": "http://s3.example"}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """Write the user's file of credentials, the only ones there are."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def file(keys: dict[str, str]) -> None:
        ((access, secret),) = keys.items()
        path.write_text(
            f"[default]\naws_access_key_id = {access}\naws_secret_access_key = {secret}\n"
        )

    file(OLD)
    return file


def test_a_rewritten_file_is_read_after_a_refusal(
    incoming: Path,
    new_source: NewSource,
    wanted: Callable[..., Wanted],
    write: Callable[[dict[str, str]], None],
) -> None:
    secrets = dict(OLD)
    with FaultyServer(signed(secrets, s3_object(BODY))) as server:
        source = new_source(server.url, settings=CHAIN)
        source.fetch(wanted(), incoming / "1.1.part").result(SECONDS)
        secrets.clear()
        secrets.update(NEW)
        write(NEW)
        source.fetch(wanted(), incoming / "2.1.part").result(SECONDS)
        source.fetch(wanted(), incoming / "3.1.part").result(SECONDS)
    assert (incoming / "3.1.part").read_bytes() == BODY
    assert len(server.asked) == 4


def test_keys_that_stay_refused_fail_with_the_server_s_reason(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    with FaultyServer(signed(NEW, s3_object(BODY))) as server:
        failure = new_source(server.url).fetch(wanted(), incoming / "1.1.part").exception(SECONDS)
    assert isinstance(failure, errors.CredentialsRefused)
    assert "InvalidAccessKeyId" in str(failure)
    assert len(server.asked) == 1


def test_a_large_object_goes_on_with_new_credentials(
    incoming: Path,
    new_source: NewSource,
    wanted: Callable[..., Wanted],
    write: Callable[[dict[str, str]], None],
) -> None:
    """The token expires amid the first stream, which breaks; the rest is fetched by another."""
    whole = s3_object(LARGE)
    secrets = dict(OLD)

    def rule(asked: Asked) -> Answer:
        answer = whole(asked)
        if asked.span is None:

            def broken() -> bytes:
                secrets.clear()
                secrets.update(NEW)
                write(NEW)
                raise CloseConnection

            first = LARGE[: len(LARGE) // 3]
            answer.pieces = (first if n == 0 else broken() for n in range(2))
            answer.headers["Content-Length"] = str(len(LARGE))
        return answer

    with FaultyServer(signed(secrets, rule)) as server:
        source = new_source(server.url, settings=CHAIN)
        source.fetch(wanted(), incoming / "1.1.part").result(SECONDS)
    assert (incoming / "1.1.part").read_bytes() == LARGE
    assert any("Credential=NEW/" in asked.headers["authorization"] for asked in server.asked)


def parts(asked: Asked) -> Answer:
    """Tell the size of a part, as S3 does; without a body, so without a code."""
    if asked.method == "HEAD":
        return Answer(206, {"Content-Length": "5", "x-amz-mp-parts-count": "2"})
    return s3_object(BODY)(asked)


def test_the_sizes_of_parts_are_asked_again_with_new_credentials(
    write: Callable[[dict[str, str]], None],
) -> None:
    secrets = dict(OLD)
    with FaultyServer(signed(secrets, parts)) as server:
        location = Location(Settings.from_mapping({**BUCKET, "AWS_ENDPOINT_URL_S3": server.url}))
        assert location.part_size("key", 1) == (5, 2)
        secrets.clear()
        secrets.update(NEW)
        write(NEW)
        assert location.part_size("key", 1) == (5, 2)
        secrets.clear()
        with pytest.raises(errors.SourceUnavailable):
            location.part_size("key", 1)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_secret_is_read_again_but_not_for_every_object() -> None:
    given = {**BUCKET, "AWS_S3_ACCESS_KEY_ID": "KEY", "AWS_S3_SECRET_ACCESS_KEY": "first"}
    reads: list[str] = []
    texts = ["first", "second"]

    def reread(settings: Settings) -> Settings:
        reads.append(texts.pop(0))
        return replace(settings, s3_secret_access_key=reads[-1])

    clock = Clock()
    location = Location(Settings.from_mapping(given), reread, clock)
    used = location.signed_url("key").credentials
    assert not location.renew(used)
    clock.now += RENEWAL_SECONDS - 1
    assert not location.renew(used)
    assert reads == ["first"]
    clock.now += 1
    assert location.renew(used)
    assert location.signed_url("key").credentials == Credentials("KEY", "second", None)
    assert location.renew(used)  # of a request that was under way meanwhile
    assert reads == ["first", "second"]


def test_a_file_that_is_just_being_written_changes_nothing(
    tmp_path: Path, write: Callable[[dict[str, str]], None]
) -> None:
    clock = Clock()
    location = Location(Settings.from_mapping(BUCKET), clock=clock)
    used = location.signed_url("key").credentials
    for content in ("", "[default]\naws_access_key_id = NEW\n", "[def"):
        (tmp_path / "credentials").write_text(content)
        clock.now += RENEWAL_SECONDS
        assert not location.renew(used)
        assert location.signed_url("key").credentials == used
    write(NEW)
    clock.now += RENEWAL_SECONDS
    assert location.renew(used)
