"""Where objects come from: the bucket and the permissions on it, or NASA's server."""

from __future__ import annotations

from collections.abc import Iterator

from local.doctor.finding import Finding, ok, problem, skipped
from local.doctor.ledger import clock
from shared import adapters
from shared.aws.s3_inspection import Request, inspect
from shared.config.settings import Settings
from shared.errors import ServiceError

CLOCK_SECONDS = 60.0
"""S3 refuses signatures that are 15 minutes old (RequestTimeTooSkewed)."""

_CREDENTIALS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken")


def examine(settings: Settings, seconds: float, *, required: bool = True) -> Iterator[Finding]:
    """Yield the findings about the source.

    Args:
        settings: the source's.
        seconds: time limit for a source that is only checked for an answer.
        required: whether a bucket must be set.
    """
    if settings.source != "s3":
        yield from _answering(settings, seconds)
        return
    if settings.bucket is None:
        detail = "AWS_S3_BUCKET_NAME is not set"
        yield problem("S3", detail, "set it") if required else skipped("S3", detail)
        return
    try:
        found = inspect(settings)
    except ServiceError as error:
        yield problem(
            "S3", str(error), "check AWS_ENDPOINT_URL_S3, the network, the proxy and the keys"
        )
        return
    yield ok("S3", "reachable")
    for request in found.requests:
        yield _judged(request, settings.bucket)
    if found.clock_seconds is None:
        yield skipped("clock of S3", "the server sends no date")
    else:
        yield clock("clock of S3", found.clock_seconds, CLOCK_SECONDS)


def _answering(settings: Settings, seconds: float) -> Iterator[Finding]:
    asked = adapters.source_probe(settings, seconds)
    if asked is None:
        return
    try:
        asked.ask()
    except ServiceError as error:
        yield problem(asked.name, str(error), "check the source's URL and the network")
    else:
        yield ok(asked.name, "reachable")


def _judged(request: Request, bucket: str) -> Finding:
    check = f"S3 permission {request.name}"
    if request.granted is None:
        return skipped(check, request.about)
    if request.granted:
        return ok(check, "granted")
    if "NoSuchBucket" in request.about or (request.name == "HeadBucket" and request.status == 404):  # noqa: PLR2004
        return problem(check, f"{request.about}: {bucket}", "correct AWS_S3_BUCKET_NAME")
    if any(code in request.about for code in _CREDENTIALS):
        return problem(
            check,
            request.about,
            "correct AWS_S3_ACCESS_KEY_ID and AWS_S3_SECRET_ACCESS_KEY",
        )
    if request.name == "GetObject":
        return problem(
            check, request.about, f"allow s3:GetObject on arn:aws:s3:::{bucket}/* for these keys"
        )
    if request.status in {301, 307, 400}:
        return problem(check, request.about, "correct AWS_S3_REGION_NAME")
    return problem(
        check, request.about, f"allow s3:ListBucket on arn:aws:s3:::{bucket} for these keys"
    )
