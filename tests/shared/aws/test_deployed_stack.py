from __future__ import annotations

import pytest

from shared.aws.deployed_stack import DeployedStack
from shared.errors import SettingError
from tests.helpers.receiver import Reply, receiver

CREATING = b"""<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">
<DescribeStacksResult><Stacks><member>
<StackName>sync</StackName><CreationTime>2026-01-01T00:00:00Z</CreationTime>
<StackStatus>CREATE_IN_PROGRESS</StackStatus>
</member></Stacks></DescribeStacksResult></DescribeStacksResponse>"""


def test_a_stack_that_is_being_created_has_no_outputs_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with receiver(lambda _: Reply(200, {"Content-Type": "text/xml"}, CREATING)) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", aws.url)
        with pytest.raises(SettingError) as raised:
            _ = DeployedStack("sync").outputs
    assert raised.value.about == (
        "stack sync has no output ApiUrl; its status is CREATE_IN_PROGRESS: "
        "has its deployment finished?"
    )
