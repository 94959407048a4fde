from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from shared.config.settings import Settings
from shared.domain import Fetched
from shared.errors import ContentMismatch, OutOfTime, SourceUnavailable, StorageFull
from shared.sources.s3.control import Controls
from shared.sources.s3.job import Job
from shared.sources.s3.location import Location
from shared.sources.s3.resources import Resources, SpareConnections
from shared.sources.s3.transport import Transport

SECONDS = 30
FETCHED = Fetched(1, bytes(32), None, "size")


@pytest.fixture
def resources() -> Iterator[Resources]:
    location = Location(Settings.from_mapping({"AWS_S3_BUCKET_NAME": "bucket"}))
    transport = Transport(1, 60)
    resources = Resources(location, transport, Controls(transport))
    yield resources
    resources.close()


class Ended:
    """Notes on which threads a job was told to end."""

    def __init__(self, resources: Resources) -> None:
        self.threads: list[str] = []
        self.once = threading.Event()
        self.job = Job(resources, 17, self)

    def __call__(self) -> None:
        self.threads.append(threading.current_thread().name)
        self.once.set()


def do(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def nothing() -> None:
    pass


def test_the_first_error_counts_and_ends_the_job_on_the_transports_thread(
    resources: Resources,
) -> None:
    ended = Ended(resources)
    ended.job.fail(OutOfTime("first"))
    ended.job.fail(ContentMismatch("second"))
    assert ended.once.wait(SECONDS)
    assert str(ended.job.failure).endswith("first")
    assert not ended.job.going
    assert ended.threads == ["transport"]


def test_a_job_with_its_object_goes_on_no_more(resources: Resources) -> None:
    ended = Ended(resources)
    before = ended.job.going
    ended.job.succeed(FETCHED)
    assert (before, ended.job.going) == (True, False)
    assert (ended.job.fetched, ended.job.failure) == (FETCHED, None)


def test_work_is_done_on_the_pool_and_followed_up_on_the_transport(resources: Resources) -> None:
    job, threads, over = Ended(resources).job, [], threading.Event()

    def work() -> None:
        threads.append(threading.current_thread().name)
        assert not job.idle

    def then() -> None:
        threads.append(threading.current_thread().name)
        over.set()

    job.run(work, then)
    assert over.wait(SECONDS)
    assert threads[0].startswith("digest")
    assert threads[1] == "transport"
    assert job.idle
    assert job.going


@pytest.mark.parametrize("where", ["work", "then", "later", "block"])
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ContentMismatch("x"), ContentMismatch),
        (OSError(errno.ENOSPC, ""), StorageFull),
        (ZeroDivisionError(), SourceUnavailable),
    ],
)
def test_an_error_wherever_it_comes_from_ends_the_job(
    where: str,
    error: Exception,
    expected: type[Exception],
    resources: Resources,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended = Ended(resources)
    if where == "work":
        ended.job.run(do(error), nothing)
    elif where == "then":
        ended.job.run(nothing, do(error))
    elif where == "later":
        ended.job.later(do(error))
    else:
        with ended.job.failing():
            raise error
    assert ended.once.wait(SECONDS)
    assert type(ended.job.failure) is expected
    faults = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(faults) == (expected is SourceUnavailable)
    assert all(record.__dict__["row_id"] == 17 for record in faults)


def test_what_is_meant_to_end_the_process_is_not_held_up(resources: Resources) -> None:
    with pytest.raises(KeyboardInterrupt), Ended(resources).job.failing():
        raise KeyboardInterrupt


def test_connections_are_borrowed_as_long_as_there_are_some() -> None:
    spare = SpareConnections(2)
    assert [spare.borrow() for _ in range(3)] == [True, True, False]
    spare.give_back()
    assert [spare.borrow() for _ in range(2)] == [True, False]
