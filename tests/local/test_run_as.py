"""The account of the functions where root starts them, and what becomes of root's files."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.environment import LocalEnvironment
from local.run_as import account_of_functions, account_of_nginx, own
from local.servers.account import CAP_DAC_READ_SEARCH, CAP_NET_BIND_SERVICE
from local.storage_owner import keep_owner
from shared.errors import SettingError
from tests.local.interpreters import NOBODY

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="is about root")
PORT = 27003


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every account may enter."""
    made = Path(tempfile.mkdtemp(prefix="sync-run-as-"))
    made.chmod(0o755)
    (made / ".local" / "storage").mkdir(parents=True)
    yield made
    shutil.rmtree(made)


def environment(folder: Path, **given: str) -> LocalEnvironment:
    return LocalEnvironment(folder, given)


def owners(folder: Path) -> set[int]:
    return {path.lstat().st_uid for path in (folder, *folder.rglob("*"))}


@as_root
def test_an_ordinary_account_is_taken_and_gets_what_root_wrote(folder: Path) -> None:
    storage = folder / ".local" / "storage"
    (storage / ".incoming" / "owner").mkdir(parents=True)
    (storage / "2026").mkdir()
    (storage / "2026" / "a.jpg").write_text("root's")
    outside = folder / "outside"
    outside.write_text("root's")
    (storage / "link").symlink_to(outside)
    (storage / "theirs").write_text("another's")
    os.chown(storage / "theirs", NOBODY, NOBODY)

    account = account_of_functions(environment(folder), PORT)
    assert account
    assert account.uid == pwd.getpwnam("www-data").pw_uid
    (storage / "link").unlink()
    assert owners(storage) == {account.uid, NOBODY}
    assert (storage / "theirs").stat().st_uid == NOBODY
    assert outside.stat().st_uid == 0


@as_root
def test_the_storages_owner_is_taken_even_without_an_account_entry(folder: Path) -> None:
    os.chown(folder / ".local" / "storage", 43_210, 43_211)
    account = account_of_functions(environment(folder), PORT)
    assert account
    assert (account.uid, account.gid) == (43_210, 43_211)


@as_root
def test_run_as_names_an_account_or_root(folder: Path) -> None:
    storage = folder / ".local" / "storage"
    assert account_of_functions(environment(folder, RUN_AS="root"), PORT) is None
    assert owners(storage) == {0}
    account = account_of_functions(environment(folder, RUN_AS="nobody"), PORT)
    assert account
    assert owners(storage) == {account.uid} == {pwd.getpwnam("nobody").pw_uid}
    with pytest.raises(SettingError, match="RUN_AS: there is no account no-such-account"):
        account_of_functions(environment(folder, RUN_AS="no-such-account"), PORT)


@as_root
def test_a_folder_of_root_with_other_files_is_left_alone(folder: Path) -> None:
    storage = folder / ".local" / "storage"
    (storage / "notes.txt").write_text("root's")
    with pytest.raises(SettingError, match=r"STORAGE_PATH: .*belongs to root.*RUN_AS=root"):
        account_of_functions(environment(folder), PORT)
    assert owners(storage) == {0}


@as_root
def test_capabilities_are_kept_for_what_permissions_forbid_alone(folder: Path) -> None:
    functions = account_of_functions(environment(folder), 80)
    assert functions
    assert CAP_NET_BIND_SERVICE in functions.capabilities
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    for file in (certificate, key):
        file.write_text("")
    tls = {"TLS_CERTIFICATE": str(certificate), "TLS_KEY": str(key)}
    nginx = account_of_nginx(environment(folder, **tls, PORT="27000"), functions)
    assert nginx
    assert nginx.capabilities == ()
    key.chmod(0o600)
    nginx = account_of_nginx(environment(folder, **tls, PORT="443"), functions)
    assert nginx
    assert nginx.capabilities == (CAP_DAC_READ_SEARCH, CAP_NET_BIND_SERVICE)


@as_root
def test_what_root_adds_to_a_storage_becomes_its_owners(folder: Path) -> None:
    storage = folder / ".local" / "storage"
    os.chown(storage, NOBODY, NOBODY)
    (storage / ".incoming" / "owner" / "0123").mkdir(parents=True)
    keep_owner(storage)
    assert owners(storage) == {NOBODY}


@as_root
def test_a_broken_off_change_is_made_up_for(folder: Path) -> None:
    storage = folder / ".local" / "storage"
    (storage / ".incoming").mkdir()
    (storage / "2026").mkdir()
    os.chown(storage / "2026", NOBODY, NOBODY)
    (storage / "2026" / "a.jpg").write_text("root's")
    own(storage, NOBODY, NOBODY)
    assert owners(storage) == {NOBODY}


@pytest.mark.skipif(os.geteuid() == 0, reason="is about an ordinary user")
def test_an_ordinary_user_stays_itself(folder: Path) -> None:
    assert account_of_functions(environment(folder, RUN_AS="www-data"), PORT) is None
