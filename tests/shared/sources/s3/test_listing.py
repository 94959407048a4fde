"""Listing against moto's S3, and against a server that misbehaves."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from shared import errors
from shared.aws.s3 import s3_client
from shared.config.settings import Settings
from shared.sources.s3.listing import S3Listing
from tests.helpers.bucket_rule import BucketRule, Listed
from tests.helpers.s3_server import Answer, Asked, FaultyServer, error
from tests.helpers.waiting import until

NewListing = Callable[..., S3Listing]
LOGIN_PAGE = Answer(200, {"Content-Type": "text/html"}, b"<html>Log in</html>")
BLOCKED = Answer(403, {"x-amz-request-id": ""}, b"<html>Blocked</html>")
CUT_SHORT = Answer(
    200, headers={"Content-Length": "9999"}, send=lambda wire, _: wire.send(b"<?xml")
)
NOTHING = Answer(200)
ODD = ["a b+c%20d&e=f?g#h", "ü/日本語/🙂.jpg", "!*'();:@$,[]{}|^~`\"<>", "a%2Fb", "...", "a\tb\x01"]


def settings(endpoint: str, bucket: str = "bucket", **more: str) -> Settings:
    return Settings.from_mapping(
        {
            "AWS_S3_BUCKET_NAME": bucket,
            "AWS_S3_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_S3_SECRET_ACCESS_KEY": "hushhush",
            "AWS_S3_REGION_NAME": "us-east-1",
            "AWS_ENDPOINT_URL_S3": endpoint,
            "SOURCE_STALL_SECONDS": "1",
            **more,
        }
    )


@pytest.fixture
def listing() -> Iterator[NewListing]:
    made: list[S3Listing] = []

    def new(endpoint: str, **more: str) -> S3Listing:
        made.append(S3Listing(settings(endpoint, **more), sleep=lambda _: None))
        return made[-1]

    yield new
    for one in made:
        one.close()


def keys(listing: S3Listing, prefix: str = "", after: str | None = None) -> list[str]:
    found: list[str] = []
    page = listing.page(prefix, None, after)
    while True:
        found += [one.key for one in page.objects]
        if page.token is None:
            return found
        page = listing.page(prefix, page.token)


def test_a_bucket_is_listed_as_its_own_client_sees_it(
    s3_endpoint: str, listing: NewListing
) -> None:
    bucket = f"test-{uuid.uuid4().hex}"
    client: Any = s3_client(settings(s3_endpoint, bucket))
    client.create_bucket(Bucket=bucket)
    for key in ODD[:-1]:
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    ours = listing(s3_endpoint, bucket=bucket)
    page = ours.page("")
    theirs = client.list_objects_v2(Bucket=bucket)["Contents"]
    assert [(one.key, one.size, f'"{one.etag}"', one.modified) for one in page.objects] == [
        (one["Key"], one["Size"], one["ETag"], one["LastModified"]) for one in theirs
    ]
    assert keys(ours, "a") == ["a b+c%20d&e=f?g#h", "a%2Fb"]
    assert keys(ours, after="a b+c%20d&e=f?g#h") == ["a%2Fb", "ü/日本語/🙂.jpg"]
    assert ours.has("a%2Fb")
    assert not ours.has("a")


def test_all_pages_of_odd_keys_come(listing: NewListing) -> None:
    objects = {key: Listed(1) for key in [*ODD, *(f"k{n:05}" for n in range(2_500))]}
    rule = BucketRule(objects)
    with FaultyServer(rule) as server:
        assert keys(listing(server.url)) == sorted(objects, key=str.encode)
    assert len(rule.asked) == 3


def test_a_request_is_signed_as_boto3_signs_it(listing: NewListing) -> None:
    seen: list[Asked] = []

    def rule(asked: Asked) -> Answer:
        seen.append(asked)
        return BucketRule({})(asked)

    with FaultyServer(rule) as server:
        listing(server.url).page("a b/ü=&+", None, "a b/ü=&+~*")
        [asked] = seen
        request = AWSRequest("GET", server.url + asked.path)
    request.headers["x-amz-content-sha256"] = asked.headers["x-amz-content-sha256"]
    request.context["timestamp"] = asked.headers["x-amz-date"]
    signer = S3SigV4Auth(Credentials("AKIDEXAMPLE", "hushhush"), "s3", "us-east-1")
    canonical = "\n".join(
        (
            "GET",
            "/bucket",
            signer.canonical_query_string(request),
            f"host:{asked.headers['host']}",
            f"x-amz-content-sha256:{asked.headers['x-amz-content-sha256']}",
            f"x-amz-date:{asked.headers['x-amz-date']}",
            "",
            "host;x-amz-content-sha256;x-amz-date",
            asked.headers["x-amz-content-sha256"],
        )
    )
    text = signer.string_to_sign(request, canonical)
    assert asked.headers["authorization"].endswith(signer.signature(text, request))


@pytest.mark.parametrize(
    ("answer", "kind", "shown"),
    [
        (error(403, "AccessDenied"), errors.AccessRefused, "s3:ListBucket is not granted"),
        (error(403, "InvalidAccessKeyId"), errors.CredentialsRefused, "access key is unknown"),
        (error(404, "NoSuchBucket"), errors.BucketMissing, "NoSuchBucket"),
        (error(404, "NoSuchKey"), errors.SourceUnavailable, "no such listing"),
        (error(503, "SlowDown"), errors.SourceUnavailable, "slow down"),
        (error(500, "InternalError"), errors.SourceUnavailable, "500"),
        (Answer(302, {"Location": "http://127.0.0.1:1/"}), errors.SourceUnavailable, "redirects"),
        (LOGIN_PAGE, errors.NotAnObjectStore, "its answer to a listing is none"),
        (BLOCKED, errors.NotAnObjectStore, "403"),
        (CUT_SHORT, errors.RetryLater, "closed|cut short|broke"),
        (NOTHING, errors.NotAnObjectStore, "its answer to a listing is none"),
    ],
)
def test_a_refusal_is_no_empty_page(
    answer: Answer, kind: type[Exception], shown: str, listing: NewListing
) -> None:
    with FaultyServer(lambda _: answer) as server, pytest.raises(kind, match=shown):
        listing(server.url).page("")


def test_what_passes_is_tried_again(listing: NewListing) -> None:
    rule = BucketRule({"a": Listed(1)})
    rule.refusals = iter([error(503, "SlowDown"), CUT_SHORT])
    with FaultyServer(rule) as server:
        assert keys(listing(server.url)) == ["a"]
    assert len(rule.asked) == 3


def test_a_page_can_be_on_its_way_before_it_is_wanted(listing: NewListing) -> None:
    rule = BucketRule({key: Listed(1) for key in "abcdef"}, page=2)
    with FaultyServer(rule) as server:
        ours = listing(server.url)
        first = ours.page("")
        assert first.token
        ours.expect("", first.token)
        until(lambda: len(rule.asked) == 2)
        second = ours.page("", first.token, "b")
        assert ([one.key for one in second.objects], len(rule.asked)) == (["c", "d"], 2)
        assert second.token
        # It is no promise, and another page is not mistaken for it.
        ours.expect("", second.token)
        assert [one.key for one in ours.page("", first.token).objects] == ["c", "d"]
        assert ours.has("f")
        ours.expect("", second.token)
        ours.expect("", first.token)
        assert [one.key for one in ours.page("", first.token).objects] == ["c", "d"]


def test_a_page_on_its_way_that_fails_is_asked_for_again(listing: NewListing) -> None:
    rule = BucketRule({key: Listed(1) for key in "abc"}, page=2)
    with FaultyServer(rule) as server:
        ours = listing(server.url)
        token = ours.page("").token
        assert token
        rule.refusals = iter([error(503, "SlowDown"), CUT_SHORT])
        ours.expect("", token)
        assert [one.key for one in ours.page("", token).objects] == ["c"]
        assert len(rule.asked) == 4
        rule.refusals = iter([error(403, "AccessDenied")])
        ours.expect("", token)
        with pytest.raises(errors.AccessRefused):
            ours.page("", token)


def test_a_listing_ends_while_a_page_is_on_its_way() -> None:
    with FaultyServer(lambda _: Answer()) as server:

        def hang(_: Asked) -> Answer:
            server.ended.wait()
            return Answer()

        server.answer = hang
        ours = S3Listing(settings(server.url, SOURCE_STALL_SECONDS="60"))
        ours.expect("", "token")
        ours.close()


def test_a_server_that_hangs_is_given_up(listing: NewListing) -> None:
    with FaultyServer(lambda _: Answer()) as server:

        def hang(_: Asked) -> Answer:
            server.ended.wait()
            return Answer()

        server.answer = hang
        with pytest.raises(errors.SourceUnavailable, match="in time"):
            listing(server.url).page("")


def test_the_bucket_is_found_in_its_region(listing: NewListing) -> None:
    rule = BucketRule({"a": Listed(1)})

    def moved(asked: Asked) -> Answer:
        if "/eu-west-3/" in asked.headers["authorization"]:
            return rule(asked)
        return error(301, "PermanentRedirect", x_amz_bucket_region="eu-west-3")

    with FaultyServer(moved) as server:
        assert keys(listing(server.url)) == ["a"]
