"""A local stand-in for EventBridge: every schedule of the template runs its function.

Each schedule has a thread of its own, so that a function that fails or hangs holds up no other. One
schedule never overlaps with itself, as Lambda's could: the next run is counted from the end of the
one before. A rate begins with a run, so that one of a day is seen in a local run of an hour.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from local.context import EndingContext, request_id
from local.environment import LocalEnvironment
from local.handlers import Handler, imported, prepare
from local.pulses import pulse
from local.schedule_expressions import EVERY_MINUTE, At, Cron, Expression, Rate
from local.scheduled_event import scheduled_event
from local.shutdown import StopFlag
from local.template import Schedule, Template, load
from local.watchdog import watched
from shared import adapters
from shared.config.startup import start
from shared.errors import SettingError, Unavailable
from shared.queue.direct import DirectQueue
from shared.threads import SupervisedThread

logger = logging.getLogger(__name__)

DIRECT_SECONDS = 0.2
"""Seconds between two runs of a schedule that delivers the queue's messages without a broker."""

FAILURE_SECONDS = 1.0
"""Seconds at least after a run that failed by a fault of the function."""

CLOCK_SECONDS = 60.0
"""Seconds after which a thread that waits for a time of day looks at the clock again, which may
have been set, or have gone on while the machine slept."""

PULSE_SECONDS = 60.0
"""Seconds from one run to the next at most, for a schedule that has a pulse."""

STOP_SECONDS = 50.0
"""Seconds that running functions get to finish; `local run` ends the process after 60."""


@dataclass(frozen=True, slots=True)
class Job:
    """A schedule as it runs here.

    Attributes:
        schedule: of the template.
        handler: the function's.
        expression: when it runs; a local run may shorten it.
        pulse: is called after each run.
    """

    schedule: Schedule
    handler: Handler
    expression: Expression
    pulse: Callable[[], None] = lambda: None


class Scheduler:
    """Threads that run jobs until they are told to stop.

    Args:
        jobs: what runs.
        ending: is set by `run` once it is to end; contexts and the direct queue look at it.
        now: the time of day.
    """

    def __init__(
        self,
        jobs: Iterable[Job],
        ending: threading.Event,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._jobs = tuple(jobs)
        self._ending = ending
        self._now = now

    def run(self, stop: StopFlag, stop_seconds: float) -> bool:
        """Run the jobs until `stop` is set, and let running ones finish.

        Args:
            stop: ends it.
            stop_seconds: how long running functions may take to finish.

        Returns:
            Whether all of them finished.
        """
        # A function that hangs must not keep the process: daemons do not.
        threads = [
            SupervisedThread(job.schedule.name, partial(self._repeat, job)) for job in self._jobs
        ]
        for thread in threads:
            thread.start()
        while not stop.wait(CLOCK_SECONDS):
            pass
        self._ending.set()
        deadline = time.monotonic() + stop_seconds
        for thread in threads:
            thread.stop()
            thread.join(max(0.0, deadline - time.monotonic()))
        unfinished = [thread.name for thread in threads if thread.is_alive()]
        for name in unfinished:
            logger.error("scheduled function did not finish", extra={"schedule": name})
        return not unfinished

    def _repeat(self, job: Job) -> None:
        due: datetime | None = self._now()
        if not isinstance(job.expression, Rate):
            due = self._wait_until(job.expression)
        run = _Runs(job, self._ending.is_set)
        while due and not self._ending.is_set():
            pause = 0.0 if run.once(due) else FAILURE_SECONDS
            job.pulse()
            if isinstance(job.expression, Rate):
                self._ending.wait(max(pause, job.expression.seconds))
                due = self._now()
            else:
                due = self._wait_until(job.expression)

    def _wait_until(self, expression: Cron | At) -> datetime | None:
        """Return the time of the next run once it has come; None if none is to come."""
        due = expression.next_after(self._now())
        while due and (left := (due - self._now()).total_seconds()) > 0:
            if self._ending.wait(min(left, CLOCK_SECONDS)):
                return None
        return due


class _Runs:
    """The runs of one job; a server that is unreachable is logged when it goes and when it is back.

    Args:
        job: what runs.
        ending: whether the process is to end.
    """

    def __init__(self, job: Job, ending: Callable[[], bool]) -> None:
        self._job = job
        self._ending = ending
        self._waiting = False

    def once(self, due: datetime) -> bool:
        """Run the function.

        Args:
            due: when the run was due.

        Returns:
            Whether the function itself is without a fault.
        """
        schedule = self._job.schedule
        extra = {"schedule": schedule.name}
        context = EndingContext(schedule.seconds, self._ending)
        try:
            self._job.handler(scheduled_event(schedule, request_id(), due), context)
        except (Unavailable, SettingError) as error:
            if not self._waiting:
                logger.warning("scheduled function waits", extra={**extra, "reason": error})
            self._waiting = True
        except Exception:
            # One run that fails must not end all the later ones.
            logger.exception("scheduled function failed", extra=extra)
            return False
        else:
            if self._waiting:
                logger.info("scheduled function works again", extra=extra)
            self._waiting = False
        return True


def local_expression(schedule: Schedule, minute_seconds: float, *, broker: bool) -> Expression:
    """Return when a schedule runs in a local run.

    ===============================  =================  ==============
    expression                       schedule delivers  runs every
    ===============================  =================  ==============
    any                              without a broker   0.2 s
    any with a local period          no                 local period
    `rate(1 minute)` without one     no                 minute_seconds
    any other                        no                 as on AWS
    ===============================  =================  ==============

    Args:
        schedule: of the template.
        minute_seconds: what replaces a minute, the shortest period that EventBridge has.
        broker: whether there is one.
    """
    if schedule.delivers and not broker:
        return Rate(DIRECT_SECONDS)
    if schedule.local_seconds is not None:
        return Rate(schedule.local_seconds)
    return Rate(minute_seconds) if schedule.expression == EVERY_MINUTE else schedule.expression


def main(
    environment: LocalEnvironment,
    template: Template | None = None,
    stop_seconds: float = STOP_SECONDS,
    pulses: Path | None = None,
) -> None:
    """Run schedules until SIGTERM or SIGINT; functions that run then finish first.

    Args:
        environment: what the user set up.
        template: whose schedules; the project's when not given.
        stop_seconds: how long running functions may take to finish.
        pulses: the folder for `local.pulses`, None for none. Each schedule of every minute or more
            often has a pulse; the others may rest for days, or run for minutes.

    Raises:
        SettingError: a setting or the template is invalid, or a handler is missing.
    """
    stop = StopFlag.on_signals()
    template = template or load()
    settings = start()
    broker = settings.rabbitmq_url is not None
    ending = threading.Event()
    with ExitStack() as stack:
        if not broker:
            stack.enter_context(adapters.without_broker(_direct_queue(template, ending)))
        jobs = []
        for schedule in template.schedules:
            if schedule.setting and not settings.has(schedule.setting):
                continue
            prepare(schedule.handler)
            when = local_expression(schedule, environment.schedule_seconds, broker=broker)
            often = isinstance(when, Rate) and when.seconds <= PULSE_SECONDS
            beat = pulse(pulses if often else None, schedule.name)
            jobs.append(Job(schedule, imported(schedule.handler), when, beat))
            logger.info("scheduled", extra={"schedule": schedule.name, "runs": str(when)})
        if not Scheduler(jobs, ending).run(stop, stop_seconds):
            # A function's own threads would keep the process from ending.
            os._exit(1)


def _direct_queue(template: Template, ending: threading.Event) -> DirectQueue:
    prepare(template.worker)
    worker = watched(imported(template.worker))
    return DirectQueue(
        lambda event: worker(event, EndingContext(template.worker_seconds, ending.is_set)),
        template.batch_size,
        going=lambda: not ending.is_set(),
    )
