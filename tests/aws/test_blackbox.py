"""The black-box suite once more, over the packages that are deployed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.servers.sample_pictures import pictures
from tests.aws.cloud import Cloud
from tests.aws.conftest import Deployment
from tests.blackbox.test_service import (  # noqa: F401 - collected here
    test_a_body_in_chunks_is_a_body,
    test_a_missing_object_is_queued_and_counted_as_not_synced,
    test_a_signed_request_becomes_the_very_file,
    test_everything_is_still_there_after_a_restart,
    test_of_fifty_identical_requests_at_once_one_is_accepted,
    test_refused_requests_leave_nothing_behind,
    test_the_first_page_leads_to_the_health_of_the_servers,
    test_what_was_accepted_before_a_kill_is_delivered_after_it,
)
from tests.helpers.servers import free_port

CHANGES = {
    "DELIVERY_SECONDS": "5",
    "LEASE_SECONDS": "5",
    "RATE_LIMIT_GET": "off",
    "RATE_LIMIT_POST": "off",
}


QUEUES = [{"Queue": "rabbitmq"}, {"Queue": "sqs"}]
pytestmark = pytest.mark.parametrize("deployment", QUEUES, ids=["rabbitmq", "sqs"], indirect=True)


@pytest.fixture
def service(migrated: Deployment) -> Iterator[Cloud]:
    for picture in pictures():
        migrated.put(picture.name, picture.content)
    cloud = Cloud(migrated, free_port(), CHANGES)
    cloud.start()
    yield cloud
    cloud.stop()
    assert "Traceback" not in cloud.log
