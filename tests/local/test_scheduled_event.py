from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from local.schedule_expressions import EVERY_MINUTE
from local.scheduled_event import scheduled_event
from local.template import Schedule
from tests.helpers.events import recorded

EVENT = recorded("schedule")
MOMENT = datetime(2026, 11, 23, 10, 1, tzinfo=UTC)


def schedule(*, scheduler: bool = False, text: str | None = None) -> Schedule:
    return Schedule(
        name="RequeueFunction.EveryMinute",
        handler="functions.requeue.handler.handler",
        seconds=55,
        expression=EVERY_MINUTE,
        scheduler=scheduler,
        text=text,
    )


def test_the_event_of_a_rule_has_the_documented_shape() -> None:
    found = scheduled_event(schedule(), EVENT["id"], MOMENT)
    assert list(found) == list(EVENT)
    differing = {name for name in found if found[name] != EVENT[name]}
    assert differing == {"account", "region", "resources"}
    (rule,) = found["resources"]
    assert rule == "arn:aws:events:local:000000000000:rule/RequeueFunction.EveryMinute"


def test_the_time_is_given_in_utc() -> None:
    moment = MOMENT.astimezone(timezone(timedelta(hours=2)))
    assert scheduled_event(schedule(), "id", moment)["time"] == "2026-11-23T10:01:00Z"


def test_the_event_of_a_scheduler_names_the_scheduler() -> None:
    found = scheduled_event(schedule(scheduler=True), EVENT["id"], MOMENT)
    assert found["source"] == "aws.scheduler"
    assert found["resources"][0].startswith("arn:aws:scheduler:")
    assert found["detail"] == "{}"


def test_an_input_is_the_whole_event() -> None:
    assert scheduled_event(schedule(text='{"depth": [1]}'), "id", MOMENT) == {"depth": [1]}
