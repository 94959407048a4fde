from __future__ import annotations

import pytest

from shared.aws.credentials import Credentials
from shared.config.settings import Settings
from shared.sources.s3.location import Location, SignedUrl
from shared.sources.s3.refusals import STYLE_CODES
from shared.sources.s3.remedies import CREDENTIAL_CODES, Kind, remedy_for
from tests.helpers.s3_server import Answer, error

TARGET = SignedUrl("https://s3.example/bucket/key", "eu-west-1", Credentials("key", "secret", None))
ELSEWHERE = "<Region>us-west-2</Region>"
SAID = "<Message>{}</Message>".format


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        *((error(403, code), Kind.CREDENTIALS) for code in sorted(CREDENTIAL_CODES)),
        (error(400, "ExpiredToken"), Kind.CREDENTIALS),
        *((error(403, code), Kind.STYLE) for code in sorted(STYLE_CODES)),
        (error(405, "New", SAID("Virtual host domain is required")), Kind.STYLE),
        (error(403, "New", SAID("must be addressed using a virtual-styled domain")), Kind.STYLE),
        (error(301, "PermanentRedirect", x_amz_bucket_region="us-west-2"), Kind.REGION),
        (error(400, "AuthorizationHeaderMalformed", ELSEWHERE), Kind.REGION),
        (error(301, "PermanentRedirect", x_amz_bucket_region="eu-west-1"), None),
        (error(403, "AccessDenied", SAID("no virtual machine may read it")), None),
        (error(403, "AccessDenied"), None),
        (error(404, "NoSuchKey"), None),
        (error(503, "SlowDown"), None),
        (error(403), None),
    ],
)
def test_what_a_refusal_asks_to_be_changed(answer: Answer, expected: Kind | None) -> None:
    location = Location(Settings.from_mapping({"AWS_S3_BUCKET_NAME": "bucket"}))
    remedy = remedy_for(location, TARGET, answer.status, answer.headers, answer.body)
    assert (remedy and remedy.kind) == expected
