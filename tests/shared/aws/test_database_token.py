"""Tokens for Amazon RDS, compared with those of botocore."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import parse_qs

import botocore.session
import pytest

from shared.aws.credentials import Credentials
from shared.aws.database_token import database_token


@pytest.mark.parametrize("token", [None, "session/token+with=signs"])
@pytest.mark.parametrize("user", ["sync_ingest", "jane doe+é"])
def test_a_token_is_the_one_that_botocore_makes(user: str, token: str | None) -> None:
    session = botocore.session.get_session()
    session.set_credentials("AKIDEXAMPLE", "hushhush", token)
    client = session.create_client("rds", region_name="eu-west-1")
    theirs = client.generate_db_auth_token("db.test", 5432, user)
    [stamp] = parse_qs(theirs)["X-Amz-Date"]
    ours = database_token(
        Credentials("AKIDEXAMPLE", "hushhush", token),
        "db.test",
        "5432",
        user,
        region="eu-west-1",
        now=datetime.strptime(stamp, "%Y%m%dT%H%M%S%z"),
    )

    def parts(text: str) -> tuple[str, list[str]]:
        place, _, rest = text.partition("?")
        return place, sorted(rest.split("&"))

    assert parts(ours) == parts(theirs)
