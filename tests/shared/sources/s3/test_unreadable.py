from __future__ import annotations

import pytest

from shared.sources.s3.unreadable import MOST_SHOWN, message_of, unreadable

SSE_C = (
    "The object was stored using a form of Server Side Encryption. The correct parameters must be"
    " provided to retrieve the object."
)


def document(code: str, message: str = "", extra: str = "") -> bytes:
    return f"<Error><Code>{code}</Code><Message>{message}</Message>{extra}</Error>".encode()


@pytest.mark.parametrize(
    ("status", "code", "message", "cause"),
    [
        (400, "InvalidRequest", SSE_C, "SSE-C"),
        (400, "InvalidRequest", "Bad digest of the moon", ""),
        (403, "InvalidObjectState", "The operation is not valid for the storage class", "archived"),
        (400, "KMS.DisabledException", "arn:aws:kms:eu:1:key/2 is disabled.", "KMS key"),
        (400, "KMS.NotFoundException", "Invalid arn", "KMS key"),
        (400, "KMS.KMSInvalidStateException", "arn is pending deletion.", "KMS key"),
        (403, "AccessDenied", "User x is not authorized to perform: kms:Decrypt", "KMS key"),
        (403, "AccessDenied", "The ciphertext refers to a customer master key that", "KMS key"),
    ],
)
def test_what_no_attempt_can_read_is_given_up_with_the_stores_message(
    status: int, code: str, message: str, cause: str
) -> None:
    error = unreadable(status, document(code, message))
    assert error is not None
    assert cause in str(error)
    assert message in str(error)
    assert str(error).endswith(f"({status} {code})")


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (403, "AccessDenied", "Access Denied"),
        (404, "NoSuchKey", "The specified key does not exist."),
        (400, "ExpiredToken", "The provided token has expired."),
        (400, "KMS.ThrottlingException", "The rate at which you may call KMS is exceeded"),
        (503, "KMS.KMSInternalException", ""),
        (500, "InternalError", "encrypted"),
        (503, "InvalidRequest", ""),
    ],
)
def test_other_refusals_are_left_to_others(status: int, code: str, message: str) -> None:
    assert unreadable(status, document(code, message)) is None


def test_an_archived_object_may_have_no_message() -> None:
    error = unreadable(403, b"<Error><Code>InvalidObjectState</Code></Error>")
    assert error is not None
    assert error.about == "it is archived and must be restored first (403 InvalidObjectState)"


def test_a_message_is_one_line_of_plain_text() -> None:
    assert message_of(document("A", "a &lt;b&gt;\n  c\x1b[0m")) == "a <b> c[0m"
    assert len(message_of(document("A", "x" * 1000))) == MOST_SHOWN
    assert message_of(b"") == ""
