from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator

import pytest

from shared.aws.secrets_manager import SecretsManager
from shared.errors import SettingError

PREFIX = "arn:aws:secretsmanager:eu-west-1:123456789012:secret"
SECRETS = {
    f"{PREFIX}:text-AbCdEf": {"SecretString": "hidden"},
    f"{PREFIX}:binary-AbCdEf": {"SecretBinary": "aGlkZGVu"},
}


class Api(http.server.BaseHTTPRequestHandler):
    """Secrets Manager's `GetSecretValue`, as its API reference gives it."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers["X-Amz-Target"] == "secretsmanager.GetSecretValue"
        assert "/eu-west-1/secretsmanager/" in self.headers["Authorization"]
        secret = SECRETS.get(json.loads(body)["SecretId"])
        missing = {"__type": "ResourceNotFoundException", "Message": "no such secret: hidden"}
        answer = json.dumps(secret or missing).encode()
        self.send_response(200 if secret else 400)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretsManager]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hushhush")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        monkeypatch.setenv(
            "AWS_ENDPOINT_URL_SECRETS_MANAGER", f"http://127.0.0.1:{server.server_port}"
        )
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield SecretsManager()
        server.shutdown()
        thread.join()


def test_a_secret_is_read_in_the_region_of_its_arn(secrets: SecretsManager) -> None:
    assert secrets(f"{PREFIX}:text-AbCdEf") == "hidden"


@pytest.mark.parametrize(
    ("arn", "reason"),
    [
        (f"{PREFIX}:other-AbCdEf", r"the secret cannot be read \(ResourceNotFoundException\)"),
        (f"{PREFIX}:binary-AbCdEf", "the secret is binary, not text"),
        ("arn:aws:secretsmanager:eu-west-1:123456789012", "not the ARN"),
    ],
)
def test_a_secret_that_cannot_be_read_is_an_invalid_setting(
    arn: str, reason: str, secrets: SecretsManager
) -> None:
    with pytest.raises(SettingError, match=reason) as caught:
        secrets(arn)
    assert "hidden" not in str(caught.value)


def test_a_server_that_is_away_is_an_invalid_setting_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hushhush")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1")
    with pytest.raises(SettingError, match=r"cannot be read \(EndpointConnectionError\)"):
        SecretsManager()(f"{PREFIX}:text-AbCdEf")
