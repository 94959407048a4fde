"""What is put into the local S3 is there after a restart, over HTTP by boto3."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local.servers.s3 import S3Server
from tests.helpers.servers import free_port
from tests.helpers.waiting import until

PART = 5 << 20
BUCKET = "kept"
KEYS = [
    "a.jpg",
    "a",
    "a/b/c.png",
    "A.jpg",
    "with space + plus%20percent?#&.png",
    "Höhenweg-日の出-🌄.jpg",
    "ends with/",
    "double//slash",
    "dots/../up",
    "é",
    "e\u0301",
    "x" * 1024,
    "日" * 341,
]


class Local:
    """A local S3 and a client of it."""

    def __init__(self, server: S3Server) -> None:
        self.server = server
        self.client = connect(server.endpoint)

    def restart(self, *, kill: bool = False) -> float:
        """Stop or kill it, start it again, and return how many seconds the start took."""
        if kill:
            os.kill(self.server.pid or 0, signal.SIGKILL)
            until(lambda: self.server.pid is None)
        else:
            self.server.stop()
        started = time.monotonic()
        self.server.start()
        self.server.wait_ready()
        return time.monotonic() - started


def connect(endpoint: str, **config: Any) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}, proxies={}, **config),
    )


@pytest.fixture
def local(tmp_path: Path, start_server: Callable[[S3Server], S3Server]) -> Iterator[Local]:
    local = Local(start_server(S3Server(tmp_path, free_port())))
    local.client.create_bucket(Bucket=BUCKET)
    yield local
    local.client.close()


def seen(client: Any, key: str, **which: Any) -> dict[str, Any]:
    """Everything that GET and HEAD tell of an object."""
    told = client.get_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED", **which)
    head = client.head_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED", **which)
    body = told.pop("Body").read()
    for answer in (told, head):
        for volatile in ("date", "x-amzn-requestid", "x-amz-request-id", "x-amz-id-2", "server"):
            answer["ResponseMetadata"]["HTTPHeaders"].pop(volatile, None)
        answer["ResponseMetadata"].pop("RequestId", None)
        answer["ResponseMetadata"].pop("HostId", None)
    return {"body": body, "get": told, "head": head}


def upload(client: Any, key: str, parts: list[bytes], **arguments: Any) -> None:
    begun = client.create_multipart_upload(Bucket=BUCKET, Key=key, **arguments)
    done = []
    for number, part in enumerate(parts, 1):
        where = {"Bucket": BUCKET, "Key": key, "UploadId": begun["UploadId"]}
        answer = client.upload_part(**where, PartNumber=number, Body=part)
        fields = {name: answer[name] for name in answer if name.startswith("Checksum")}
        done.append({"PartNumber": number, "ETag": answer["ETag"], **fields})
    client.complete_multipart_upload(**where, MultipartUpload={"Parts": done})


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_objects_of_every_kind_are_the_same_after_a_restart(local: Local, *, kill: bool) -> None:
    client = local.client
    for number, key in enumerate(KEYS):
        client.put_object(
            Bucket=BUCKET,
            Key=key,
            Body=f"content {number}".encode(),
            ContentType="image/jpeg",
            ContentEncoding="identity",
            CacheControl="max-age=60",
            Metadata={"owner": "client", "number": str(number)},
            Tagging="kind=test",
        )
    for algorithm in ("CRC32", "CRC32C", "SHA1", "SHA256", "CRC64NVME"):
        client.put_object(Bucket=BUCKET, Key=algorithm, Body=b"sum", ChecksumAlgorithm=algorithm)
    client.put_object(Bucket=BUCKET, Key="empty", Body=b"")
    upload(client, "multipart", [b"1" * PART, b"2" * PART, b"3"], ContentType="video/mp4")
    upload(client, "checked", [b"1" * PART, b"2"], ChecksumAlgorithm="SHA256")
    client.copy_object(Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": "a.jpg"})
    client.copy_object(
        Bucket=BUCKET, Key="copy of parts", CopySource={"Bucket": BUCKET, "Key": "multipart"}
    )
    client.put_object(Bucket=BUCKET, Key="deleted", Body=b"gone")
    client.delete_object(Bucket=BUCKET, Key="deleted")
    for key in ("many 1", "many 2"):
        client.put_object(Bucket=BUCKET, Key=key, Body=b"gone")
    client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "many 1"}, {"Key": "many 2"}]})
    client.put_object(Bucket=BUCKET, Key="replaced", Body=b"first")
    client.put_object(Bucket=BUCKET, Key="replaced", Body=b"second")
    listed = client.list_objects_v2(Bucket=BUCKET)["Contents"]
    before = {item["Key"]: seen(client, item["Key"]) for item in listed}
    assert set(before) == {
        *KEYS,
        *("CRC32", "CRC32C", "SHA1", "SHA256", "CRC64NVME", "empty", "multipart", "checked"),
        *("copy", "copy of parts", "replaced"),
    }
    parts = {n: client.head_object(Bucket=BUCKET, Key="multipart", PartNumber=n) for n in (1, 2, 3)}

    local.restart(kill=kill)

    assert client.list_objects_v2(Bucket=BUCKET)["Contents"] == listed
    for key, told in before.items():
        assert seen(client, key) == told, key
    assert before["replaced"]["body"] == b"second"
    assert before["multipart"]["get"]["ETag"].endswith('-3"')
    for number, told in parts.items():
        again = client.head_object(Bucket=BUCKET, Key="multipart", PartNumber=number)
        assert again["ContentLength"] == told["ContentLength"]
        assert again["PartsCount"] == told["PartsCount"] == 3
    ranged = client.get_object(Bucket=BUCKET, Key="multipart", Range=f"bytes={PART - 2}-{PART + 1}")
    assert ranged["Body"].read() == b"1122"
    tags = client.get_object_tagging(Bucket=BUCKET, Key="a.jpg")["TagSet"]
    assert tags == [{"Key": "kind", "Value": "test"}]


def test_what_is_changed_in_place_is_kept(local: Local) -> None:
    client = local.client
    client.put_object(Bucket=BUCKET, Key="public", Body=b"for all")
    client.put_object_acl(Bucket=BUCKET, Key="public", ACL="public-read")
    client.put_object_tagging(
        Bucket=BUCKET, Key="public", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
    )
    local.restart()
    assert client.get_object_tagging(Bucket=BUCKET, Key="public")["TagSet"]
    anonymous = connect(local.server.endpoint, signature_version=UNSIGNED)
    assert anonymous.get_object(Bucket=BUCKET, Key="public")["Body"].read() == b"for all"
    anonymous.close()


def test_versions_and_delete_markers_are_kept(local: Local) -> None:
    client = local.client
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    first = client.put_object(Bucket=BUCKET, Key="v", Body=b"first")["VersionId"]
    client.put_object(Bucket=BUCKET, Key="v", Body=b"second")
    client.delete_object(Bucket=BUCKET, Key="v")
    before = client.list_object_versions(Bucket=BUCKET)
    local.restart()
    after = client.list_object_versions(Bucket=BUCKET)
    assert after["Versions"] == before["Versions"]
    assert after["DeleteMarkers"] == before["DeleteMarkers"]
    assert seen(client, "v", VersionId=first)["body"] == b"first"
    with pytest.raises(client.exceptions.NoSuchKey):
        client.get_object(Bucket=BUCKET, Key="v")
    client.delete_object(Bucket=BUCKET, Key="v", VersionId=after["DeleteMarkers"][0]["VersionId"])
    local.restart()
    assert seen(client, "v")["body"] == b"second"


def test_buckets_with_their_settings_are_kept_and_removed(local: Local) -> None:
    client = local.client
    client.create_bucket(
        Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://example.com"]}
    client.put_bucket_cors(Bucket="elsewhere", CORSConfiguration={"CORSRules": [rule]})
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    client.put_bucket_policy(Bucket="elsewhere", Policy=policy)
    client.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    client.delete_bucket_tagging(Bucket=BUCKET)
    client.create_bucket(Bucket="removed")
    client.put_object(Bucket="removed", Key="a", Body=b"a")
    client.delete_object(Bucket="removed", Key="a")
    client.delete_bucket(Bucket="removed")
    buckets = client.list_buckets()["Buckets"]
    local.restart()
    assert client.list_buckets()["Buckets"] == buckets
    where = client.get_bucket_location(Bucket="elsewhere")["LocationConstraint"]
    assert where == "eu-west-1"
    assert client.get_bucket_cors(Bucket="elsewhere")["CORSRules"] == [rule]
    assert client.get_bucket_policy(Bucket="elsewhere")["Policy"] == policy
    with pytest.raises(ClientError, match="NoSuchTagSet"):
        client.get_bucket_tagging(Bucket=BUCKET)


def test_a_kill_while_objects_are_written_costs_none_that_was_answered(local: Local) -> None:
    kept: dict[str, bytes] = {}
    begun = threading.Event()

    def put(worker: int) -> None:
        client = connect(local.server.endpoint)
        for number in range(10_000):
            key, body = f"{worker}/{number}", os.urandom(200_000)
            try:
                client.put_object(Bucket=BUCKET, Key=key, Body=body)
            except (BotoCoreError, ClientError):
                break
            kept[key] = body
            if len(kept) > 50:
                begun.set()
        client.close()

    workers = [threading.Thread(target=put, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    assert begun.wait(60)
    os.kill(local.server.pid or 0, signal.SIGKILL)
    for worker in workers:
        worker.join()
    until(lambda: local.server.pid is None)
    local.restart()
    for key, body in kept.items():
        assert local.client.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body
    listed = local.client.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert len(listed) <= len(kept) + len(workers)  # at most the ones that were being written
    for item in listed:
        body = local.client.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
        assert len(body) == item["Size"] == 200_000


def test_the_folder_has_nothing_that_is_not_needed(local: Local, tmp_path: Path) -> None:
    client = local.client
    for _ in range(3):
        client.put_object(Bucket=BUCKET, Key="again", Body=b"x" * 1000)
    contents = tmp_path / "s3" / BUCKET / "contents"
    assert len(list(contents.iterdir())) == 1
    (contents / "orphan").write_bytes(b"of a process that was killed")
    local.restart()
    assert len(list(contents.iterdir())) == 1
    client.delete_object(Bucket=BUCKET, Key="again")
    assert not list(contents.iterdir())


def test_a_removed_bucket_that_is_made_again_is_empty(local: Local, tmp_path: Path) -> None:
    (tmp_path / "s3" / "%removed-before" / "objects").mkdir(parents=True)
    local.client.delete_bucket(Bucket=BUCKET)
    local.restart()
    assert not list((tmp_path / "s3").iterdir())
    local.client.create_bucket(Bucket=BUCKET)
    local.restart()
    assert local.client.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_a_damaged_object_is_left_out_and_no_other(local: Local, tmp_path: Path) -> None:
    for key in ("cut", "half", "whole"):
        local.client.put_object(Bucket=BUCKET, Key=key, Body=key.encode() * 100)
    folder = tmp_path / "s3" / BUCKET
    for content in (folder / "contents").iterdir():
        if content.read_bytes().startswith(b"cut"):
            content.write_bytes(b"cu")
    for record in (folder / "objects").iterdir():
        if '"half"' in record.read_text():
            record.write_text(record.read_text()[:40])
    local.restart()
    listed = local.client.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [item["Key"] for item in listed] == ["whole"]


def test_a_change_that_cannot_be_kept_is_refused(local: Local, tmp_path: Path) -> None:
    drafts = tmp_path / "s3" / BUCKET / "drafts"
    drafts.rmdir()
    drafts.write_text("in the way")
    with pytest.raises(ClientError, match="InternalError"):
        local.client.put_object(Bucket=BUCKET, Key="a", Body=b"a")
    drafts.unlink()
    drafts.mkdir()
    local.client.put_object(Bucket=BUCKET, Key="b", Body=b"b")
    local.restart()
    assert seen(local.client, "b")["body"] == b"b"


def test_a_form_upload_is_kept(local: Local) -> None:
    form = local.client.generate_presigned_post(BUCKET, "form/${filename}")
    boundary = "----boundary"
    fields = {**form["fields"], "key": "form/a.txt"}
    body = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    body += f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
    body += f"Content-Type: text/plain\r\n\r\nof a form\r\n--{boundary}--\r\n"
    endpoint = urlsplit(local.server.endpoint)
    connection = http.client.HTTPConnection(endpoint.hostname or "", endpoint.port)
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    connection.request("POST", f"/{BUCKET}", body, headers)
    assert connection.getresponse().status in {200, 204}
    connection.close()
    local.restart()
    assert seen(local.client, "form/a.txt")["body"] == b"of a form"


def test_it_starts_quickly_with_thousands_of_objects(local: Local, tmp_path: Path) -> None:
    local.client.put_object(Bucket=BUCKET, Key="0", Body=b"small")
    local.server.stop()
    folder = tmp_path / "s3" / BUCKET
    (record,) = (folder / "objects").iterdir()
    (content,) = (folder / "contents").iterdir()
    described = json.loads(record.read_text())
    for number in range(1, 5_000):
        described["name"] = str(number)
        described["versions"][0]["content"] = f"content{number}"
        (folder / "contents" / f"content{number}").hardlink_to(content)
        (folder / "objects" / f"{number}.json").write_text(json.dumps(described))
    assert local.restart() < 20
    pages = local.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    assert sum(page["KeyCount"] for page in pages) == 5_000
    assert seen(local.client, "4999")["body"] == b"small"
