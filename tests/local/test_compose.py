"""What can be said about the containers where no container engine runs."""

from __future__ import annotations

import dataclasses
import os
import pwd
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from local.cli import app
from local.environment import S3_PORT, LocalEnvironment
from local.native_services import Ports
from local.servers.nginx import TEMPLATE
from local.settings import LOCAL
from shared.config.settings import Settings
from tests.helpers.paths import ROOT
from tests.helpers.project import install
from tests.local.test_env_file import ACCEPTED, REFUSED

COMPOSE_FILE = ROOT / "local" / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "PROJECT" in service["image"]}
DOCKERFILE = (ROOT / "local" / "Dockerfile").read_text()
# Set by AWS or by the processes themselves, or read by Compose.
NOT_PASSED_ON = {
    "DATABASE_AUTH",
    "RABBITMQ_PASSWORD",  # both are in the URLs
    "RABBITMQ_USER",
    "TLS_CERTIFICATE",
    "TLS_KEY",
    "AWS_LAMBDA_FUNCTION_NAME",
    "LOCALSTACK_HOST",
    "RUN_AS",
    "TRIGGERS",
}


def setting_names() -> set[str]:
    own = {field.metadata["name"] for field in dataclasses.fields(Settings)}
    return own | {name for name, _, _ in LOCAL}


def ports(service: str) -> list[list[str]]:
    """Gives host, outer and inner port of each port that a service publishes."""
    return [interpolated(port).split(":") for port in SERVICES[service]["ports"]]


def published(service: str) -> set[int]:
    return {int(outer) for _, outer, _ in ports(service)}


def inside(service: str) -> set[int]:
    return {int(inner) for _, _, inner in ports(service)}


def test_the_file_is_what_compose_understands() -> None:
    schema = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run(
        [sys.executable, *schema, str(COMPOSE_FILE)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_a_container_prints_is_bounded() -> None:
    for service in COMPOSE["services"].values():
        options = service["logging"]["options"]
        assert (options["max-size"], options["max-file"]) == ("10m", "5")


def test_every_port_is_the_documented_one() -> None:
    documented = Ports()
    assert published("nginx") == inside("nginx") == {documented.nginx}
    assert published("functions") == inside("functions") == {documented.functions}
    assert published("postgres") == {documented.postgres}
    assert published("rabbitmq") == {documented.management, documented.amqp}
    assert published("memcached") == {documented.memcached}
    assert published("s3") == inside("s3") == {documented.s3} == {S3_PORT}


def test_only_nginx_can_be_reached_from_elsewhere() -> None:
    for name, service in SERVICES.items():
        for port in service.get("ports", ()):
            host = "${HOST:-127.0.0.1}:" if name == "nginx" else "127.0.0.1:"
            assert port.startswith(host)


def test_every_setting_reaches_the_functions() -> None:
    wanted = setting_names() - NOT_PASSED_ON
    for service in OURS.values():
        assert wanted <= set(service["environment"])


def test_every_variable_is_one_that_something_reads() -> None:
    read = setting_names() | set(re.findall(r"^#?(\w+)=", example(), re.MULTILINE))
    for service in OURS.values():
        assert set(service["environment"]) <= read


def example() -> str:
    return (ROOT / ".env.example").read_text()


def interpolated(text: str, **variables: str) -> str:
    """Fills in variables as Compose does, with its defaults for what is not given."""
    return re.sub(
        r"\$\{(\w+)(?::?[-?]([^}]*))?\}", lambda match: variables.get(match[1], match[2]), text
    )


def test_clients_come_where_port_says() -> None:
    (port,) = SERVICES["nginx"]["ports"]
    assert interpolated(port, PORT="8080", HOST="0.0.0.0") == "0.0.0.0:8080:27000"


def test_as_many_triggers_run_as_natively() -> None:
    replicas = SERVICES["trigger"]["deploy"]["replicas"]
    assert int(interpolated(replicas)) == LocalEnvironment(ROOT, {}).triggers
    assert interpolated(replicas, TRIGGERS="3") == "3"


def test_the_settings_can_be_read() -> None:
    secrets = dict.fromkeys(("SECRET_KEY", "POSTGRES_PASSWORD", "RABBITMQ_PASSWORD"), "secret")
    environment = OURS["functions"]["environment"]
    given = {n: interpolated(str(v), **secrets) for n, v in environment.items() if v is not None}
    settings = Settings.from_mapping(given)
    assert settings.database_url == "postgresql://sync:secret@postgres:5432/sync"
    assert settings.s3_endpoint == f"http://s3:{S3_PORT}"
    assert not settings.local_run
    assert settings.storage_path == "/storage"
    assert settings.memcached_url == (("memcached", 11211),)
    (proxy,) = settings.trusted_proxies
    nginx = SERVICES["nginx"]["networks"]["default"]["ipv4_address"]
    assert str(proxy) == f"{interpolated(nginx)}/32"


def test_every_address_is_a_service_and_its_port() -> None:
    environment = OURS["functions"]["environment"]
    assert re.search(r"@postgres:5432/sync$", environment["DATABASE_URL"])
    assert re.search(r"@rabbitmq:5672/$", environment["RABBITMQ_URL"])
    assert 5432 in inside("postgres")
    assert 5672 in inside("rabbitmq")
    assert 11211 in inside("memcached")
    assert environment["AWS_ENDPOINT_URL_S3"] == f"${{AWS_ENDPOINT_URL_S3-http://s3:{S3_PORT}}}"
    assert SERVICES["nginx"]["environment"]["NGINX_FUNCTIONS"].startswith("functions:27003")
    assert environment["PORT"] == "27003"


def test_each_command_exists() -> None:
    commands = set(get_command(app).commands)  # type: ignore[attr-defined]
    for service in OURS.values():
        program, command, *_ = service["command"]
        assert program == "./sync"
        assert command in commands


def test_no_secret_has_a_default() -> None:
    text = COMPOSE_FILE.read_text()
    for name in ("SECRET_KEY", "POSTGRES_PASSWORD", "RABBITMQ_PASSWORD"):
        assert set(re.findall(rf"\$\{{{name}(.)", text)) == {":"}
        assert set(re.findall(rf"\$\{{{name}:(.)", text)) == {"?"}


def test_every_value_of_the_nginx_template_is_given() -> None:
    nginx = SERVICES["nginx"]
    assert set(re.findall(r"\$\{(\w+)\}", TEMPLATE.read_text())) <= set(nginx["environment"])
    assert f"./{TEMPLATE.relative_to(ROOT)}:" in nginx["volumes"][0]
    assert nginx["environment"]["STORAGE_PATH"] == "/storage"
    assert nginx["volumes"][1].endswith(":/storage:ro")
    assert OURS["trigger"]["volumes"][0].endswith(":/storage")


def test_images_are_pinned_and_for_every_processor() -> None:
    for service in SERVICES.values():
        assert "platform" not in service
        if service not in OURS.values():
            assert re.fullmatch(r"[a-z/]+:\d+(\.\d+)?(-\w+)?", service["image"])


def test_each_service_waits_for_what_it_needs() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            once = how["condition"] == "service_completed_successfully"
            assert once or "healthcheck" in SERVICES[other], f"{name} waits for {other}"


def test_the_image_gets_what_it_copies() -> None:
    copied = re.findall(r"^COPY (\S+) (\S+)$", DOCKERFILE, re.MULTILINE)
    ignored = (ROOT / "local" / "Dockerfile.dockerignore").read_text().split("\n")
    for source, target in copied:
        assert (ROOT / source).exists()
        assert source == target
        assert f"!{source}" in ignored
    assert "*" in ignored


def test_what_the_image_copies_is_enough_to_run(tmp_path: Path) -> None:
    for source, target in re.findall(r"^COPY (\S+) (\S+)$", DOCKERFILE, re.MULTILINE):
        (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, tmp_path / target)
    install(tmp_path)
    for command in (
        [".venv/bin/python", "-m", "compileall", "-q", "functions"],
        ["./sync", "--help"],
    ):
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr


DOCKER = """#!/bin/sh
case "$1 $2" in
  "compose version") ;;
  "volume inspect") [ -e "volume $3" ] ;;
  *) echo "$@"; env ;;
esac
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what `make up` runs, with a Docker that says what it was asked."""
    shutil.copytree(
        ROOT / "local", tmp_path / "local", ignore=shutil.ignore_patterns("__pycache__")
    )
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    return tmp_path


def refused(tree: Path, **variables: str) -> str:
    """Give the one line that `make up` ends with."""
    path = f"{tree / 'bin'}{os.pathsep}{os.defpath}"
    return ended(tree, PATH=path, OUTER="outside", **variables)


def ended(tree: Path, **variables: str) -> str:
    """Give the one line that it ends with, by a whole environment."""
    done = subprocess.run(
        ["/bin/sh", "local/up.sh"],
        cwd=tree,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    return done.stderr


def compose(tree: Path, command: str = "up", **variables: str) -> tuple[list[str], dict[str, str]]:
    environment = {"PATH": f"{tree / 'bin'}{os.pathsep}{os.defpath}", **variables}
    shown = subprocess.run(
        ["/bin/sh", "local/compose.sh", command],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.splitlines()
    return shown[0].split(), dict(line.split("=", 1) for line in shown[1:])


def test_secrets_are_made_once_and_kept_to_their_owner(tree: Path) -> None:
    arguments, first = compose(tree)
    _, second = compose(tree)
    secrets = ("SECRET_KEY", "POSTGRES_PASSWORD", "RABBITMQ_PASSWORD")
    assert arguments[:2] == ["compose", "--file"]
    assert arguments[2] == "local/docker-compose.yml"
    assert len({first[name] for name in secrets}) == len(secrets)
    for name in secrets:
        assert re.fullmatch(r"[0-9a-f]{64}", first[name])
        assert second[name] == first[name]
    files = [tree / ".local" / "secret_key", *(tree / ".local" / "compose").iterdir()]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_what_is_set_in_the_env_file_counts_and_the_environment_more(tree: Path) -> None:
    (tree / ".env").write_text("SECRET_KEY='from the file'\nSTORAGE_PATH=kept here\nHOST=\n")
    _, seen = compose(tree)
    assert seen["SECRET_KEY"] == "from the file"
    assert seen["STORAGE_FOLDER"] == str(tree / "kept here")
    assert (tree / "kept here").is_dir()
    assert compose(tree, SECRET_KEY="from outside")[1]["SECRET_KEY"] == "from outside"


@pytest.mark.parametrize(("line", "value"), ACCEPTED)
def test_the_env_file_is_read_as_by_the_other_commands(tree: Path, line: str, value: str) -> None:
    """Compose itself would put variables in the place of dollars."""
    (tree / ".env").write_text(f"\ufeff# KEY=no\n{line}\n", encoding="utf-8")
    assert compose(tree, OUTER="outside")[1]["KEY"] == value


@pytest.mark.parametrize(("line", "reason"), REFUSED)
def test_the_env_file_is_refused_as_by_the_other_commands(
    tree: Path, line: str, reason: str
) -> None:
    (tree / ".env").write_bytes(f"# why\n{line}\nTZ=UTC\n".encode())
    assert refused(tree).startswith(f".env:2: {reason.removeprefix('2KEY: ')}")


def test_a_name_that_nothing_reads_is_refused(tree: Path) -> None:
    shutil.copy(ROOT / ".env.example", tree)
    (tree / ".env").write_text("PORT=1\nRATE_LIMT_POST=5/m\n")
    assert refused(tree).startswith(".env:2: RATE_LIMT_POST: nothing reads this name")
    foreign = "AWS_PROFILE=a\nhttp_proxy=b\nDATABASE_URL_ARN=c\nCOMPOSE_PROJECT_NAME=d\nTZ=e\n"
    (tree / ".env").write_text(foreign)
    assert compose(tree)[1]["AWS_PROFILE"] == "a"


def test_a_home_folder_is_one(tree: Path) -> None:
    (tree / ".env").write_text("STORAGE_PATH=~/files\nDATA_DIR='~/data'\n")
    _, seen = compose(tree, HOME=str(tree / "home"))
    assert seen["STORAGE_FOLDER"] == str(tree / "home" / "files")
    assert (tree / "home" / "data" / "secret_key").exists()
    assert not (tree / "~").exists()


@pytest.mark.parametrize(("given", "nginx"), [("1000", "2000"), ("", None), ("many", None)])
def test_nginx_takes_twice_what_the_functions_take(
    tree: Path, given: str, nginx: str | None
) -> None:
    assert compose(tree, MAX_BODY_BYTES=given)[1].get("NGINX_MAX_BODY_BYTES") == nginx


def test_nginx_is_told_of_the_proxies_in_front(tree: Path) -> None:
    seen = compose(tree, TRUSTED_PROXIES="192.0.2.1, 10.0.0.0/8,2001:db8::/32")[1]
    assert seen["NGINX_PROXIES"].split("; ") == [
        "192.0.2.1 1",
        "10.0.0.0/8 1",
        "2001:db8::/32 1",
        "",
    ]
    assert seen["NGINX_REAL_IP"].count("set_real_ip_from ") == 3
    assert not compose(tree)[1].get("NGINX_REAL_IP")
    assert refused(tree, TRUSTED_PROXIES="nginx;").startswith("TRUSTED_PROXIES: ")


def test_nginx_gets_a_certificate_and_its_key(tree: Path) -> None:
    (tree / "a certificate.pem").touch()
    (tree / "key.pem").touch()
    files = {"TLS_CERTIFICATE": "a certificate.pem", "TLS_KEY": "key.pem"}
    seen = compose(tree, **files)[1]
    assert seen["TLS_CERTIFICATE"] == str(tree / "a certificate.pem")
    assert seen["TLS_KEY"] == str(tree / "key.pem")
    assert "one needs the other" in refused(tree, TLS_KEY="key.pem")
    assert "there is no file" in refused(tree, **files | {"TLS_KEY": "missing.pem"})


@pytest.mark.parametrize(
    ("host", "local"),
    [("", "1"), ("127.0.0.1", "1"), ("localhost", "1"), ("0.0.0.0", "0"), ("10.1.2.3", "0")],
)
def test_what_others_can_reach_is_no_local_run(tree: Path, host: str, local: str) -> None:
    assert compose(tree, HOST=host)[1]["LOCAL_RUN"] == local


TOOLS = [
    "awk",
    "cat",
    "chgrp",
    "chown",
    "dirname",
    "find",
    "id",
    "ls",
    "mkdir",
    "mv",
    "od",
    "printenv",
    "sed",
    "sh",
    "tail",
    "tr",
]


@pytest.fixture
def bare(tree: Path) -> Path:
    """A tree whose folder `bin` is all that there is, without Docker."""
    (tree / "bin" / "docker").unlink()
    for tool in TOOLS:
        (tree / "bin" / tool).symlink_to(shutil.which(tool) or f"/bin/{tool}")
    return tree


def test_without_docker_one_line_says_so(bare: Path) -> None:
    assert "make run or make services" in ended(bare, PATH=str(bare / "bin"))


@pytest.mark.parametrize("version", ["1.29.2", "v1.25.0"])
def test_the_first_compose_is_refused(bare: Path, version: str) -> None:
    program = bare / "bin" / "docker-compose"
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)
    said = ended(bare, PATH=str(bare / "bin"))
    assert said == (
        f"docker-compose {version} is too old: install Docker Compose 2,"
        " or use make run or make services\n"
    )


def test_the_second_compose_may_be_a_program_of_its_own(bare: Path) -> None:
    program = bare / "bin" / "docker-compose"
    program.write_text('#!/bin/sh\n[ "$1" = version ] && echo 2.26.1 || echo "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "local/compose.sh", "ps"],
        cwd=bare,
        env={"PATH": str(bare / "bin")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "--file local/docker-compose.yml --project-directory . ps\n"


def test_a_file_of_the_users_own_overrides(tree: Path) -> None:
    (tree / "docker-compose.override.yml").touch()
    arguments, _ = compose(tree)
    assert arguments[1:5] == [
        "--file",
        "local/docker-compose.yml",
        "--file",
        "docker-compose.override.yml",
    ]


@pytest.mark.parametrize("server", ["postgres", "rabbitmq"])
def test_no_password_is_made_for_data_that_has_one(tree: Path, server: str) -> None:
    (tree / f"volume external-storage-sync_{server}").touch()
    said = refused(tree)
    assert f"{server}.password is missing" in said
    assert "sh local/compose.sh down --volumes" in said
    assert not (tree / ".local" / "compose" / f"{server}.password").exists()
    # Another installation has volumes of its own.
    assert compose(tree, COMPOSE_PROJECT_NAME="another")[1]["POSTGRES_PASSWORD"]


def test_what_starts_nothing_makes_no_secret(tree: Path) -> None:
    compose(tree, command="down")
    assert not (tree / ".local" / "secret_key").exists()
    assert list((tree / ".local" / "compose").iterdir()) == []


def test_an_address_of_ipv6_is_written_as_compose_reads_it(tree: Path) -> None:
    seen = compose(tree, HOST="::1")[1]
    assert (seen["HOST"], seen["LOCAL_RUN"]) == ("[::1]", "1")
    assert compose(tree, HOST="::")[1]["LOCAL_RUN"] == "0"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_gives_the_containers_an_ordinary_account(tree: Path) -> None:
    storage = tree / ".local" / "storage"
    (storage / ".incoming").mkdir(parents=True)
    (storage / "old.jpg").touch()
    seen = compose(tree)[1]
    entry = pwd.getpwnam("www-data")
    assert (seen["LOCAL_UID"], seen["LOCAL_GID"]) == (str(entry.pw_uid), str(entry.pw_gid))
    for path in (storage, storage / "old.jpg", tree / ".local" / "compose-s3"):
        assert (path.stat().st_uid, path.stat().st_gid) == (entry.pw_uid, entry.pw_gid)
    os.chown(storage, 12345, 54321)
    assert compose(tree)[1]["LOCAL_UID"] == "12345"
    assert compose(tree, RUN_AS="nobody")[1]["LOCAL_UID"] == str(pwd.getpwnam("nobody").pw_uid)
    assert compose(tree, RUN_AS="root")[1]["LOCAL_UID"] == "0"
    assert refused(tree, RUN_AS="no-one-here") == "RUN_AS: there is no account no-one-here\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_folder_of_other_files_is_not_taken(tree: Path) -> None:
    (tree / "files").mkdir()
    (tree / "files" / "diary.txt").touch()
    assert "contains other files" in refused(tree, STORAGE_PATH="files")
    assert (tree / "files" / "diary.txt").stat().st_uid == 0
