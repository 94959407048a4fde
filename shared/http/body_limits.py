"""Bodies that may be larger than `MAX_BODY_BYTES`, for the functions and the server in front."""

from __future__ import annotations

from collections.abc import Mapping

EVENTS = "/events/s3"
"""Path of the events of a store, without a trailing slash."""

EVENT_BYTES = 1 << 20
"""Largest body of events. S3's are up to 64 KiB, and SQS takes 1 MiB. SeaweedFS lists every chunk
of an object, of 4 MiB, in 170 bytes: one of 24 GB still fits."""

LARGER_BODIES: Mapping[str, int] = {EVENTS: EVENT_BYTES}
"""Largest body of each path that has a limit of its own."""
