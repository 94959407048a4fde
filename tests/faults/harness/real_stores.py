"""Real object stores, each with one bucket of files: what other tools bring, this must bring."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench import objects
from bench.objects import BUCKET, ObjectServer
from local.servers.ports import answers, free_port
from local.servers.process import Command, Process
from shared.aws.s3 import s3_client
from shared.config.settings import Settings
from tests.helpers.moto_server import MotoServer

READY_SECONDS = 60.0


def wheel_program(name: str) -> Path:
    """Return a program that comes with requirements/bench.txt; skip the test without it."""
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        pytest.skip(f"not installed: {name}, of requirements/bench.txt")
    return path


def client(server: ObjectServer, folder: Path) -> Any:
    """Return boto3's client of a store."""
    return s3_client(Settings.from_mapping(server.variables(folder)))


@contextmanager
def rclone(folder: Path, files: Mapping[str, bytes]) -> Iterator[ObjectServer]:
    """Serve files by `rclone serve s3`."""
    program, home = wheel_program("rclone"), folder / "rclone"
    home.mkdir()
    _write(home / "data", files)
    server = ObjectServer("rclone", free_port(), "accesskey12", "secretkey12")
    command = [str(program), "serve", "s3", "--addr", f"127.0.0.1:{server.port}"]
    command += ["--auth-key", f"{server.access_key},{server.secret_key}"]
    command += ["--config", str(home / "none.conf"), str(home / "data")]
    process = Process("rclone", home)
    process.start(Command(command, {"PATH": os.defpath, "HOME": str(home)}), server.port)
    try:
        process.wait_until(lambda: answers(server.port, b"", b""), READY_SECONDS)
        yield server
    finally:
        process.stop()


@contextmanager
def nginx(folder: Path, files: Mapping[str, bytes], directives: str = "") -> Iterator[ObjectServer]:
    """Serve files by nginx, as a benchmark does."""
    _write(folder / "files", files)
    with objects.nginx(folder, folder / "files", directives) as server:
        yield server


@contextmanager
def seaweedfs(
    folder: Path, files: Mapping[str, bytes], notification: str = ""
) -> Iterator[ObjectServer]:
    """Serve objects by SeaweedFS, some of them copied there as boto3 copies large ones."""
    wheel_program("weed")
    with objects.seaweedfs(folder, notification) as server:
        s3 = client(server, folder)
        _put(s3, files)
        _copy(s3, files)
        yield server


@contextmanager
def moto(folder: Path, files: Mapping[str, bytes]) -> Iterator[ObjectServer]:
    """Serve objects by moto, some of them copied there as boto3 copies large ones."""
    server = ObjectServer("moto", free_port(), "AKIDEXAMPLE", "hushhush")
    process = MotoServer(folder / "moto", server.port)
    process.start()
    try:
        process.wait_ready()
        s3 = client(server, folder)
        s3.create_bucket(Bucket=BUCKET)
        _put(s3, files)
        _copy(s3, files)
        yield server
    finally:
        process.stop()


RealStore = Callable[[Path, Mapping[str, bytes]], AbstractContextManager[ObjectServer]]

STORES: Mapping[str, RealStore] = {
    "rclone": rclone,
    "nginx": nginx,
    "SeaweedFS": seaweedfs,
    "moto": moto,
}

COPIED = "copied/"
"""Begins the keys of objects that the store has copied from others."""


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for key, body in files.items():
        path = folder / BUCKET / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)


def _put(s3: Any, files: Mapping[str, bytes]) -> None:
    for key, body in files.items():
        encoded = {"ContentEncoding": "gzip"} if key.endswith(".gz") else {}
        s3.put_object(Bucket=BUCKET, Key=key, Body=body, **encoded)


def _copy(s3: Any, files: Mapping[str, bytes]) -> None:
    for key in files:
        s3.copy({"Bucket": BUCKET, "Key": key}, BUCKET, COPIED + key)
