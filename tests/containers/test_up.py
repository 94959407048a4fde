"""`make up` as people use it: a first start, the contract, faults, other accounts, mistakes."""

from __future__ import annotations

import http.client
import os
import re
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from local.servers.sample_pictures import pictures
from tests.blackbox import test_service as contract
from tests.containers.engine import OwnEngine, docker
from tests.containers.stack import PATIENT_SECONDS, STRANGER, Stack
from tests.containers.stand_ins import provide
from tests.docs.pages import blocks
from tests.helpers.paths import ROOT
from tests.helpers.service import payload
from tests.helpers.waiting import NotInTime, join, until

PAGE = ROOT / "docs" / "containers.md"
OURS = ("functions", "trigger", "scheduler", "s3")
OTHERS = ("nginx", "postgres", "rabbitmq", "memcached")


@pytest.fixture(scope="module")
def running(engine: OwnEngine | None) -> Iterator[Stack]:
    """A service that `make up` started, for all tests of this module."""
    del engine  # it is there, whichever it is
    list(provide())
    # Not below pytest's folder, which no other account may enter.
    with (
        tempfile.TemporaryDirectory(prefix="up-", ignore_cleanup_errors=True) as folder,
        Stack.made(Path(folder)) as stack,
    ):
        stack.start()
        yield stack


@pytest.fixture
def service(running: Stack) -> Stack:
    """The same without any object, as the contract's tests want it."""
    running.clear()
    return running


def synced(stack: Stack) -> int:
    return stack.counts()[0]


def send_one(stack: Stack) -> None:
    """Request an object that is there, and wait until it is counted."""
    before = synced(stack)
    picture = next(pictures())
    assert stack.post(payload(picture.name, picture.media_type)).status == 201
    stack.wait_synced(before + 1)


def test_an_account_that_no_image_knows_starts_it(running: Stack) -> None:
    url = f"http://localhost:{running.port}"
    lines = running.greeting[-4:]
    assert lines[0].split() == ["URL", f"{url}/sync/"]
    assert lines[1] == f"Admin    {url}/admin/  (user root, password admin)"
    assert lines[2].split() == ["Files", str(running.storage)]
    for name in (*OURS, *OTHERS):
        assert running.health(name) == {"healthy"}
    assert len(running.containers("trigger")) == 2
    if os.geteuid() == 0:
        assert running.storage.stat().st_uid == STRANGER
        for name in ("nginx", *OURS):
            assert set(running.inspect(name, "{{.Config.User}}")) == {f"{STRANGER}:{STRANGER}"}


def test_the_commands_of_the_readme(running: Stack) -> None:
    _, first, *_ = blocks(ROOT / "README.md", "bash")
    post = first.split("# {", 1)[0].replace(":27000", f":{running.port}")
    done = running.typed("bash", "-c", post, own=True)
    assert '{"detail": "Object queued for sync"}' in done.stdout, done.text
    until((running.storage / "65d9e6e87a533da87ebcdee4.jpg").exists, seconds=PATIENT_SECONDS)
    done = running.typed("make", "sample", own=True)
    assert done.ok, done.text
    stored = {path.name: path.read_bytes() for path in running.storage.iterdir() if path.is_file()}
    for picture in pictures():
        if "/" not in picture.name:
            assert stored[picture.name] == picture.content
    if os.geteuid() == 0:
        assert {path.stat().st_uid for path in running.storage.iterdir()} == {STRANGER}


def test_commands_beside_it_need_no_docker(running: Stack) -> None:
    assert running.post(payload("never-uploaded.jpg")).status == 201
    done = running.typed("./sync", "status", "--json", own=True)
    assert "make up" in done.stdout, done.text
    for command in (("retry", "--all", "--dry-run"), ("dead-letters", "list"), ("doctor",)):
        done = running.typed("./sync", *command, own=True)
        assert "Traceback" not in done.text
        assert "unreachable" not in done.text
    said = "0 failed objects are queued again"
    assert said in running.typed("make", "retry", own=True).stdout
    inside = ("exec", "--no-TTY", "functions", "./sync", "retry", "--all")
    assert said in running.compose(*inside).stdout


def test_files_are_sent_by_nginx(running: Stack) -> None:
    picture = next(pictures())
    headers = logged_in(running)
    answers = {}
    for port in (running.port, int(running.variables["FUNCTIONS_PORT"])):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", f"/media/{picture.name}", headers=headers)
        response = connection.getresponse()
        answers[port] = (response.getheader("X-Accel-Redirect"), response.read())
        connection.close()
    assert answers.pop(running.port) == (None, picture.content)
    ((redirect, body),) = answers.values()
    assert str(redirect).startswith("/protected-media/")
    assert body == b""


def logged_in(stack: Stack) -> dict[str, str]:
    """Return the headers of someone who has logged in to the admin."""
    origin = f"http://127.0.0.1:{stack.port}"
    page = stack.get("/admin/login/")
    token = re.search(rb'name="csrf" value="([^"]+)"', page.body)
    assert token is not None, page
    cookie = page.headers.get("set-cookie", "").partition(";")[0]
    form = urlencode({"csrf": token[1].decode(), "user": "root", "password": "admin", "next": ""})
    answer = stack.request(
        *("POST", "/admin/login/", form.encode()),
        Content_Type="application/x-www-form-urlencoded",
        Origin=origin,
        Cookie=cookie,
    )
    assert answer.status == 303, answer
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


@pytest.mark.parametrize("name", [*OURS, *OTHERS, "migrate"])
def test_containers_are_confined(running: Stack, name: str) -> None:
    host = "{{.HostConfig.%s}}"
    ids = running.containers(name, every=True)

    def of(field: str) -> set[str]:
        return set(docker("inspect", f"--format={host % field}", *ids).stdout.splitlines())

    assert of("ReadonlyRootfs") == {"true"}
    assert of("CapDrop") == {"[ALL]"}
    assert of("CapAdd") <= {"[]", "<no value>"}
    assert of("Privileged") == {"false"}
    assert of("SecurityOpt") == {"[no-new-privileges:true]"}
    assert all(2**26 <= int(size) <= 2**31 for size in of("Memory"))
    assert of("LogConfig.Type") == {"json-file"}
    assert of("LogConfig.Config") == {"map[max-file:5 max-size:10m]"}
    assert of("RestartPolicy.Name") == {"on-failure" if name == "migrate" else "unless-stopped"}
    for container in running.containers(name):
        script = (
            "id -u; grep CapEff /proc/1/status; touch /x /etc/x /usr/x 2>&1 | grep -c Read-only"
        )
        uid, capabilities, refused = docker("exec", container, "sh", "-c", script).stdout.split(
            "\n"
        )[:3]
        assert uid != "0"
        assert capabilities.split() == ["CapEff:", "0" * 16]
        assert refused == "3"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root reads the engine's files")
def test_logs_are_rotated(running: Stack) -> None:
    (file,) = map(Path, running.inspect("memcached", "{{.LogPath}}"))
    (container,) = running.containers("memcached")
    flood = "head -c 60000000 /dev/zero | tr '\\0' x | fold -w 10000 > /proc/1/fd/1"
    docker("exec", container, "sh", "-c", flood)
    until(lambda: len(list(file.parent.glob("*-json.log*"))) == 5, seconds=60.0)
    size = sum(log.stat().st_size for log in file.parent.glob("*-json.log*"))
    assert size < 51_000_000


SIGNAL = """
for file in /proc/[0-9]*/comm; do
  read -r name < $file
  [ $name != python ] || kill -%s ${file//[^0-9]/}
done
"""
"""Sends a signal to every Python of a container."""


def test_a_process_that_hangs_is_unhealthy(running: Stack) -> None:
    hung = ("trigger", "scheduler", "functions")
    for name, state in (("STOP", "unhealthy"), ("CONT", "healthy")):
        for service in hung:
            for container in running.containers(service):
                docker("exec", container, "bash", "-c", SIGNAL % name)
        for service in hung:
            running.wait_health(service, state, seconds=PATIENT_SECONDS)


def test_more_triggers(running: Stack) -> None:
    done = running.up(TRIGGERS="3")
    assert done.ok, done.text
    assert len(running.containers("trigger")) == 3
    running.compose("up", "--detach", "--no-build", "--scale", "trigger=4", TRIGGERS="3")
    running.wait_healthy("trigger", "nginx")
    assert len(running.containers("trigger")) == 4
    addresses = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    last = [int(a.rpartition(".")[2]) for s in OURS for a in running.inspect(s, addresses)]
    assert all(number >= 128 for number in last)
    send_one(running)
    running.start()
    assert len(running.containers("trigger")) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="kills processes of containers")
@pytest.mark.parametrize("name", [*OURS, *OTHERS])
def test_nothing_is_lost_when_one_is_killed(running: Stack, name: str) -> None:
    """80 requests within some seconds; the main process dies in the middle and is started again."""
    before, accepted = running.counts(), []
    wanted = [picture for picture in pictures() if "/" not in picture.name]

    def send() -> None:
        for number in range(80):
            picture = wanted[number % len(wanted)]
            time.sleep(0.05)
            try:
                answer = running.post(payload(picture.name, picture.media_type))
            except OSError:  # nginx itself is away
                continue
            if answer.status == 201:
                accepted.append(answer.headers["location"])

    sender = threading.Thread(target=send)
    sender.start()
    until(lambda: len(accepted) >= 10, seconds=PATIENT_SECONDS)
    restarts = sum(map(int, running.inspect(name, "{{.RestartCount}}")))
    for pid in running.inspect(name, "{{.State.Pid}}"):
        os.kill(int(pid), signal.SIGKILL)
    until(lambda: sum(map(int, running.inspect(name, "{{.RestartCount}}"))) > restarts, name)
    join(sender, seconds=PATIENT_SECONDS)
    running.wait_healthy(name, "nginx")
    until(lambda: answers(running), seconds=PATIENT_SECONDS)
    running.wait_synced(before[0] + len(accepted))
    for location in accepted:
        assert running.get(location).document["state"] == "synced"


def answers(stack: Stack) -> bool:
    try:
        return stack.get("/readyz").status == 200
    except OSError:
        return False


def test_an_engine_that_dies_starts_all_again(running: Stack, engine: OwnEngine | None) -> None:
    if engine is None:
        pytest.skip("the machine's own engine is not ours to kill")
    before = running.counts()
    engine.crash()
    engine.start()
    running.wait_healthy(*OURS, *OTHERS)
    assert running.counts() == before
    send_one(running)


CONTRACT = (
    contract.test_a_signed_request_becomes_the_very_file,
    contract.test_of_fifty_identical_requests_at_once_one_is_accepted,
    contract.test_refused_requests_leave_nothing_behind,
    contract.test_a_body_in_chunks_is_a_body,
    contract.test_a_missing_object_is_queued_and_counted_as_not_synced,
    contract.test_everything_is_still_there_after_a_restart,
    contract.test_what_was_accepted_before_a_kill_is_delivered_after_it,
    contract.test_the_first_page_leads_to_the_health_of_the_servers,
)


@pytest.mark.parametrize("test", CONTRACT, ids=lambda test: test.__name__)
def test_the_contract(service: Stack, test: object) -> None:
    test(service)  # type: ignore[operator]


def test_a_setting_that_is_invalid_is_named_and_what_runs_is_left_alone(running: Stack) -> None:
    before = running.containers()
    for variables, said in (
        ({"HOST": "0.0.0.0"}, "ADMIN_PASSWORD"),
        ({"MAX_ATTEMPTS": "many"}, "Invalid setting: MAX_ATTEMPTS: "),
        ({"SCRUB_DAYS": "-1"}, "Invalid setting: SCRUB_DAYS: "),
    ):
        done = running.up(**variables)
        assert not done.ok
        assert said in done.text.strip().splitlines()[-2]
        assert "Traceback" not in done.text
    assert running.containers() == before


def test_on_the_loopback_of_ipv6(running: Stack) -> None:
    if not Path("/proc/net/if_inet6").exists():
        pytest.skip("a machine without IPv6")
    done = running.up(HOST="::1")
    assert done.ok, done.text
    assert f"http://[::1]:{running.port}/sync/" in done.stdout
    connection = http.client.HTTPConnection("::1", running.port, timeout=30)
    connection.request("GET", "/sync/")
    assert connection.getresponse().status == 200
    connection.close()
    running.start()


def test_passwords_that_are_lost_are_noticed_and_replaced(running: Stack) -> None:
    synced_before = synced(running)
    assert running.stop() == 0
    kept = running.folder / "data" / "compose"
    kept.rename(kept.with_name("lost"))
    done = running.up()
    assert not done.ok
    assert "postgres.password is missing" in done.text
    assert running.containers(every=True) == []
    # Others in their place are noticed, too.
    kept.mkdir(exist_ok=True)
    for name in ("postgres", "rabbitmq"):
        (kept / f"{name}.password").write_text("another")
        running.own(kept / f"{name}.password")
    running.own(kept)
    done = running.up()
    assert not done.ok
    assert "password authentication failed" in done.text
    assert "were made with other passwords" in done.text
    (recipe,) = (text for text in blocks(PAGE, "sh") if "change_password" in text)
    done = running.typed("bash", "-euc", recipe.replace(".local", str(running.folder / "data")))
    assert done.ok, done.text
    assert synced(running) == synced_before


def test_removed_with_its_data_it_starts_anew(running: Stack) -> None:
    running.compose("down", "--volumes")
    running.typed("rm", "-rf", str(running.folder / "data"))
    running.start()
    assert running.counts() == (0, 0)
    send_one(running)


def test_data_of_an_earlier_postgresql_is_named(running: Stack) -> None:
    running.compose("down", "--volumes")
    volume = f"{running.name}_postgres"
    labels = {"project": running.name, "volume": "postgres"}
    given = [f"--label=com.docker.compose.{name}={value}" for name, value in labels.items()]
    docker("volume", "create", *given, volume)
    script = "echo 16 > /volume/PG_VERSION && chown -R postgres /volume"
    shell = ("--user=root", "--entrypoint=sh", "postgres:18", "-c", script)
    docker("run", "--rm", f"--volume={volume}:/volume", *shell)
    done = running.up()
    assert not done.ok
    assert "data of another version of PostgreSQL" in done.text
    with pytest.raises(NotInTime):
        until(lambda: answers(running), seconds=1.0)
