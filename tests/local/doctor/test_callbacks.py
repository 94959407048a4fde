"""What the doctor finds of the receiver of callbacks."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from local.doctor.callbacks import examine
from local.doctor.finding import Level
from shared.config.settings import Settings
from tests.helpers.servers import free_port

SECRET = "whsec_" + "A" * 32


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def levels(settings: Settings) -> list[tuple[Level, str]]:
    return [(finding.level, finding.detail) for finding in examine(settings, 4.0)]


def test_nothing_is_said_without_a_receiver() -> None:
    assert levels(Settings(callback_secret=SECRET)) == []


def test_a_receiver_that_answers_is_fine_and_a_missing_secret_is_not(port: int) -> None:
    url = f"http://127.0.0.1:{port}/hook"
    fine = [(Level.OK, "127.0.0.1 answers")]
    assert levels(Settings(callback_url=url, callback_secret=SECRET)) == fine
    assert levels(Settings(callback_url=url)) == [
        (Level.PROBLEM, "CALLBACK_URL is set without CALLBACK_SECRET"),
        *fine,
    ]


def test_a_receiver_that_is_down_is_a_problem() -> None:
    down = Settings(callback_url=f"http://127.0.0.1:{free_port()}/", callback_secret=SECRET)
    ((level, detail),) = levels(down)
    assert (level, "refused" in detail) == (Level.PROBLEM, True)


def test_an_unencrypted_receiver_elsewhere_is_a_warning() -> None:
    # A name of RFC 2606 that never resolves.
    found = levels(Settings(callback_url="http://hooks.invalid/", callback_secret=SECRET))
    assert [level for level, _ in found] == [Level.WARNING, Level.PROBLEM]
