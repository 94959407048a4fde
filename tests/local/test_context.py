from __future__ import annotations

import os
import uuid

from local.context import Context, request_id


def test_the_time_that_is_left_runs_down_to_zero() -> None:
    now = 100.0
    context = Context(10.0, clock=lambda: now)

    assert context.get_remaining_time_in_millis() == 10_000
    now = 104.5
    assert context.get_remaining_time_in_millis() == 5_500
    now = 200.0
    assert context.get_remaining_time_in_millis() == 0


def test_ids_are_uuids_of_version_4_and_differ() -> None:
    ids = {request_id() for _ in range(1_000)}

    assert len(ids) == 1_000
    for each in ids:
        parsed = uuid.UUID(each)
        assert str(parsed) == each
        assert parsed.version == 4
        assert parsed.variant == uuid.RFC_4122


def test_an_id_that_is_given_is_kept() -> None:
    assert Context(1.0, "mine").aws_request_id == "mine"
    assert Context(1.0).aws_request_id != Context(1.0).aws_request_id


def test_processes_that_share_their_beginning_make_different_ids() -> None:
    read, write = os.pipe()
    children = []
    for _ in range(2):
        child = os.fork()
        if not child:
            os.write(write, f"{request_id()}\n".encode())
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as lines:
        first, second = lines
    assert first != second
