from __future__ import annotations

import pytest

from shared.config.admin_password import DEFAULT_PASSWORD, admin_password_hash
from shared.config.settings import Settings
from shared.errors import SettingError
from shared.passwords import verify
from tests.functions.admin.hashes import cheap_hash

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
