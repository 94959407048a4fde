from __future__ import annotations

import json
import subprocess

from functions.admin.dashboard.first_request import BODY, first_request
from shared.http.event import Request
from shared.http.signing import sign

KEY = b"a key"


def request(host: str) -> Request:
    return Request("GET", "/admin/", {}, {"host": host}, {}, b"", "", "r")


def shell(*commands: str, **variables: str) -> str:
    """Return what a shell would call, with `curl` and `aws` printing their arguments."""
    script = "\n".join(['curl() { printf "%s\\n" "$@"; }', "aws() { curl aws; }", *commands])
    run = subprocess.run(
        ["bash", "-euc", script], env={"PATH": "/usr/bin:/bin", **variables}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    return run.stdout


def test_on_a_local_run_the_request_is_signed_already() -> None:
    commands = first_request(
        request("localhost:27000"), secure=False, key=KEY, s3_url="http://localhost:27006",
        bucket="uploads",
    )  # fmt: skip
    lines = shell(*commands).splitlines()
    assert lines[:3] == ["-T", "photo.jpg", "http://localhost:27006/uploads/photo.jpg"]
    assert "http://localhost:27000/sync/" in lines
    assert f"Authorization: {sign(KEY, BODY.encode())}" in lines
    assert lines[-2:] == ["-d", BODY]
    assert json.loads(BODY)["file_name"] == "photo.jpg"


def test_elsewhere_the_shell_signs_it_and_no_key_is_shown() -> None:
    commands = first_request(
        request("files.example"), secure=True, key=None, s3_url=None, bucket=None
    )
    lines = shell(*commands, SECRET_KEY=KEY.decode()).splitlines()
    assert "https://files.example/sync/" in lines
    assert f"Authorization: {sign(KEY, BODY.encode())}" in lines
    assert KEY.decode() not in "".join(commands)


def test_a_host_cannot_add_a_command() -> None:
    commands = first_request(
        request("x;touch /tmp/run'$(id)"), secure=False, key=KEY, s3_url=None, bucket=None
    )
    assert "http://x;touch /tmp/run'$(id)/sync/" in shell(*commands).splitlines()
