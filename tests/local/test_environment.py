from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.environment import LocalEnvironment, kept_secret
from shared.errors import SettingError
from tests.helpers.paths import ROOT


def load(directory: Path, **variables: str) -> LocalEnvironment:
    return LocalEnvironment.load(variables, directory)


def test_without_any_variable_everything_has_its_place(tmp_path: Path) -> None:
    environment = load(tmp_path)
    variables = environment.local_variables()
    assert environment.port == 27000
    assert environment.data_dir == tmp_path / ".local"
    assert variables["STORAGE_PATH"] == str(tmp_path / ".local" / "storage")
    assert variables["AWS_S3_BUCKET_NAME"] == "client-uploads"
    assert variables["LOCAL_RUN"] == "1"


def test_the_process_beats_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=1000\nLOG_LEVEL='DEBUG'\n")
    environment = load(tmp_path, PORT="2000")
    assert environment.port == 2000
    assert environment.given["LOG_LEVEL"] == "DEBUG"


def test_an_empty_variable_counts_as_not_given(tmp_path: Path) -> None:
    assert load(tmp_path, PORT="", DATA_DIR="").port == 27000


def test_a_relative_storage_is_below_the_directory(tmp_path: Path) -> None:
    assert load(tmp_path, STORAGE_PATH="files").storage == tmp_path / "files"


@pytest.mark.parametrize("port", ["x", "0", "65536", "-1", "٣"])
def test_a_wrong_port_is_named(tmp_path: Path, port: str) -> None:
    with pytest.raises(SettingError, match="PORT"):
        _ = load(tmp_path, PORT=port).port


@pytest.mark.parametrize(
    ("host", "url", "local_run"),
    [
        ("127.0.0.1", "http://localhost:27000", "1"),
        ("localhost", "http://localhost:27000", "1"),
        ("::1", "http://[::1]:27000", "1"),
        ("0.0.0.0", "http://localhost:27000", "0"),
        ("::", "http://[::1]:27000", "0"),
        ("10.1.2.3", "http://10.1.2.3:27000", "0"),
    ],
)
def test_what_others_can_reach_is_no_local_run(
    tmp_path: Path, host: str, url: str, local_run: str
) -> None:
    environment = load(tmp_path, HOST=host, LOCAL_RUN="1")
    assert environment.url == url
    assert environment.local_variables()["LOCAL_RUN"] == local_run


@pytest.mark.parametrize("seconds", ["x", "0", "-1", "1e9", "inf"])
def test_a_wrong_schedule_is_named(tmp_path: Path, seconds: str) -> None:
    with pytest.raises(SettingError, match="SCHEDULE_SECONDS"):
        _ = load(tmp_path, SCHEDULE_SECONDS=seconds).schedule_seconds


@pytest.mark.parametrize("number", ["x", "0", "-1", "65"])
def test_a_wrong_number_of_triggers_is_named(tmp_path: Path, number: str) -> None:
    assert load(tmp_path, TRIGGERS="64").triggers == 64
    with pytest.raises(SettingError, match="TRIGGERS"):
        _ = load(tmp_path, TRIGGERS=number).triggers


def test_a_local_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    first = load(tmp_path).local_variables()["SECRET_KEY"]
    assert len(first) == 64
    assert load(tmp_path).local_variables()["SECRET_KEY"] == first
    file = tmp_path / ".local" / "secret_key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(file.parent.iterdir()) == [file]


def test_a_given_key_is_taken(tmp_path: Path) -> None:
    assert load(tmp_path, SECRET_KEY="mine").local_variables()["SECRET_KEY"] == "mine"
    assert not (tmp_path / ".local").exists()


def test_all_who_ask_at_once_get_the_same_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        secrets = list(pool.map(lambda _: kept_secret(tmp_path / "s" / "key"), range(50)))
    assert len(set(secrets)) == 1


def test_a_key_that_cannot_be_kept_is_one_line_that_names_its_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match=r"DATA_DIR: .*secret_key"):
        load(tmp_path, DATA_DIR="file").local_variables()


@pytest.mark.parametrize("source", ["process", "file"])
@pytest.mark.parametrize("name", ["DATA_DIR", "STORAGE_PATH"])
def test_a_home_folder_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    given = {name: "~/x"}
    if source == "file":
        (tmp_path / ".env").write_text(f"{name}=~/x\n")
        given = {}
    environment = load(tmp_path, **given)
    where = {"DATA_DIR": environment.data_dir, "STORAGE_PATH": environment.storage}
    assert where[name] == tmp_path / "home" / "x"
    # What functions started by themselves, such as `serve`, read.
    assert environment.given[name] == str(tmp_path / "home" / "x")
    assert not list(tmp_path.glob("~*"))


@pytest.mark.parametrize("path", ["$HOME/x", "${HOME}/x", "~nobody-of-that-name/x"])
@pytest.mark.parametrize("name", ["DATA_DIR", "STORAGE_PATH"])
def test_a_path_that_only_a_shell_expands_is_refused(tmp_path: Path, name: str, path: str) -> None:
    with pytest.raises(SettingError, match=f"^Invalid setting: {name}: "):
        load(tmp_path, **{name: path})
    (tmp_path / ".env").write_text(f"\n{name}='{path}'\n")
    with pytest.raises(SettingError, match=rf"^Invalid setting: \.env:2: {name}: "):
        load(tmp_path)


def test_white_space_around_a_number_is_no_part_of_it(tmp_path: Path) -> None:
    environment = load(tmp_path, PORT=" 2000\n", HOST="127.0.0.1 ", TRIGGERS="3\r", S3_PORT="  ")
    assert (environment.port, environment.host, environment.triggers) == (2000, "127.0.0.1", 3)
    assert environment.s3_port == 27006


def test_an_editor_s_line_end_is_no_part_of_a_kept_key(tmp_path: Path) -> None:
    file = tmp_path / "secret_key"
    file.write_bytes(b"kept\r\n")
    assert kept_secret(file) == "kept"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_kept_key_that_is_none_is_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secret_key"
    file.write_bytes(content)
    with pytest.raises(SettingError, match=rf"DATA_DIR: {file}: (empty|not UTF-8)"):
        kept_secret(file)


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_a_folder_of_the_file_is_named_in_utf_8_whatever_the_locale(
    tmp_path: Path, locale: str
) -> None:
    (tmp_path / ".env").write_text("STORAGE_PATH='ß/文件'\nADMIN_USER=ü\n", encoding="utf-8")
    program = (
        "import os, sys; from pathlib import Path;"
        "from local.environment import LocalEnvironment;"
        "environment = LocalEnvironment.load({}, Path(sys.argv[1]));"
        "environment.storage.mkdir(parents=True); print(environment.storage)"
    )
    variables = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=ROOT,
        env={"PATH": os.defpath, **variables},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("/ß/文件\n".encode())
    assert (tmp_path / "ß" / "文件").is_dir()


def test_a_certificate_comes_with_its_key(tmp_path: Path) -> None:
    assert load(tmp_path).tls is None
    (tmp_path / "certificate.pem").touch()
    (tmp_path / "key.pem").touch()
    both = {"TLS_CERTIFICATE": "certificate.pem", "TLS_KEY": "key.pem"}
    environment = load(tmp_path, **both)
    assert environment.tls == (tmp_path / "certificate.pem", tmp_path / "key.pem")
    assert environment.url.startswith("https://")
    for name, value, reason in (
        ("TLS_KEY", "", "TLS_KEY: TLS_CERTIFICATE needs it"),
        ("TLS_CERTIFICATE", "", "TLS_CERTIFICATE: TLS_KEY needs it"),
        ("TLS_KEY", "missing.pem", "TLS_KEY: .*missing.pem is no file that can be read"),
    ):
        with pytest.raises(SettingError, match=reason):
            _ = load(tmp_path, **both | {name: value}).tls
