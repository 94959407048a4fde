from __future__ import annotations

import pytest

from shared import errors
from shared.sources.s3.refusals import MAX_DOCUMENT_BYTES, code_of, refusal, region_of


def document(code: str) -> bytes:
    return f"<Error><Code>{code}</Code></Error>".encode() if code else b""


@pytest.mark.parametrize(
    ("status", "code", "within_grace", "expected"),
    [
        (403, "AccessDenied", True, errors.ObjectHidden),
        (403, "AccessDenied", False, errors.AccessRefused),
        (403, "", True, errors.ObjectHidden),
        (403, "", False, errors.AccessRefused),
        (401, "", True, errors.ObjectHidden),
        (403, "InvalidAccessKeyId", True, errors.CredentialsRefused),
        (403, "SignatureDoesNotMatch", False, errors.CredentialsRefused),
        (400, "InvalidToken", True, errors.CredentialsRefused),
        (400, "ExpiredToken", True, errors.CredentialsRefused),
        (403, "ExpiredToken", False, errors.CredentialsRefused),
        (400, "TokenRefreshRequired", False, errors.CredentialsRefused),
        (403, "RequestTimeTooSkewed", True, errors.CredentialsRefused),
        (403, "AccountProblem", True, errors.CredentialsRefused),
        (403, "AllAccessDisabled", True, errors.CredentialsRefused),
        (403, "SecondLevelDomainForbidden", True, errors.AddressRefused),
        (403, "SlowDown", True, errors.SourceUnavailable),
        (400, "RequestTimeout", True, errors.SourceUnavailable),
        (404, "NoSuchBucket", True, errors.BucketMissing),
        (404, "NoSuchBucket", False, errors.BucketMissing),
        (404, "NoSuchKey", True, errors.ObjectNotVisible),
        (404, "NoSuchKey", False, errors.ObjectMissing),
        (404, "", True, errors.ObjectNotVisible),
        (404, "", False, errors.ObjectMissing),
        (412, "PreconditionFailed", False, errors.ObjectChanged),
        (416, "InvalidRange", False, errors.ObjectChanged),
        (301, "PermanentRedirect", False, errors.SourceUnavailable),
        (302, "", False, errors.SourceUnavailable),
        (307, "TemporaryRedirect", False, errors.SourceUnavailable),
        (408, "", False, errors.SourceUnavailable),
        (429, "", False, errors.SourceUnavailable),
        (500, "InternalError", False, errors.SourceUnavailable),
        (503, "SlowDown", False, errors.SourceUnavailable),
        (503, "", False, errors.SourceUnavailable),
        (418, "", False, errors.SourceUnavailable),
    ],
)
def test_each_refusal_has_its_error(
    *, status: int, code: str, within_grace: bool, expected: type[errors.TransferError]
) -> None:
    error = refusal(status, document(code), within_grace=within_grace)
    assert type(error) is expected
    assert str(status) in str(error)
    assert code in str(error)


def test_access_refused_names_the_right_that_is_missing() -> None:
    shown = str(refusal(403, document("AccessDenied"), within_grace=False))
    assert "s3:GetObject" in shown
    assert "s3:ListBucket" in shown


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", ""),
        (b"<html>nothing</html>", ""),
        (b"<Code> NoSuchKey </Code>", "NoSuchKey"),
        (b"<Code>" + b"A" * 65 + b"</Code>", ""),
        (b"<Code><script></Code>", ""),
        (b" " * MAX_DOCUMENT_BYTES + b"<Code>Late</Code>", ""),
    ],
)
def test_a_code_is_read_only_where_it_is_one(body: bytes, code: str) -> None:
    assert code_of(body) == code


@pytest.mark.parametrize(
    ("status", "headers", "body", "region"),
    [
        (301, {"x-amz-bucket-region": "eu-west-1"}, b"", "eu-west-1"),
        (307, {"x-amz-bucket-region": "eu-west-1"}, b"", "eu-west-1"),
        (
            400,
            {},
            b"<Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region>",
            "eu-west-3",
        ),
        (400, {"x-amz-bucket-region": "eu-west-1"}, b"<Code>Other</Code>", None),
        (301, {}, b"", None),
        (301, {"x-amz-bucket-region": "evil.example/"}, b"", None),
        (403, {"x-amz-bucket-region": "eu-west-1"}, b"", None),
    ],
)
def test_a_region_is_learnt_from_s3s_own_words_only(
    status: int, headers: dict[str, str], body: bytes, region: str | None
) -> None:
    assert region_of(status, headers, body) == region
