from __future__ import annotations

import socket
from pathlib import Path

import pytest

from local.allowed_hosts import AllowedHosts
from local.environment import LocalEnvironment
from local.http.listener import Listener
from shared.errors import SettingError

ELSEWHERE = "192.0.2.1"  # of no machine: RFC 5737


def listener(**variables: str) -> Listener:
    return Listener.of(LocalEnvironment(Path(), variables))


def test_it_has_its_defaults() -> None:
    hosts = AllowedHosts.parse(["127.0.0.1"])
    assert listener() == Listener("127.0.0.1", 27_000, 1, 32, 65_536, hosts)


def test_its_own_address_and_the_listed_names_are_its_hosts() -> None:
    hosts = listener(HOST="0.0.0.0", ALLOWED_HOSTS="sync.example.com, *.example.org").allowed_hosts
    assert hosts.entries == {"0.0.0.0", "sync.example.com", "*.example.org"}
    with pytest.raises(SettingError, match=r"ALLOWED_HOSTS: expected names"):
        listener(ALLOWED_HOSTS="https://sync.example.com")


def test_processes_share_the_threads() -> None:
    two = listener(WORKERS="2")
    assert (two.workers, two.threads) == (2, 16)
    assert listener(WORKERS="64").threads == 1


def test_localhost_is_an_address_too() -> None:
    assert listener(HOST="localhost").host == "127.0.0.1"


@pytest.mark.parametrize("name", ["WORKERS", "THREADS"])
@pytest.mark.parametrize("text", ["0", "-1", "many", "65"])
def test_a_wrong_number_is_named(name: str, text: str) -> None:
    with pytest.raises(SettingError, match=name):
        listener(**{name: text})


@pytest.mark.parametrize("text", ["my-machine", "127.0.0.1:80", "0"])
def test_a_wrong_address_is_named(text: str) -> None:
    with pytest.raises(SettingError, match="HOST"):
        listener(HOST=text)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1"])
def test_a_port_in_use_is_one_clear_line(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as holder:
        holder.bind((host, 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(SettingError, match=f"PORT: .*{port} is in use") as caught:
            listener(HOST=host, PORT=str(port)).require_free()
    assert "\n" not in str(caught.value)


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(SettingError, match=f"HOST: {ELSEWHERE}"):
        listener(HOST=ELSEWHERE).require_free()
