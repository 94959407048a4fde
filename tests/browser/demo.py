"""A ledger and a storage with something to see: what the browser tests and the screenshots show."""

from __future__ import annotations

import hashlib
import io
import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image

from local.servers.sample_pictures import pictures
from shared.domain import Fetched
from shared.ledger.ledger import Ledger
from shared.ledger.rows import Claim, NewObject, Outcome, Settlement
from tests.helpers.servers import execute

SCRIPT_NAME = "<script>document.title='run'<%2Fscript>.jpg"
QUOTE_NAME = "\"onmouseover=document.title='run' x=\".png"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>document.title="run"</script></svg>'
HTML = b"<!doctype html><title>page</title><script>document.title='run'</script>"
TEXT = b"# Field notes\n\nSunday: clear, wind from the west.\n" * 40
RATE = "INSERT INTO sync_rate (minute, ring, outcome, bucket, slot, objects) VALUES"
REASONS = (
    "The object does not exist: waited 300 s for it",
    "The object store refuses access: AccessDenied",
    "The object does not exist: waited 300 s for it",
)


@dataclass(frozen=True, slots=True)
class Content:
    """One file to be synced."""

    name: str
    file_type: str
    content: bytes


def contents() -> list[Content]:
    """Return the files: images, and one of each kind that a browser treats in its own way."""
    found = [Content(p.name, p.media_type, p.content) for p in pictures()]
    return [
        *found,
        Content("reports/2026/Q3 100% final #2.pdf", "application/pdf", _pdf()),
        Content("notes/field notes?.md", "text/markdown", TEXT),
        Content("logo.svg", "image/svg+xml", SVG),
        Content("page.html", "text/html", HTML),
        Content("archive.zip", "application/zip", b"PK\x05\x06" + bytes(18)),
    ]


def wide_picture() -> bytes:
    """Return an image three times as wide as previews are."""
    made = io.BytesIO()
    Image.effect_noise((1800, 900), 60).convert("RGB").save(made, "JPEG")
    return made.getvalue()


def fill(url: str, storage: Path) -> None:
    """Fill a migrated ledger and an empty storage."""
    ledger = Ledger.at(url)
    try:
        for number in range(4):
            _record(ledger, f"waiting-{number}.mp4", "video/mp4")
        for number, name in enumerate((SCRIPT_NAME, QUOTE_NAME, "lost/holiday.jpg")):
            failed(ledger, name, REASONS[number])
        for content in reversed(contents()):
            synced(ledger, storage, content)
    finally:
        ledger.close()


def synced(ledger: Ledger, storage: Path, content: Content, salt: str = "") -> int:
    """Record an object whose file is in place; return its row id."""
    row_id = _record(ledger, content.name, content.file_type, salt)
    _sync(ledger, storage, _claim(ledger, row_id), content.content)
    return row_id


def failed(ledger: Ledger, name: str, reason: str) -> int:
    """Record an object that failed at its second attempt; return its row id."""
    row_id = _record(ledger, name, "image/jpeg")
    _fail(ledger, row_id, reason)
    return row_id


def age(url: str) -> None:
    """Spread the objects over the last days and give them a history, for the screenshots."""
    execute(
        url,
        "UPDATE file_sync SET created_at = now() - (SELECT max(id) FROM file_sync) * "
        "interval '37 min' + id * interval '37 min', queued_at = now() - interval '14 min'",
        "UPDATE file_sync SET synced_at = created_at + interval '1.4 s' + id % 7 * "
        "interval '0.31 s' WHERE state = 'synced'",
        "UPDATE sync_attempt a SET finished_at = coalesce(f.synced_at, f.created_at + "
        "a.attempt * interval '21 s'), started_at = coalesce(f.synced_at, f.created_at + "
        "a.attempt * interval '21 s') - interval '0.42 s' FROM file_sync f "
        "WHERE f.id = a.file_sync_id",
        "UPDATE file_sync SET failed_at = created_at + interval '42 s' WHERE state = 'failed'",
        "INSERT INTO heartbeat (component, instance) VALUES ('scheduler', 'a'), ('worker', 'a')",
        "DELETE FROM sync_rate",
        *_past(),
    )


def _past() -> list[str]:
    chance = random.Random(6)  # the same plots every time
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    statements = []
    for back in range(24 * 60):
        minute = now - timedelta(minutes=back)
        wave = 1 + 0.7 * math.sin(back / 230) + 0.25 * math.sin(back / 11)
        synced = int(wave * chance.uniform(120, 190))
        split = [(3, 0.2), (4, 0.5), (5, 0.22), (6, 0.06), (7, 0.02)]
        found = [("synced", bucket, int(synced * part)) for bucket, part in split]
        if chance.random() < 0.16:
            found.append(("retry", 7, chance.randrange(3, 30)))
        if chance.random() < 0.04:
            found.append(("failed", 9, chance.randrange(2, 9)))
        moment = f"'{minute.isoformat()}', {int(minute.timestamp()) // 60 % 2880}"
        statements += [
            f"{RATE} ({moment}, '{outcome}', {bucket}, 0, {objects})"
            for outcome, bucket, objects in found
        ]
    return statements


def _record(ledger: Ledger, name: str, file_type: str, salt: str = "") -> int:
    digest = hashlib.sha256((name + salt).encode()).digest()
    row_id = ledger.record(
        NewObject(
            oeid=digest.hex()[:30],
            ref_id=str(int.from_bytes(digest[:8]) // 2),
            file_name=name,
            file_type=file_type,
            payload_checksum=digest,
            request_id=f"{digest.hex()[:8]}-{digest.hex()[8:12]}-4a1b-9c2d-{digest.hex()[12:24]}",
        ),
        due_in=3600,
    )
    assert row_id is not None
    return row_id


def _claim(ledger: Ledger, row_id: int) -> Claim:
    return ledger.claim([row_id], lease_seconds=60, max_attempts=8)[0]


def _sync(ledger: Ledger, storage: Path, claim: Claim, content: bytes) -> None:
    target = storage / claim.wanted.file_name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    copy = Fetched(
        size=len(content),
        sha256=hashlib.sha256(content).digest(),
        etag=hashlib.md5(content, usedforsecurity=False).hexdigest(),
        verified_by="md5",
    )
    assert ledger.settle([Settlement(claim, Outcome.SYNCED, fetched=copy)])


def _fail(ledger: Ledger, row_id: int, reason: str) -> None:
    retry = Settlement(
        _claim(ledger, row_id), Outcome.RETRY, "The object store could not be read: timed out"
    )
    assert ledger.settle([retry])
    assert ledger.settle([Settlement(_claim(ledger, row_id), Outcome.FAILED, reason)])


def _pdf() -> bytes:
    """Return the smallest PDF that viewers open: one page with a line of text."""
    drawing = b"BT /F1 24 Tf 72 720 Td (Report) Tj ET"
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources 5 0 R>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(drawing), drawing),
        b"<</Font<</F1 %s>>>>" % font,
    ]
    written, places = b"%PDF-1.4\n", []
    for number, thing in enumerate(objects, 1):
        places.append(len(written))
        written += b"%d 0 obj%s endobj\n" % (number, thing)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size, start = len(objects) + 1, len(written)
    written += b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
    return written + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
