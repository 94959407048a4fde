from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.servers import free_port
from tests.helpers.service import Service


@pytest.fixture(params=["embedded", "servers"])
def variables(request: pytest.FixtureRequest) -> dict[str, str]:
    """What a service is told: nothing, or where the real servers are."""
    if request.param == "embedded":
        # A killed worker's objects are taken up again after its lease.
        return {"S3_PORT": str(free_port()), "LEASE_SECONDS": "10"}
    address = request.getfixturevalue("memcached_address")
    return {
        "DATABASE_URL": request.getfixturevalue("database_url"),
        "DATABASE_ROLES": "1",
        "RABBITMQ_URL": request.getfixturevalue("rabbitmq_url"),
        "MEMCACHED_URL": f"{address[0]}:{address[1]}",
        "S3_PORT": str(free_port()),
        "SCHEDULE_SECONDS": "1",
        "DELIVERY_SECONDS": "5",
    }


@pytest.fixture
def service(tmp_path: Path, variables: dict[str, str]) -> Iterator[Service]:
    """A running service of the test's own."""
    service = Service(tmp_path, free_port(), variables)
    service.start()
    yield service
    assert service.stop() == 0, service.log
    assert "Traceback" not in service.log
