"""docs/on_premises.md from top to bottom, under a real systemd on a Debian of the test's own.

One story on one machine: each test continues where the one before ended.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from local.sample_requests import request_bodies
from tests.containers.box import DOCKERFILE, Box
from tests.containers.engine import OwnEngine
from tests.docs.pages import blocks
from tests.helpers.paths import ROOT
from tests.helpers.waiting import until

PAGE = ROOT / "docs" / "on_premises.md"
NAME = "external-storage-sync"
PARTS = ("http", "nginx", "scheduler", "trigger@1", "trigger@2")
NO_NETWORK = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}
SETTINGS = "/etc/external-storage-sync/settings.env"
VALUES = {
    "THE-KEY-THAT-THE-CLIENT-SIGNS-WITH": "0123456789abcdef0123456789abcdef",
    "RABBITMQ-PASSWORD": "a-password-for-the-queue",
    "THE-CLIENTS-BUCKET": "client-uploads",
    "eu-west-1": "us-east-1",
    "…": "local",
    "A-LONG-PASSWORD": "correct horse battery",
}
"""What a reader puts in."""

OF_THE_TEST = """
AWS_ENDPOINT_URL_S3=http://127.0.0.1:27006
FILE_MODE=0640
FOLDER_MODE=2750
RATE_LIMIT_GET=off
"""
BUCKET = """
[Service]
Environment=DATA_DIR=/srv/bucket HOST=127.0.0.1
ExecStart=/src/sync s3
Restart=always
[Install]
WantedBy=multi-user.target
"""
TO_RUN = [text for text in blocks(PAGE, "sh") if "not tried" not in text]
RAN: set[str] = set()
SENT: list[str] = []
PLAIN = re.compile(r"[A-Za-z0-9.-]+")
FIRST = "65d9e6e87a533da87ebcdee4.jpg"
"""The object of the README."""

BODIES = (
    body
    for body in request_bodies()
    if PLAIN.fullmatch(name := json.loads(body)["file_name"]) and name != FIRST
)
"""Requests of sample objects whose names need no quotes in a shell."""


@pytest.fixture(scope="module")
def box(engine: OwnEngine | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    del engine  # it is there, whichever it is
    with Box.started(tmp_path_factory.mktemp("box")) as box:
        yield box


def filled(text: str) -> str:
    for placeholder, value in VALUES.items():
        text = text.replace(placeholder, value)
    return text


def typed(box: Box, word: str, *, code: int | None = 0, **variables: str) -> str:
    """Run the block of the page that begins with a word, and return what it printed."""
    (text,) = {block for block in TO_RUN if block.startswith(word)}
    RAN.add(text)
    return box.run(filled(text), code=code, **NO_NETWORK, **variables)


def set_(box: Box, lines: str) -> None:
    box.run(f"cat >> {SETTINGS} << 'END'\n{lines}\nEND")


def settings_of_the_page(number: int) -> str:
    return filled(blocks(PAGE, "ini")[number])


def counts(box: Box, url: str = "http://localhost:27000") -> dict[str, int]:
    text = box.run(f"curl --silent --insecure '{url}/sync/?detail=1'", code=None)
    try:
        answer: dict[str, Any] = json.loads(text)
    except ValueError:
        return {}
    return answer


def send(box: Box, url: str = "http://localhost:27000") -> None:
    """Request another of the sample objects, and wait for its file."""
    body = next(BODIES).decode()
    signature = box.run(f"external-storage-sync sign '{body}'").strip()
    post = (
        f"curl --silent --insecure --retry 20 --retry-connrefused --retry-delay 1 {url}/sync/"
        f" -H 'Content-Type: application/json' -H 'Authorization: {signature}' -d '{body}'"
    )
    assert '{"detail": "Object queued for sync"}' in box.run(post)
    SENT.append(json.loads(body)["file_name"])
    until(lambda: counts(box, url).get("synced_objects_count") == len(SENT), seconds=60.0)


def main_pid(box: Box, unit: str) -> int:
    return int(box.run(f"systemctl show --property=MainPID --value {NAME}-{unit}"))


def kill(box: Box, part: str) -> int:
    """Kill a service's main process, and return its id."""
    pid = main_pid(box, part)
    box.run(f"kill -9 {pid}")
    return pid


def wait_replaced(box: Box, part: str, pid: int) -> None:
    until(lambda: is_active(box, part) and main_pid(box, part) not in {0, pid}, seconds=60.0)


def is_active(box: Box, unit: str) -> bool:
    return box.run(f"systemctl is-active {NAME}-{unit}", code=None).strip() == "active"


def wait_ready(box: Box) -> None:
    ready = "curl --silent --fail http://127.0.0.1:27003/readyz"
    until(lambda: "status" in box.run(ready, code=None), seconds=60.0)
    until(lambda: all(is_active(box, part) for part in PARTS), seconds=60.0)


def test_what_is_missing_is_named_in_one_line_and_nothing_is_started(box: Box) -> None:
    for package in re.findall(r"^apt-get install (.*?)(?:   #|$)", PAGE.read_text(), re.MULTILINE):
        if package != "certbot":
            assert set(package.split()) <= set(re.split(r"\s", DOCKERFILE.read_text()))
    typed(box, "systemctl disable --now nginx")
    printed = typed(box, "make install-service", code=2)
    names = "SECRET_KEY, DATABASE_URL, RABBITMQ_URL, STORAGE_PATH, AWS_S3_BUCKET_NAME"
    assert f"Invalid setting: not set: {names}, ADMIN_PASSWORD_HASH\n" in printed
    assert "Traceback" not in printed
    assert box.run(f"ls /etc/systemd/system/{NAME}* /opt/{NAME}/current", code=2)
    assert box.run(f"stat -c '%U:%G %a' {SETTINGS}") == f"root:{NAME} 640\n"


def test_it_is_installed_and_copies_the_object_of_the_readme(box: Box) -> None:
    set_(box, settings_of_the_page(0) + OF_THE_TEST)
    assert f"{NAME} answers on http://localhost:27000" in typed(box, "make install-service")
    box.run(f"ln -s /opt/{NAME}/current/.venv .venv")
    box.run(f"cat > /etc/systemd/system/bucket.service << 'END'{BUCKET}END")
    box.run("systemctl --quiet enable --now bucket")
    listed = "curl --silent http://127.0.0.1:27006/client-uploads"
    until(lambda: "Key" in box.run(listed, code=None), seconds=60.0)

    _, first, *_ = blocks(ROOT / "README.md", "bash")
    post = first.split("# {", 1)[0].replace("./sync", NAME)
    assert '{"detail": "Object queued for sync"}' in box.run(post)
    SENT.append(FIRST)
    until(lambda: counts(box).get("synced_objects_count") == 1, seconds=60.0)
    found = box.run(f"stat -c '%U:%G %a' /srv/objects /srv/objects/{FIRST}")
    assert found == f"{NAME}:{NAME} 2750\n{NAME}:{NAME} 640\n"
    send(box)
    assert "synced" in typed(box, "systemctl --no-pager status")


def test_systemd_finds_no_fault_and_little_exposure(box: Box) -> None:
    assert box.run(f"systemd-analyze verify {NAME}.target") == ""
    table = box.run("systemd-analyze security --no-pager")
    found = re.findall(rf"^{NAME}-(\S+)\.service +(\d+\.\d)", table, re.MULTILINE)
    assert {name for name, _ in found} >= set(PARTS)
    for name, exposure in found:
        print(f"{NAME}-{name}: exposure {exposure} of 10")  # noqa: T201 # recorded
        assert float(exposure) <= 2.0, name


@pytest.mark.parametrize("part", PARTS)
def test_a_service_can_write_its_storage_and_nothing_else(box: Box, part: str) -> None:
    inside = f"nsenter --target {main_pid(box, part)} --mount --"
    refused = box.run(f"{inside} touch /etc/x /usr/x /opt/x /srv/x /boot/x", code=1)
    assert refused.count("Read-only file system") == 5
    assert box.run(f"{inside} ls /home /root /dev/sda /dev/mem", code=2)
    box.run(f"{inside} touch /srv/objects/.incoming/probe && rm /srv/objects/.incoming/probe")
    status = box.run(f"cat /proc/{main_pid(box, part)}/status")
    assert re.search(r"NoNewPrivs:\s1", status)
    assert re.search(r"Seccomp:\s2", status)
    capabilities = "0000000000000400" if part == "nginx" else "0000000000000000"
    assert re.search(rf"CapBnd:\s{capabilities}", status)
    assert "/srv/objects" in box.run(f"systemctl show -p ReadWritePaths {NAME}-{part}")


def test_each_process_that_is_killed_is_started_again(box: Box) -> None:
    for part in PARTS:
        since = time.monotonic()
        wait_replaced(box, part, kill(box, part))
        print(f"{NAME}-{part}: again after {time.monotonic() - since:.1f} s")  # noqa: T201
    wait_ready(box)
    send(box)


def test_a_reboot_brings_all_back(box: Box) -> None:
    box.restart()
    box.wait_started()
    wait_ready(box)
    assert counts(box)["synced_objects_count"] == len(SENT)
    send(box)


def test_without_postgresql_at_the_boot_it_waits_and_then_works(box: Box) -> None:
    box.run("systemctl --quiet disable postgresql")
    box.restart()
    box.wait_started()
    until(lambda: is_active(box, "http"), seconds=60.0)
    status = "curl -s -o /dev/null -w '%{http_code}' http://localhost:27000/readyz"
    until(lambda: box.run(status, code=None) == "503", seconds=60.0)
    box.run("systemctl --quiet enable --now postgresql")
    wait_ready(box)
    send(box)


def test_tls_by_a_certificate_of_its_own(box: Box) -> None:
    box.run(
        "mkdir -p /root/new && openssl req -x509 -newkey rsa:2048 -nodes -days 30"
        " -subj /CN=sync.example.com -addext subjectAltName=DNS:sync.example.com"
        " -keyout /root/new/privkey.pem -out /root/new/fullchain.pem"
    )
    typed(box, "cat > /etc/external-storage-sync/new-certificate")
    box.run("RENEWED_LINEAGE=/root/new /etc/external-storage-sync/new-certificate")
    set_(box, settings_of_the_page(1))
    typed(box, "systemctl restart external-storage-sync.target")
    wait_ready(box)
    get = "curl -s --cacert /root/new/fullchain.pem --resolve sync.example.com:443:127.0.0.1"
    assert "synced_objects_count" in box.run(f"{get} https://sync.example.com/sync/")
    send(box, "https://localhost")
    # A new one needs no restart.
    pid = main_pid(box, "nginx")
    box.run(
        "openssl req -x509 -key /root/new/privkey.pem -days 60 -subj /CN=renewed"
        " -addext subjectAltName=DNS:sync.example.com -out /root/new/fullchain.pem"
    )
    box.run("RENEWED_LINEAGE=/root/new /etc/external-storage-sync/new-certificate")
    shown = "openssl s_client -connect 127.0.0.1:443 < /dev/null | grep subject"
    until(lambda: "renewed" in box.run(shown, code=None), seconds=30.0)
    assert main_pid(box, "nginx") == pid


def test_the_settings_of_the_servers_and_the_firewall(box: Box) -> None:
    typed(box, "runuser -u postgres -- psql")
    typed(box, "cat > /etc/rabbitmq/rabbitmq.conf")
    wait_ready(box)
    box.run(
        "ip netns add client && ip link add box type veth peer name eth0 netns client"
        " && ip address add 192.0.2.1/24 dev box && ip link set box up"
        " && ip -netns client address add 192.0.2.2/24 dev eth0"
        " && ip -netns client link set eth0 up"
    )

    def reached(port: int) -> bool:
        connect = f"timeout 3 ip netns exec client bash -c ': < /dev/tcp/192.0.2.1/{port}'"
        return box.run(f"{connect} && echo connected", code=None) == "connected\n"

    until(lambda: reached(443), seconds=30.0)
    assert reached(25672)
    (rules,) = blocks(PAGE, "nft")
    box.run(f"cat > /etc/nftables.conf << 'END'\n{rules}END")
    typed(box, "systemctl enable nftables")
    assert reached(443)
    assert [port for port in (25672, 4369, 5672, 5432, 11211, 27003) if reached(port)] == []
    send(box, "https://localhost")


def test_an_upgrade_keeps_every_row_and_answers_all_but_some_seconds(box: Box) -> None:
    old = box.run(f"readlink /opt/{NAME}/current").strip()
    poll = "curl -sk -o /dev/null -m 2 -w '%{http_code}\\n' https://localhost/sync/"
    loop = f"while sleep 0.1; do {poll} >> /root/poll; done"
    box.run(f'systemd-run --quiet --unit=poll bash -c "{loop}"')
    box.run("echo '# another version' >> shared/__init__.py")
    assert f"{NAME} answers on https://localhost:443" in typed(box, "make install-service")
    box.run("systemctl stop poll")
    codes = [*box.run("cat /root/poll").split()]
    away = [code for code in codes if code != "200"]
    print(f"upgrade: {len(away)} of {len(codes)} requests, 0.1 s apart, not answered 200")  # noqa: T201
    assert len(away) < 100
    new = box.run(f"readlink /opt/{NAME}/current").strip()
    assert new != old
    assert box.run(f"ls -d /opt/{NAME}/releases/*").split() == sorted([old, new])
    wait_ready(box)
    assert box.run(f"readlink /proc/{main_pid(box, 'trigger@1')}/cwd").strip() == new
    assert counts(box, "https://localhost")["synced_objects_count"] == len(SENT)
    send(box, "https://localhost")


def test_a_version_that_does_not_start_leaves_the_old_one_running(box: Box) -> None:
    old = box.run(f"readlink /opt/{NAME}/current").strip()
    pids = [main_pid(box, part) for part in PARTS]
    set_(box, "SECRET_KEY=short")
    assert "SECRET_KEY: at least 16 bytes" in typed(box, "make install-service", code=2)
    box.run(f"sed -i '$d' {SETTINGS}")
    assert box.run(f"readlink /opt/{NAME}/current").strip() == old
    assert [main_pid(box, part) for part in PARTS] == pids


def test_the_earlier_release_is_taken_again(box: Box) -> None:
    old = box.run(f"readlink /opt/{NAME}/current").strip()
    typed(box, "current=$(readlink")
    wait_ready(box)
    assert box.run(f"readlink /proc/{main_pid(box, 'http')}/cwd").strip() != old
    send(box, "https://localhost")
    typed(box, "current=$(readlink")
    assert box.run(f"readlink /opt/{NAME}/current").strip() == old
    wait_ready(box)


def test_fewer_triggers_are_fewer_units(box: Box) -> None:
    releases = box.run(f"ls -d /opt/{NAME}/releases/*").split()
    set_(box, "TRIGGERS=1")
    typed(box, "make install-service")
    assert box.run(f"ls -d /opt/{NAME}/releases/*").split() == releases
    assert not is_active(box, "trigger@2")
    assert "disabled" in box.run(f"systemctl is-enabled {NAME}-trigger@2", code=1)
    box.run(f"sed -i '$d' {SETTINGS}")
    typed(box, "make install-service")
    wait_ready(box)


def test_the_storage_moves(box: Box) -> None:
    typed(box, "install -d -m 2750")
    wait_ready(box)
    send(box, "https://localhost")
    assert set(box.run("ls /srv/larger").split()) == set(SENT)
    assert "/srv/larger is used by this installation" in typed(box, "external-storage-sync adopt")
    assert typed(box, "timedatectl")


def test_it_is_removed_and_its_data_stays(box: Box) -> None:
    typed(box, "make uninstall-service")
    assert box.run(f"systemctl list-units --all --no-legend '{NAME}*'").strip() == ""
    assert box.run(f"ls /etc/systemd/system/ | grep {NAME}", code=1) == ""
    assert set(box.run("ls /srv/larger").split()) == set(SENT)
    box.run(f"test -e {SETTINGS} -a ! -e /opt/{NAME} -a -d /var/lib/{NAME}")
    typed(box, "make install-service")
    wait_ready(box)
    assert counts(box, "https://localhost")["synced_objects_count"] == len(SENT)


def test_every_command_of_the_page_was_run() -> None:
    assert [text for text in TO_RUN if text not in RAN] == []
