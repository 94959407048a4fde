"""A store behind an HTTP proxy, in both spellings of the environment, and one that needs none."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared import errors
from shared.aws.s3_bucket import S3Bucket
from shared.config.settings import Settings
from shared.domain import Wanted
from shared.sources.probe import probe
from tests.helpers.http_proxy import HttpProxy, http_proxy
from tests.helpers.s3_server import FaultyServer, b64, error, s3_object
from tests.shared.sources.conftest import NewSource

SECONDS = 30
BODY = b"an object"
STORE = "http://store.example:9000"
TLS_STORE = "https://store.example"
BOTH = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def store() -> Iterator[FaultyServer]:
    with FaultyServer(s3_object(BODY)) as server:
        yield server


@pytest.fixture
def proxy(store: FaultyServer) -> Iterator[HttpProxy]:
    with http_proxy(("127.0.0.1", int(store.url.rpartition(":")[2]))) as running:
        yield running


@pytest.fixture
def copy(
    incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> Callable[[str], BaseException | None]:
    """Copies the object of a store, and gives what went wrong."""

    def start(endpoint: str) -> BaseException | None:
        future = new_source(endpoint).fetch(wanted(), incoming / "1.1.part")
        return future.exception(SECONDS)

    return start


@pytest.mark.parametrize("name", BOTH)
def test_a_store_elsewhere_is_asked_by_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
    proxy: HttpProxy,
    copy: Callable[[str], BaseException | None],
    incoming: Path,
    name: str,
) -> None:
    monkeypatch.setenv(name, proxy.url)
    assert copy(STORE) is None
    assert (incoming / "1.1.part").read_bytes() == BODY
    assert proxy.seen == [("GET", f"{STORE}/bucket/key")]


@pytest.mark.parametrize("name", BOTH)
def test_boto3_and_the_probe_go_the_same_way(
    monkeypatch: pytest.MonkeyPatch, proxy: HttpProxy, name: str
) -> None:
    monkeypatch.setenv(name, proxy.url)
    bucket = S3Bucket(
        Settings.from_mapping(
            {
                "AWS_ENDPOINT_URL_S3": STORE,
                "AWS_S3_ACCESS_KEY_ID": "key",
                "AWS_S3_SECRET_ACCESS_KEY": "secret",
            }
        ),
        "bucket",
    )
    assert bucket.proxy == proxy.url
    assert bucket.part_size("key", 1)[0] == len(BODY)
    probe(STORE, SECONDS)
    assert proxy.seen == [("HEAD", f"{STORE}/bucket/key?partNumber=1"), ("HEAD", STORE)]


@pytest.mark.parametrize("login", ["üser:pä%C3%9Fwort", "%C3%BCser:p%C3%A4%C3%9Fwort"])
def test_a_login_of_the_proxy_may_have_any_letters(
    monkeypatch: pytest.MonkeyPatch,
    store: FaultyServer,
    proxy: HttpProxy,
    copy: Callable[[str], BaseException | None],
    login: str,
) -> None:
    monkeypatch.setenv("http_proxy", proxy.url.replace("http://", f"http://{login}@"))
    assert copy(STORE) is None
    probe(STORE, SECONDS)
    shown = f"Basic {b64('üser:päßwort'.encode())}"
    assert [asked.headers["proxy-authorization"] for asked in store.asked] == [shown, shown]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("name", [*BOTH, "https_proxy"])
def test_a_store_of_this_machine_is_asked_directly(
    monkeypatch: pytest.MonkeyPatch,
    store: FaultyServer,
    copy: Callable[[str], BaseException | None],
    name: str,
    host: str,
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert copy(store.url.replace("127.0.0.1", host)) is None
    probe(store.url, SECONDS)


def test_no_proxy_counts_for_libcurl_as_for_boto3(
    monkeypatch: pytest.MonkeyPatch, proxy: HttpProxy, copy: Callable[[str], BaseException | None]
) -> None:
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("NO_PROXY", "store.example")
    assert "host name cannot be resolved" in str(copy(STORE))
    with pytest.raises(errors.SourceUnavailable):
        probe(STORE, SECONDS)
    assert proxy.seen == []


@pytest.mark.parametrize(
    ("endpoint", "status", "shown"),
    [
        (TLS_STORE, 403, "the proxy refuses to connect (403)"),
        (TLS_STORE, 407, "the proxy asks for a login (407)"),
        (TLS_STORE, 502, "the proxy refuses to connect (502)"),
        (STORE, 407, "the proxy asks for a login (407)"),
        (STORE, 403, "the proxy refuses it, or reaches no server (403)"),
        (STORE, 503, "the proxy refuses it, or reaches no server (503)"),
    ],
)
def test_a_refusal_of_the_proxy_is_named_as_its_own(
    monkeypatch: pytest.MonkeyPatch,
    proxy: HttpProxy,
    copy: Callable[[str], BaseException | None],
    endpoint: str,
    status: int,
    shown: str,
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy.url)
    proxy.refusal = status
    failure = copy(endpoint)
    assert isinstance(failure, errors.SourceUnavailable)
    assert shown in str(failure)
    if status != 403 or endpoint == TLS_STORE:  # without a tunnel, the probe takes 403 for S3's
        with pytest.raises(errors.SourceUnavailable, match=r"proxy|503"):
            probe(endpoint, SECONDS)


def test_a_refusal_of_the_store_behind_a_proxy_is_the_store_s(
    monkeypatch: pytest.MonkeyPatch,
    store: FaultyServer,
    proxy: HttpProxy,
    copy: Callable[[str], BaseException | None],
) -> None:
    monkeypatch.setenv("http_proxy", proxy.url)
    store.answer = lambda _: error(403, "InvalidAccessKeyId")
    failure = copy(STORE)
    assert isinstance(failure, errors.CredentialsRefused)
    assert "proxy" not in str(failure)


@pytest.mark.parametrize("endpoint", [STORE, TLS_STORE])
def test_a_proxy_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, copy: Callable[[str], BaseException | None], endpoint: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    for url, shown in (
        (nobody, "the proxy: no connection could be made to it"),
        ("http://proxy.invalid:3128", "the proxy: its host name cannot be resolved"),
    ):
        monkeypatch.setenv("ALL_PROXY", url)
        assert shown in str(copy(endpoint))
        with pytest.raises(errors.SourceUnavailable, match="by the proxy: "):
            probe(endpoint, SECONDS)
