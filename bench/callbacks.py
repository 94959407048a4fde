"""Callbacks, against a loop of the same HTTP client to the same receiver."""

from __future__ import annotations

import itertools
import random
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime

from bench import ledgers, objects
from bench.figure import Figure
from bench.setting import Setting
from functions.notify.service import Notify
from shared import adapters
from shared.callbacks.answer import Verdict
from shared.callbacks.message import Message, Signer
from shared.callbacks.receiver import CONNECTIONS, Receiver
from shared.config.settings import Settings
from shared.ledger.callbacks import CallbackClaim

PATH = "/hook"
ANSWERS = f"location = {PATH} {{ return 200; }}"
LOOP_SECONDS = 60.0
"""Time limit for one wait of the loop."""

DUE = """
INSERT INTO callback (file_sync_id, name_key, event, data)
SELECT f.id, hashtextextended(f.file_name, 0), 'object.synced',
       json_build_object('signature', encode(f.payload_checksum, 'hex'), 'oeid', f.oeid,
         'ref_id', f.ref_id, 'file_name', f.file_name, 'file_type', f.file_type,
         'request_id', f.request_id, 'state', f.state, 'attempts', f.attempts, 'reason', NULL,
         'size_bytes', f.size_bytes, 'sha256', encode(f.sha256, 'hex'), 'verified_by', 'md5',
         'created_at', f.created_at, 'synced_at', f.synced_at, 'failed_at', NULL)
  FROM file_sync AS f WHERE f.state = 'synced' ORDER BY f.id LIMIT %s
"""

SENT = """
SELECT id, message_id, event, data::text, created_at, 1 AS attempt, 1 AS counted_attempts
  FROM callback ORDER BY id LIMIT %s
"""


def measure(setting: Setting) -> Iterator[Figure]:
    """Deliver to nginx, which answers at once and reads nothing."""
    plan, url = setting.plan, setting.few
    files = setting.folder / "receiver"
    files.mkdir()
    secret = "whsec_" + secrets.token_hex(32)
    ours, loop = [], []
    with objects.nginx(setting.folder, files, ANSWERS) as server:
        receiver = f"{server.endpoint}{PATH}"
        settings = Settings.from_mapping(
            {"DATABASE_URL": url, "CALLBACK_URL": receiver, "CALLBACK_SECRET": secret}
        )
        signer = Signer(settings.callback_secrets)
        with closing(adapters.ledger(settings)) as ledger:
            notify = Notify(
                ledger, lambda: Receiver(receiver), signer, jitter=random.Random().random
            )
            for _ in setting.runs("callbacks"):
                number = min(plan.callbacks, plan.few_rows)
                ledgers.execute(url, DUE, number)
                ledgers.execute(url, "VACUUM ANALYZE callback")
                before = time.perf_counter()
                delivered = notify.run().delivered
                ours.append(number / (time.perf_counter() - before))
                if delivered != number:
                    raise AssertionError(f"{delivered} of {number} callbacks delivered")
                loop.append(_loop(receiver, _messages(url, signer, number)))
                ledgers.execute(url, "TRUNCATE callback")
    yield Figure(
        "callbacks delivered and recorded",
        ours,
        "callbacks/s",
        None,
        loop,
        f"a loop of the same HTTP client, {CONNECTIONS} connections, messages signed before",
    )


def _messages(url: str, signer: Signer, number: int) -> list[Message]:
    """Return the messages that were delivered."""
    rows = ledgers.execute(url, SENT, number)
    now = datetime.now(UTC)
    return [signer.message(CallbackClaim(*row), now) for row in rows]


def _loop(url: str, messages: Sequence[Message]) -> float:
    """Post messages, and return how many a second."""
    waiting, delivered = iter(enumerate(messages)), 0
    before = time.perf_counter()
    with Receiver(url) as receiver:
        while True:
            for key, message in itertools.islice(waiting, receiver.room):
                receiver.start(key, message)
            if not receiver.active:
                break
            answers = receiver.wait(LOOP_SECONDS)
            delivered += sum(answer.verdict is Verdict.DELIVERED for _, answer in answers)
    if delivered != len(messages):
        raise AssertionError(f"{delivered} of {len(messages)} messages delivered")
    return delivered / (time.perf_counter() - before)
