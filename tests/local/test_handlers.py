from __future__ import annotations

import pytest

from local.handlers import imported, joint
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


def test_what_answers_several_at_once_is_found_by_the_route() -> None:
    routes = {(route.method, route.path): route.handler for route in load().routes}
    found = {route for route, name in routes.items() if joint(name, route[1])}
    assert found == {(m, path) for m in ("GET", "POST") for path in ("/sync", "/sync/{proxy+}")}
    # Each request for the health waits for servers that may be away.
    assert joint(routes["ANY", "$default"], "$default") is None
