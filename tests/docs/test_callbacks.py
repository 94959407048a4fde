"""docs/callbacks.md: its example is what is sent, and its receivers refuse what is forged."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from local.servers.packages import missing_packages
from shared.callbacks.message import body
from shared.ledger.database import Database
from shared.ledger.ledger import QUERIES, Ledger
from tests.browser import demo
from tests.docs.pages import blocks
from tests.helpers.missing import missing
from tests.helpers.paths import ROOT
from tests.helpers.project import environment

PAGE = ROOT / "docs" / "callbacks.md"
BYTES = bytes(range(24))
SECRET = "whsec_" + base64.b64encode(BYTES).decode()
ID = "msg_1"
BODY = json.dumps({"type": "object.synced", "timestamp": "t", "data": {"file_name": "é"}})


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with closing(Ledger(Database(database_url, *QUERIES), with_callbacks=True)) as ledger:
        yield ledger


def test_the_example_is_what_is_sent(ledger: Ledger, tmp_path: Path) -> None:
    demo.synced(ledger, tmp_path, demo.Content("photos/1.jpg", "image/jpeg", b"bytes"))
    (claim,) = ledger.callbacks.claim(1, 60)
    (example,) = map(json.loads, blocks(PAGE, "json"))
    sent = json.loads(body(claim))
    assert list(example) == list(sent)
    assert example["type"] == sent["type"]
    assert list(example["data"]) == list(sent["data"])
    shown = {name: type(value) for name, value in example["data"].items()}
    assert shown == {name: type(value) for name, value in sent["data"].items()}


def signed(content: str, timestamp: float, secret: bytes = BYTES) -> dict[str, str]:
    """Return the headers of a callback, computed as the standard has it."""
    signed_bytes = f"{ID}.{timestamp:.0f}.{content}".encode()
    digest = base64.b64encode(hmac.new(secret, signed_bytes, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": ID,
        "webhook-timestamp": f"{timestamp:.0f}",
        "webhook-signature": f"v1,{base64.b64encode(bytes(32)).decode()} v1,{digest}",
    }


PYTHON = """
import json, sys
CALLBACK_SECRET = {secret}
def record(*values): print(json.dumps(values))
{snippet}
headers, body = json.load(sys.stdin)
print(receive(headers, body.encode()))
"""
JAVASCRIPT = """
import {{ readFileSync }} from "node:fs";
const CALLBACK_SECRET = {secret};
{snippet}
const [headers, body] = JSON.parse(readFileSync(0, "utf8"));
console.log(isGenuine(headers, Buffer.from(body)) ? 204 : 401);
"""


def answered(language: str, folder: Path, headers: dict[str, str], content: str) -> str:
    """Return the last line that the page's receiver prints: 204 or 401."""
    if language == "javascript" and "nodejs" in missing_packages(tools=True):
        missing("nodejs")
    (snippet,) = blocks(PAGE, language)
    frame, name, program = {
        "python": (PYTHON, "receiver.py", sys.executable),
        "javascript": (JAVASCRIPT, "receiver.mjs", "node"),
    }[language]
    (folder / name).write_text(frame.format(secret=json.dumps(SECRET), snippet=snippet))
    done = subprocess.run(
        [program, str(folder / name)],
        input=json.dumps([headers, content]),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_a_receiver_tells_genuine_from_forged(language: str, tmp_path: Path) -> None:
    now = time.time()
    assert answered(language, tmp_path, signed(BODY, now), BODY) == "204"
    for headers, content in (
        (signed(BODY, now), BODY.replace("synced", "failed")),
        (signed(BODY, now - 3600), BODY),
        (signed(BODY, now, b"another secret of ours!!"), BODY),
    ):
        assert answered(language, tmp_path, headers, content) == "401"
