"""Which adapter the settings choose: how the database is logged in to, and as whom."""

from __future__ import annotations

from contextlib import closing
from urllib.parse import parse_qs

import pytest

from shared import adapters
from shared.config.settings import Settings
from shared.database_login import database_login
from shared.errors import SettingError
from shared.ledger.logins import SecretLogin
from tests.helpers.servers import query

ADDRESS = "postgresql://sync_ingest@db.test:5432/sync"
VERIFIED = f"{ADDRESS}?sslmode=verify-full"


def settings(**variables: str) -> Settings:
    return Settings.from_mapping(variables)


def test_a_url_with_its_login_is_all_that_is_needed() -> None:
    assert database_login(settings(DATABASE_URL=ADDRESS)) is None


def test_with_iam_a_token_of_this_region_is_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "hushhush",
    }.items():
        monkeypatch.setenv(name, value)
    login = database_login(settings(DATABASE_URL=VERIFIED, DATABASE_AUTH="iam"))
    assert login is not None
    given = {"host": "db.test", "port": "5432", "user": "sync_ingest"}
    place, _, signed = login.parameters(given)["password"].partition("/?")
    assert place == "db.test:5432"
    assert parse_qs(signed)["DBUser"] == ["sync_ingest"]
    assert "/eu-west-1/rds-db/" in parse_qs(signed)["X-Amz-Credential"][0]


def test_what_iam_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with pytest.raises(SettingError, match="DATABASE_AUTH: iam needs sslmode=verify-full"):
        adapters.database(settings(DATABASE_URL=ADDRESS, DATABASE_AUTH="iam"))
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(SettingError, match="AWS_REGION is not set"):
        adapters.database(settings(DATABASE_URL=VERIFIED, DATABASE_AUTH="iam"))


def test_a_url_that_is_a_secrets_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL_ARN", "arn:aws:secretsmanager:eu-west-1:1:secret:db")
    assert isinstance(database_login(settings(DATABASE_URL=ADDRESS)), SecretLogin)


@pytest.mark.parametrize(("roles", "user"), [("1", "sync_stats"), ("0", "sync")])
def test_a_function_acts_as_its_role_where_there_are_roles(
    database_url: str, roles: str, user: str
) -> None:
    ours = settings(DATABASE_URL=database_url, DATABASE_ROLES=roles)
    seen = "SELECT current_user FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    assert query(database_url, seen) == [("sync",)]
    with closing(adapters.ledger(ours, "stats")) as ledger:
        ledger.ping()
        # The role is in the start of the connection, where another one can read it.
        held = "SELECT has_table_privilege('{}', 'file_sync', 'DELETE')".format
        assert query(database_url, held(user)) == [(user == "sync",)]
