"""Which URL objects have, and that requests are signed for it; boto3 runs beside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest

from shared import errors
from shared.domain import Wanted
from tests.helpers.http_proxy import http_proxy
from tests.helpers.s3_server import Answer, Asked, FaultyServer, Rule, error, s3_object
from tests.helpers.signatures import signed
from tests.shared.sources.conftest import NewSource

SECONDS = 30
BODY = b"an object"
KEYS = ["key", "a b/ü+&=%2F.jpg", "~!*'();:@$,[]"]
SECRETS = {
    "AKIDEXAMPLE": "hushhush",
    "tenant:user@example.org": "hush/+=",
    "schlüssel": "geheim·ключ·鍵",
}
ENDPOINT = "http://store.example:9000"
VIRTUAL = "bucket.store.example:9000"
Fetch = Callable[..., BaseException | None]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """A store that is every host of the internet, and checks signatures."""
    for name in ("https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with FaultyServer(signed(SECRETS, s3_object(BODY))) as server:
        port = int(server.url.rpartition(":")[2])
        with http_proxy(("127.0.0.1", port)) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url)
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            yield server


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own configuration, empty."""
    path = tmp_path / "config"
    path.write_text("")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    return path


@pytest.fixture
def fetch(incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]) -> Fetch:
    def run(key: str = "key", endpoint: str = ENDPOINT, **settings: str) -> BaseException | None:
        part = incoming / f"{len(list(incoming.iterdir()))}.1.part"
        failure = (
            new_source(endpoint, settings=settings).fetch(wanted(key), part).exception(SECONDS)
        )
        assert failure or part.read_bytes() == BODY
        return failure

    return run


def with_boto3(keys: list[str], endpoint: str, access_key: str, folder: Path) -> None:
    client = boto3.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=SECRETS[access_key],
    )
    for key in keys:
        client.download_file("bucket", key, str(folder / "boto3"))


@pytest.mark.parametrize(
    ("style", "prefix"),
    [("path", ""), ("path", "/pre/s3"), ("path", "/präfix/"), ("virtual", ""), ("virtual", "/pre")],
)
def test_urls_are_boto3_s_and_signed_for_what_they_are(
    store: FaultyServer,
    incoming: Path,
    new_source: NewSource,
    wanted: Callable[..., Wanted],
    config: Path,
    style: str,
    prefix: str,
) -> None:
    config.write_text(f"[default]\ns3 =\n  addressing_style = {style}\n")
    source = new_source(ENDPOINT + prefix, settings={"S3_ADDRESSING": style})
    for number, key in enumerate(KEYS):
        source.fetch(wanted(key), incoming / f"{number}.1.part").result(SECONDS)
    ours = [(asked.headers["host"], asked.path) for asked in store.asked]
    store.asked.clear()
    with_boto3(KEYS, ENDPOINT + prefix, "AKIDEXAMPLE", incoming)
    # boto3 asks twice, for the size and for the content.
    assert [(asked.headers["host"], asked.path) for asked in store.asked[::2]] == ours
    assert {host for host, _ in ours} == {VIRTUAL if style == "virtual" else "store.example:9000"}


@pytest.mark.parametrize("access_key", list(SECRETS))
@pytest.mark.usefixtures("config", "store")
def test_keys_of_any_characters_sign(fetch: Fetch, tmp_path: Path, access_key: str) -> None:
    given = {"AWS_S3_ACCESS_KEY_ID": access_key}
    assert fetch("a b", **given, AWS_S3_SECRET_ACCESS_KEY=SECRETS[access_key]) is None
    with_boto3(["a b"], ENDPOINT, access_key, tmp_path)
    failure = fetch(**given, AWS_S3_SECRET_ACCESS_KEY="another")
    assert isinstance(failure, errors.CredentialsRefused)
    assert "SignatureDoesNotMatch" in str(failure)


def test_the_style_of_the_user_s_configuration_is_honored(
    store: FaultyServer, fetch: Fetch, config: Path
) -> None:
    config.write_text("[default]\ns3 =\n  addressing_style = virtual\n")
    assert fetch() is None
    assert store.asked[-1].headers["host"] == VIRTUAL
    assert fetch(S3_ADDRESSING="path") is None
    assert store.asked[-1].headers["host"] == "store.example:9000"


def virtual_only(refusal: Answer) -> Rule:
    answer = signed(SECRETS, s3_object(BODY))

    def rule(asked: Asked) -> Answer:
        return answer(asked) if asked.headers["host"] == VIRTUAL else refusal

    return rule


IN_WORDS = "<Message>Please use Virtual Hosted style to access.</Message>"


@pytest.mark.parametrize(
    "refusal",
    [error(403, "SecondLevelDomainForbidden"), error(400, "NotKnownYet", IN_WORDS)],
    ids=["by its code", "in words"],
)
@pytest.mark.usefixtures("config")
def test_a_store_of_virtual_hosts_only_is_followed_and_remembered(
    store: FaultyServer,
    incoming: Path,
    new_source: NewSource,
    wanted: Callable[..., Wanted],
    refusal: Answer,
) -> None:
    store.answer = virtual_only(refusal)
    source = new_source(ENDPOINT)
    for number in (1, 2):
        part = incoming / f"{number}.1.part"
        source.fetch(wanted(row_id=number), part).result(SECONDS)
        assert part.read_bytes() == BODY
    assert [asked.headers["host"] for asked in store.asked] == [
        "store.example:9000",
        VIRTUAL,
        VIRTUAL,
    ]


@pytest.mark.parametrize("chosen", ["the setting", "the user"])
def test_a_style_that_was_chosen_stays(
    store: FaultyServer, fetch: Fetch, config: Path, chosen: str
) -> None:
    store.answer = virtual_only(error(403, "SecondLevelDomainForbidden"))
    settings = {"S3_ADDRESSING": "path"}
    if chosen == "the user":
        config.write_text("[default]\ns3 =\n  addressing_style = path\n")
        settings = {}
    failure = fetch(**settings)
    assert isinstance(failure, errors.AddressRefused)
    assert "S3_ADDRESSING=virtual" in str(failure)
    assert len(store.asked) == 1


@pytest.mark.usefixtures("config")
def test_the_requester_pays_with_every_request(
    store: FaultyServer, incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    def paid(asked: Asked) -> Answer:
        paying = asked.headers.get("x-amz-request-payer") == "requester"
        return (
            s3_object(BODY, etag='"0123456789abcdef0123456789abcdef-2"')(asked)
            if paying
            else error(403)
        )

    store.answer = signed(SECRETS, paid)
    source = new_source(ENDPOINT, settings={"S3_REQUEST_PAYER": "requester"})
    source.fetch(wanted(), incoming / "1.1.part").exception(SECONDS)
    assert {asked.method for asked in store.asked} == {"GET", "HEAD"}
    assert all(asked.headers["x-amz-request-payer"] == "requester" for asked in store.asked)


@pytest.mark.usefixtures("config", "store")
def test_a_prefix_that_boto3_signs_wrongly_is_signed_right(fetch: Fetch) -> None:
    assert fetch("a b", f"{ENDPOINT}/präfix", S3_ADDRESSING="virtual") is None


@pytest.mark.usefixtures("config")
def test_a_login_in_the_endpoint_signs_nothing(store: FaultyServer, fetch: Fetch) -> None:
    assert fetch(endpoint="http://someone:else@store.example:9000") is None
    assert store.asked[0].headers["host"] == "store.example:9000"
