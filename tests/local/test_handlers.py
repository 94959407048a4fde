from __future__ import annotations

import pytest

from local.handlers import imported
from local.template import load
from shared.errors import SettingError


def test_every_handler_of_the_template_is_there() -> None:
    template = load()
    names = {template.worker, *(route.handler for route in template.routes)}
    names |= {schedule.handler for schedule in template.schedules}
    assert len(names) > 3
    for name in names:
        assert callable(imported(name))


@pytest.mark.parametrize(
    "name", ["functions.none.handler", "functions.ingest.handler.none", "handler"]
)
def test_a_missing_handler_is_named(name: str) -> None:
    with pytest.raises(SettingError, match=name):
        imported(name)
