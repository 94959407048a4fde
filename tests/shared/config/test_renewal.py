from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from shared.config import renewal
from shared.config.renewal import MAX_AGE_SECONDS, MIN_INTERVAL_SECONDS, Renewal
from shared.config.settings import Settings
from shared.errors import SecretsUnavailable, SettingError

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:key-AbCdEf"
VARIABLES = {"SECRET_KEY_ARN": ARN, "LOG_LEVEL": "DEBUG"}
OLD, NEW = "old key, long enough", "new key, long enough"


class Store:
    """Secrets Manager with one secret, and a clock."""

    def __init__(self) -> None:
        self.text = OLD
        self.is_away = False
        self.asked = 0
        self.now = 1_000_000.0

    def __call__(self, arns: Iterable[str]) -> Mapping[str, str | SettingError]:
        self.asked += 1
        if self.is_away:
            raise SecretsUnavailable
        return dict.fromkeys(arns, self.text)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def secrets(store: Store) -> Renewal:
    secrets = Renewal(store, lambda: store.now)
    assert key_of(secrets) == OLD
    return secrets


def key_of(secrets: Renewal) -> str:
    key = Settings.from_mapping(secrets.resolve(VARIABLES)).secret_key
    assert key is not None
    return key.decode()


def test_secrets_are_read_once_however_often_the_settings_are(
    secrets: Renewal, store: Store
) -> None:
    assert [key_of(secrets) for _ in range(3)] == [OLD] * 3
    assert store.asked == 1


def test_they_are_due_when_they_are_old_or_stale(secrets: Renewal, store: Store) -> None:
    store.now += MAX_AGE_SECONDS
    assert secrets.is_due
    secrets.renew(VARIABLES)
    due_after = [secrets.is_due]
    secrets.mark_stale()
    due_after.append(secrets.is_due)
    assert due_after == [False, True]


def test_a_changed_secret_is_told(secrets: Renewal, store: Store) -> None:
    store.text = NEW
    assert key_of(secrets) == OLD
    assert secrets.renew(VARIABLES)
    assert key_of(secrets) == NEW


def test_they_are_read_again_once_in_a_while_at_most(secrets: Renewal, store: Store) -> None:
    for _ in range(3):
        secrets.renew(VARIABLES)
    assert store.asked == 2
    store.now += MIN_INTERVAL_SECONDS
    store.text = NEW
    assert secrets.renew(VARIABLES)


def test_what_cannot_be_read_or_is_invalid_stays_as_it_was(secrets: Renewal, store: Store) -> None:
    store.is_away = True
    assert not secrets.renew(VARIABLES)
    store.now += MIN_INTERVAL_SECONDS
    store.is_away, store.text = False, "short"
    assert not secrets.renew(VARIABLES)
    assert key_of(secrets) == OLD


def test_plain_settings_are_never_due(store: Store) -> None:
    secrets = Renewal(store, lambda: store.now)
    secrets.resolve({"SECRET_KEY": OLD})
    secrets.mark_stale()
    assert not secrets.is_due
    assert not secrets.renew({"SECRET_KEY": OLD})
    assert store.asked == 0


def test_services_are_built_anew_on_lambda_alone(
    secrets: Renewal, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten: list[str] = []
    monkeypatch.setattr(renewal, "process", secrets)
    monkeypatch.setattr(renewal, "close_all", lambda: forgotten.append("closed"))
    monkeypatch.setattr(renewal, "forget_all", lambda: forgotten.append("forgotten"))
    store.text = NEW
    assert not renewal.renew()
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "ingest")
    assert renewal.renew()
    assert forgotten == ["closed", "forgotten"]
