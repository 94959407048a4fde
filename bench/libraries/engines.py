"""The download engines: each copies objects into a folder and returns their SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import awscrt.auth
import awscrt.http
import awscrt.io
import awscrt.s3
import boto3
import botocore.config
import obstore
import obstore.store

from bench.libraries.ours import S3Source, Settings, Wanted
from bench.objects import ObjectServer

CONCURRENCY = 16
REGION = "us-east-1"
_PIECE = 256 << 10

Digests = Mapping[str, bytes]


class Engine(Protocol):
    """What copies objects."""

    def copy(self, keys: Sequence[str], folder: Path) -> Digests:
        """Copy objects into a folder; return the SHA-256 of each."""
        ...

    def close(self) -> None:
        """Free threads and connections."""
        ...


class Ours:
    """The worker's source."""

    def __init__(self, server: ObjectServer, storage: Path) -> None:
        variables = {**server.variables(storage), "SYNC_CONCURRENCY": str(CONCURRENCY)}
        self._source = S3Source(Settings.from_mapping(variables))

    def copy(self, keys: Sequence[str], folder: Path) -> Digests:
        """See `Engine.copy`."""
        now = datetime.now(UTC)
        copies = {
            key: self._source.fetch(
                Wanted(
                    row_id=number,
                    attempt=1,
                    file_name=key,
                    queued_at=now,
                    claimed_at=now,
                ),
                folder / key,
            )
            for number, key in enumerate(keys, 1)
        }
        return {key: copy.result().sha256 for key, copy in copies.items()}

    def close(self) -> None:
        """See `Engine.close`."""
        self._source.close()


class AwsCrt:
    """awscrt's S3Client, which fetches large objects in ranges and hands them over in order."""

    def __init__(self, server: ObjectServer) -> None:
        self._server = server
        provider = awscrt.auth.AwsCredentialsProvider.new_static(
            server.access_key, server.secret_key
        )
        group = awscrt.io.EventLoopGroup(2)
        bootstrap = awscrt.io.ClientBootstrap(group, awscrt.io.DefaultHostResolver(group))
        self._client = awscrt.s3.S3Client(
            bootstrap=bootstrap,
            region=REGION,
            tls_mode=awscrt.s3.S3RequestTlsMode.DISABLED,
            signing_config=awscrt.s3.create_default_s3_signing_config(
                region=REGION, credential_provider=provider
            ),
            max_active_connections_override=CONCURRENCY,
        )

    def copy(self, keys: Sequence[str], folder: Path) -> Digests:
        """See `Engine.copy`."""
        running = [(key, *self._start(key, folder / key)) for key in keys]
        digests = {}
        for key, request, digest, file in running:
            request.finished_future.result()
            file.close()
            digests[key] = digest.digest()
        return digests

    def close(self) -> None:
        """See `Engine.close`; it ends when nothing refers to it."""

    def _start(self, key: str, path: Path) -> tuple[Any, Any, Any]:
        headers = awscrt.http.HttpHeaders([("host", f"127.0.0.1:{self._server.port}")])
        digest, file = hashlib.sha256(), path.open("wb")

        def on_body(chunk: bytes, **_: object) -> None:
            digest.update(chunk)
            file.write(chunk)

        request = self._client.make_request(
            type=awscrt.s3.S3RequestType.GET_OBJECT,
            request=awscrt.http.HttpRequest("GET", f"/{self._server.bucket}/{key}", headers),
            on_body=on_body,
        )
        return request, digest, file


class Obstore:
    """obstore, the Rust library object_store, in threads."""

    def __init__(self, server: ObjectServer) -> None:
        self._pool = ThreadPoolExecutor(CONCURRENCY)
        self._store = obstore.store.S3Store(
            server.bucket,
            endpoint=server.endpoint,
            region=REGION,
            access_key_id=server.access_key,
            secret_access_key=server.secret_key,
            client_options={"allow_http": True},
        )

    def copy(self, keys: Sequence[str], folder: Path) -> Digests:
        """See `Engine.copy`."""

        def one(key: str) -> bytes:
            stream = obstore.get(self._store, key).stream(min_chunk_size=_PIECE)
            return _write(stream, folder / key)

        return dict(zip(keys, self._pool.map(one, keys), strict=True))

    def close(self) -> None:
        """See `Engine.close`."""
        self._pool.shutdown()


class Boto3:
    """boto3, one client for all threads, without its transfer manager, which hides the bytes."""

    def __init__(self, server: ObjectServer) -> None:
        self._bucket = server.bucket
        self._pool = ThreadPoolExecutor(CONCURRENCY)
        config = botocore.config.Config(
            max_pool_connections=CONCURRENCY, s3={"addressing_style": "path"}
        )
        self._client = boto3.session.Session().client(
            "s3",
            endpoint_url=server.endpoint,
            region_name=REGION,
            aws_access_key_id=server.access_key,
            aws_secret_access_key=server.secret_key,
            config=config,
        )

    def copy(self, keys: Sequence[str], folder: Path) -> Digests:
        """See `Engine.copy`."""

        def one(key: str) -> bytes:
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
            with body:
                return _write(body.iter_chunks(_PIECE), folder / key)

        return dict(zip(keys, self._pool.map(one, keys), strict=True))

    def close(self) -> None:
        """See `Engine.close`."""
        self._pool.shutdown()
        self._client.close()


def _write(pieces: Iterable[Any], path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for piece in pieces:
            digest.update(piece)
            file.write(piece)
    return digest.digest()
