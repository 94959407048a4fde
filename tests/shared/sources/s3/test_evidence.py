from __future__ import annotations

import pytest

from shared.sources.s3.evidence import Evidence, described, is_refusal, of_object

AWS = {
    "x-amz-id-2": "eftixk72aD6Ap51TnqcoF8eFidJG9Z/2",
    "x-amz-request-id": "318BC8BC148832E5",
    "etag": '"398533d48111e9f664b1f64cb10c4b63"',
    "server": "AmazonS3",
}
GOOGLE = {"x-guploader-uploadid": "AHxI1nM", "etag": '"398533d4"', "server": "UploadServer"}
OSS = {"x-oss-request-id": "559CC9BDC755F95A64485981", "etag": '"398533D48111E9F664B1F64CB10C4B63"'}
RCLONE = {"x-amz-request-id": "0074AA9B481EBFF1", "etag": '""', "server": "AmazonS3"}
MOTO = {"x-amzn-requestid": "YH6dhS9zf6x2", "etag": '"398533d4"', "server": "Werkzeug"}
R2 = {"cf-ray": "8a1b2c3d4e5f-FRA", "etag": '"398533d4"', "server": "cloudflare"}
NGINX = {"etag": '"6b0b2179-3e8"', "content-type": "image/jpeg", "server": "nginx"}
START_PAGE = {**NGINX, "content-type": "text/html"}
EXPRESS = {"etag": 'W/"17-abcDEF"', "content-type": "application/json; charset=utf-8"}
CONSOLE = {"content-type": "text/html", "server": "MinIO Console", "accept-ranges": "bytes"}
PORTAL = {"content-type": "text/html; charset=utf-8", "cache-control": "no-store"}
CLOUDFRONT = {"content-type": "text/html", "x-amz-cf-id": "abc", "x-amz-cf-pop": "FRA50"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (AWS, Evidence.STORE),
        ({**AWS, "content-type": "text/html"}, Evidence.STORE),
        (GOOGLE, Evidence.STORE),
        (OSS, Evidence.STORE),
        (RCLONE, Evidence.STORE),
        ({"x-amz-request-id": "18EC49E282FCE049"}, Evidence.STORE),
        (MOTO, Evidence.STORE),
        (R2, Evidence.STORE),
        (NGINX, Evidence.STORE),
        (START_PAGE, Evidence.DOUBTFUL),
        ({**START_PAGE, "content-type": "Text/HTML;charset=x"}, Evidence.DOUBTFUL),
        ({**MOTO, "content-type": "application/xhtml+xml"}, Evidence.DOUBTFUL),
        (EXPRESS, Evidence.DOUBTFUL),
        ({**NGINX, "content-type": "text/plain"}, Evidence.DOUBTFUL),
        ({**AWS, "content-type": "application/json"}, Evidence.STORE),
        (CONSOLE, Evidence.NONE),
        (PORTAL, Evidence.NONE),
        (CLOUDFRONT, Evidence.NONE),
        ({"x-amzn-requestid": "api-gateway", "x-amz-apigw-id": "x"}, Evidence.NONE),
        ({"content-type": "application/json"}, Evidence.NONE),
        ({"last-modified": "Sat, 28 Nov 2026 18:46:17 GMT", "content-length": "5"}, Evidence.NONE),
        ({}, Evidence.NONE),
    ],
)
def test_what_is_stored_must_come_from_an_object_store(
    headers: dict[str, str], expected: Evidence
) -> None:
    assert of_object(headers) is expected


NO_SUCH_KEY = b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>"
PAGE = b"<html><head><title>404 Not Found</title></head><center>nginx</center></html>"


@pytest.mark.parametrize(
    ("status", "headers", "document", "expected"),
    [
        (404, {}, NO_SUCH_KEY, True),
        (404, {"x-amz-request-id": "318B"}, b"", True),
        (404, {"content-type": "text/html"}, PAGE, False),
        (404, {}, b"", False),
        (403, {}, b"<html>Blocked by the filter <Code>12</Code></html>", False),
        (403, {}, b'<Error xmlns="x">\n <Code>AccessDenied</Code></Error>', True),
        (400, {}, b"<html>The plain HTTP request was sent to HTTPS port</html>", False),
        (401, {"www-authenticate": "Basic"}, b"", False),
        (412, {}, PAGE, True),
        (416, {}, PAGE, True),
        (429, {}, PAGE, True),
        (302, {}, PAGE, True),
        (502, {}, PAGE, True),
    ],
)
def test_a_refusal_counts_only_where_the_store_itself_gives_it(
    status: int, headers: dict[str, str], document: bytes, expected: bool
) -> None:
    assert is_refusal(status, headers, document) is expected


def test_a_server_is_described_by_what_a_person_knows_it_by() -> None:
    assert described(200, CONSOLE) == "200, text/html, MinIO Console"
    assert described(404, {}) == "404"
    assert described(200, {"server": "a\x1b[31mb" + "c" * 100}) == "200, a[31mb" + "c" * 53
