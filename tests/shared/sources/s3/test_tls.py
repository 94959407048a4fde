"""A store behind HTTPS: whose certificate is believed."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared import adapters, errors
from shared.config.settings import Settings
from shared.domain import Wanted
from tests.helpers.s3_server import FaultyServer, s3_object
from tests.shared.sources.conftest import NewSource

SECONDS = 30
BODY = b"an object"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key, and the certificate that it signed itself, for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a store of one's own")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "Größe 鍵" / "certificate.pem"
    path.parent.mkdir()
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def store(certificate: Path) -> Iterator[FaultyServer]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with FaultyServer(s3_object(BODY), tls) as server:
        yield server


def probe_of(url: str) -> Callable[[], None]:
    found = adapters.source_probe(Settings.from_mapping({"AWS_ENDPOINT_URL_S3": url}), SECONDS)
    assert found is not None
    return found.ask


def test_a_certificate_of_nobodys_is_not_believed(
    store: FaultyServer, incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    failure = new_source(store.url).fetch(wanted(), incoming / "1.1.part").exception(SECONDS)
    assert isinstance(failure, errors.SourceUnavailable)
    assert "certificate is not trusted" in str(failure)
    assert store.asked == []


def test_the_bundle_that_boto3_believes_is_believed(
    store: FaultyServer,
    certificate: Path,
    incoming: Path,
    new_source: NewSource,
    wanted: Callable[..., Wanted],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask = probe_of(store.url)
    with pytest.raises(errors.SourceUnavailable, match="certificate"):
        ask()
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    probe_of(store.url)()
    fetched = new_source(store.url).fetch(wanted(), incoming / "1.1.part").result(SECONDS)
    assert fetched.size == len(BODY)


def test_localstack_proves_nothing_and_need_not(
    store: FaultyServer,
    incoming: Path,
    new_source: NewSource,
    wanted: Callable[..., Wanted],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("USE_SSL", "1")
    host = store.url.removeprefix("https://")
    source = new_source(settings={"LOCALSTACK_HOST": host})
    assert source.fetch(wanted(), incoming / "1.1.part").result(SECONDS).size == len(BODY)
