from __future__ import annotations

import pytest

from shared.config.admin_password import DEFAULT_PASSWORD, admin_password_hash
from shared.config.settings import Settings
from shared.errors import SettingError
from shared.passwords import verify
from tests.helpers.hashes import cheap_hash

OWN, DEFAULT = cheap_hash("correct"), cheap_hash(DEFAULT_PASSWORD)


def settings(given: str | None, *, local_run: bool) -> Settings:
    variables = {"LOCAL_RUN": "1"} if local_run else {}
    return Settings.from_mapping(
        variables if given is None else {**variables, "ADMIN_PASSWORD_HASH": given}
    )


@pytest.mark.parametrize(
    "given",
    [None, DEFAULT, "admin", "scrypt$1$2"],
    ids=["none", "default", "plain", "broken"],
)
def test_no_weak_password_outside_a_local_run(given: str | None) -> None:
    with pytest.raises(SettingError, match="ADMIN_PASSWORD_HASH"):
        admin_password_hash(settings(given, local_run=False))


@pytest.mark.parametrize("given", ["admin", "scrypt$1$2"])
def test_a_local_run_accepts_no_broken_hash(given: str) -> None:
    with pytest.raises(SettingError, match="ADMIN_PASSWORD_HASH"):
        admin_password_hash(settings(given, local_run=True))


def test_a_local_run_has_the_default_password_or_the_given_one() -> None:
    assert verify("admin", admin_password_hash(settings(None, local_run=True)))
    assert admin_password_hash(settings(DEFAULT, local_run=True)) == DEFAULT
    for local_run in (True, False):
        assert admin_password_hash(settings(OWN, local_run=local_run)) == OWN


def test_a_password_needs_no_hash() -> None:
    for variables in ({"LOCAL_RUN": "1"}, {}, {"AWS_LAMBDA_FUNCTION_NAME": "admin"}):
        given = Settings.from_mapping({**variables, "ADMIN_PASSWORD": "pass wörd"})
        assert verify("pass wörd", admin_password_hash(given))
        assert not verify(DEFAULT_PASSWORD, admin_password_hash(given))


@pytest.mark.parametrize("password", ["admin", "seven.7", "x"])
def test_a_short_password_will_do_on_a_local_run_alone(password: str) -> None:
    given = {"ADMIN_PASSWORD": password}
    hashed = admin_password_hash(Settings.from_mapping({**given, "LOCAL_RUN": "1"}))
    assert verify(password, hashed)
    with pytest.raises(
        SettingError, match=r"^Invalid setting: ADMIN_PASSWORD: at least 8"
    ) as caught:
        admin_password_hash(Settings.from_mapping(given))
    assert password not in str(caught.value).removeprefix("Invalid setting: ADMIN_PASSWORD")


@pytest.mark.parametrize("local_run", ["0", "1"])
def test_password_and_hash_exclude_each_other(local_run: str) -> None:
    given = {"ADMIN_PASSWORD": "long enough", "ADMIN_PASSWORD_HASH": OWN, "LOCAL_RUN": local_run}
    with pytest.raises(SettingError, match="ADMIN_PASSWORD and ADMIN_PASSWORD_HASH are both set"):
        admin_password_hash(Settings.from_mapping(given))


def test_an_empty_password_counts_as_not_set() -> None:
    given = {"ADMIN_PASSWORD": "", "LOCAL_RUN": "1"}
    assert verify(DEFAULT_PASSWORD, admin_password_hash(Settings.from_mapping(given)))
