"""Callbacks are delivered: in order, signed, at least once, and whatever the receiver does."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from functions.notify.backoff import delay
from functions.notify.service import Notify, Report
from shared.callbacks.message import Signer
from shared.callbacks.receiver import BUNDLES, Receiver
from shared.domain import Fetched
from shared.errors import LedgerUnavailable
from shared.ledger.callbacks import Callback, CallbackState
from shared.ledger.database import Database
from shared.ledger.ledger import QUERIES, Ledger
from shared.ledger.replays import Choice
from shared.ledger.rows import NewObject, Outcome, Settlement
from shared.metrics import tally
from shared.metrics.catalog import CALLBACK_DELIVERIES as DELIVERIES
from tests.helpers.certificates import certificate
from tests.helpers.http_proxy import http_proxy
from tests.helpers.paths import ROOT
from tests.helpers.receiver import Post, Reply, closed_port, receiver
from tests.helpers.roles import open_ledger, own_ledger
from tests.helpers.servers import execute, query

SECRET = "whsec_" + "c2VjcmV0" * 6
PREVIOUS = "whsec_" + "cHJldmlv" * 6
COPY = Fetched(size=5, sha256=hashlib.sha256(b"bytes").digest(), etag="e1", verified_by="md5")
_numbers = itertools.count()


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    ledger = open_ledger(database_url, with_callbacks=True)
    yield ledger
    ledger.close()


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*BUNDLES, "http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def notify(ledger: Ledger, url: str, *secrets: str) -> Notify:
    signer = Signer(secrets or (SECRET,))
    return Notify(own_ledger(ledger, "notify"), lambda: Receiver(url), signer, jitter=lambda: 0.0)


def end(
    ledger: Ledger, name: str, outcome: Outcome = Outcome.SYNCED, row_id: int | None = None
) -> int:
    """Record an object, unless one is given, and let its attempt end with an outcome."""
    if row_id is None:
        checksum = hashlib.sha256(str(next(_numbers)).encode()).digest()
        row_id = ledger.record(NewObject("o", "r", name, "t/t", checksum, "the-request"), 0)
    assert row_id is not None
    (claim,) = ledger.claim([row_id], lease_seconds=60, max_attempts=8)
    reason = None if outcome is Outcome.SYNCED else "S3 says no"
    fetched = COPY if outcome is Outcome.SYNCED else None
    ledger.settle([Settlement(claim, outcome, reason=reason, fetched=fetched)])
    return row_id


def callbacks(ledger: Ledger, state: CallbackState) -> list[Callback]:
    return sorted(ledger.callbacks.list(state, 1_000), key=lambda callback: callback.id)


def due_now(url: str) -> None:
    execute(url, "UPDATE callback SET next_attempt_at = now() WHERE state = 'pending'")


def test_each_callback_is_sent_as_it_was_recorded(ledger: Ledger) -> None:
    with receiver() as there:
        synced = end(ledger, 'Ä "1".jpg')
        end(ledger, "b.jpg", Outcome.FAILED)
        assert notify(ledger, there.url).run() == Report(delivered=2)
        assert notify(ledger, there.url).run() == Report()
    first, second = sorted(there.posts, key=lambda post: post.name, reverse=True)
    assert (first.path, first.headers["content-type"]) == ("/hook", "application/json")
    assert first.headers["user-agent"] == "external-storage-sync"
    document = json.loads(first.body)
    assert list(document) == ["type", "timestamp", "data"]
    (recorded,) = ledger.callbacks.of(synced)
    assert document["type"] == "object.synced"
    assert document["timestamp"].endswith("Z")
    assert datetime.fromisoformat(document["timestamp"]) == recorded.created_at
    assert document["data"]["sha256"] == COPY.sha256.hex()
    assert first.message_id == recorded.message_id
    assert recorded.state is CallbackState.DELIVERED
    assert json.loads(second.body)["type"] == "object.failed"
    assert json.loads(second.body)["data"]["reason"] == "S3 says no"


def test_the_datas_text_is_unchanged(ledger: Ledger, database_url: str) -> None:
    with receiver() as there:
        end(ledger, "ä.jpg")
        notify(ledger, there.url).run()
    ((text,),) = query(database_url, "SELECT data::text FROM callback")
    assert there.posts[0].body.decode().endswith(f'"data": {text}}}')


def test_the_reference_library_verifies_every_attempt(ledger: Ledger, database_url: str) -> None:
    replies = iter([Reply(500), Reply(200)])
    with receiver(lambda _: next(replies)) as there:
        end(ledger, "a")
        sender = notify(ledger, there.url)
        sender.run()
        due_now(database_url)
        sender.run()
    assert len(there.posts) == 2
    for post in there.posts:
        assert Webhook(SECRET).verify(post.body, dict(post.headers))["type"] == "object.synced"
        with pytest.raises(WebhookVerificationError):
            Webhook(PREVIOUS).verify(post.body, dict(post.headers))
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(post.body + b" ", dict(post.headers))


def test_while_secrets_rotate_both_verify(ledger: Ledger) -> None:
    with receiver() as there:
        end(ledger, "a")
        notify(ledger, there.url, SECRET, PREVIOUS).run()
    (post,) = there.posts
    for secret in (SECRET, PREVIOUS):
        Webhook(secret).verify(post.body, dict(post.headers))
    assert [part[:3] for part in post.headers["webhook-signature"].split(" ")] == ["v1,", "v1,"]


def test_callbacks_of_one_name_arrive_in_order(ledger: Ledger, database_url: str) -> None:
    refused = iter([True, False, True, False, False])

    def answer(post: Post) -> Reply:
        return Reply(422 if post.name == "a" and next(refused) else 200)

    with receiver(answer) as there:
        for number in range(3):
            end(ledger, "a")
            end(ledger, f"b{number}")
        sender = notify(ledger, there.url)
        sender.run()
        assert there.names.count("a") == 1
        assert sorted(name for name in there.names if name != "a") == ["b0", "b1", "b2"]
        for _ in range(2):
            due_now(database_url)
            sender.run()
    ids = [post.message_id for post in there.posts if post.name == "a"]
    first, second, third = (c.message_id for c in callbacks_of_name(ledger, "a"))
    assert ids == [first, first, second, second, third]


def callbacks_of_name(ledger: Ledger, name: str) -> list[Callback]:
    return [c for c in callbacks(ledger, CallbackState.DELIVERED) if c.file_name == name]


def test_many_of_one_name_are_delivered_by_one_run(ledger: Ledger) -> None:
    with receiver() as there:
        for _ in range(20):
            end(ledger, "a")
        assert notify(ledger, there.url).run() == Report(delivered=20)
    assert len({post.message_id for post in there.posts}) == 20


def test_connections_are_kept(ledger: Ledger) -> None:
    with receiver() as there:
        for number in range(200):
            end(ledger, str(number))
        assert notify(ledger, there.url).run() == Report(delivered=200)
    assert len(there.posts) == 200
    assert len({post.peer for post in there.posts}) <= 32


def test_a_refused_callback_is_attempted_again_later_and_later(
    ledger: Ledger, database_url: str
) -> None:
    waits = []
    with receiver(lambda _: Reply(422)) as there:
        row_id = end(ledger, "a")
        sender = notify(ledger, there.url)
        for _ in range(4):
            sender.run()
            ((wait,),) = query(
                database_url,
                "SELECT extract(epoch FROM next_attempt_at - now())::int FROM callback",
            )
            waits.append(wait)
            assert sender.run() == Report()  # not due
            due_now(database_url)
        (callback,) = ledger.callbacks.of(row_id)
    assert waits == pytest.approx([5, 30, 120, 600], abs=2)
    assert (callback.attempts, callback.state) == (4, CallbackState.PENDING)
    assert callback.reason == "The receiver answered 422 Unprocessable Entity"
    assert len({post.message_id for post in there.posts}) == 1
    assert len(there.posts) == 4


@pytest.mark.parametrize(
    ("attempts", "retry_after", "least", "most"),
    [
        (1, None, 5, 6),
        (2, None, 30, 36),
        (3, None, 120, 144),
        (4, None, 600, 720),
        (8, None, 14_400, 17_280),
        (9, None, 28_800, 34_560),
        (20, None, 28_800, 34_560),
        (1, 60, 60, 60),
        (1, 86_400, 3_600, 3_600),
        (9, 60, 28_800, 34_560),
    ],
)
def test_back_off(attempts: int, retry_after: float | None, least: float, most: float) -> None:
    assert delay(attempts, 0.0, retry_after) == least
    assert delay(attempts, 1.0, retry_after) == most


def test_one_poison_callback_holds_up_no_other(ledger: Ledger, database_url: str) -> None:
    def answer(post: Post) -> Reply:
        return Reply(500 if post.name == "poison" else 200)

    with receiver(answer) as there:
        poison = end(ledger, "poison")
        sender = notify(ledger, there.url)
        for number in range(5):
            end(ledger, str(number))
            sender.run()
            due_now(database_url)
        assert sorted(there.names)[:5] == ["0", "1", "2", "3", "4"]
    assert ledger.pauses.of(["callback"]) == []
    (callback,) = ledger.callbacks.of(poison)
    assert callback.attempts == 5
    assert callback.reason == "The receiver answered 500 Internal Server Error"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_success_confirms(ledger: Ledger, status: int) -> None:
    with receiver(lambda _: Reply(status)) as there:
        end(ledger, "a")
        assert notify(ledger, there.url).run() == Report(delivered=1)


def reason_of(ledger: Ledger, url: str) -> str | None:
    """Return why one attempt of a callback failed; None if it was delivered."""
    row_id = end(ledger, str(next(_numbers)))
    sender = notify(ledger, url)
    asked = itertools.count()
    sender.run(going=lambda: next(asked) < 8, sleep=lambda _: None)
    ledger.pauses.end("callback")
    (callback,) = ledger.callbacks.of(row_id)
    return callback.reason


def test_redirects_within_the_origin_are_followed_three_times(ledger: Ledger) -> None:
    def answer(post: Post) -> Reply:
        number = int(post.path.rpartition("/")[2])
        return (
            Reply(308 if number % 2 else 307, {"Location": f"{number - 1}"}) if number else Reply()
        )

    with receiver(answer) as there:
        assert reason_of(ledger, there.url.replace("/hook", "/3")) is None
        assert [post.path for post in there.posts] == ["/3", "/2", "/1", "/0"]
        assert len({post.body for post in there.posts}) == 1
        Webhook(SECRET).verify(there.posts[-1].body, dict(there.posts[-1].headers))
        reason = reason_of(ledger, there.url.replace("/hook", "/4"))
        assert reason == "The receiver: it redirects more than 3 times"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_leads_to_another_origin(ledger: Ledger, status: int) -> None:
    with receiver() as other:
        locations = [
            other.url,
            other.url.replace("http:", "https:"),
            other.url.replace("http:", ""),
            "http://secret-host.test/",
            "file:///etc/passwd",
            "http://[broken",
        ]
        location = iter(locations)
        with receiver(lambda _: Reply(status, {"Location": next(location)})) as there:
            for _ in locations:
                reason = reason_of(ledger, there.url)
                assert reason is not None
                assert "redirects" in reason
                assert not {"secret-host", "passwd", "127.0.0.1"} & set(reason.split())
        assert other.posts == []


def test_a_body_without_end_is_given_up_and_the_status_counts(ledger: Ledger) -> None:
    with receiver(lambda _: Reply(200, body=b"x" * 65_536, endless=True)) as there:
        assert reason_of(ledger, there.url) is None
        there.answer = lambda _: Reply(200, body=b"x", hold_body=60)
        assert reason_of(ledger, there.url) is None
        there.answer = lambda _: Reply(422, body=b"x" * 65_536, endless=True)
        assert reason_of(ledger, there.url) == "The receiver answered 422 Unprocessable Entity"


def test_what_is_no_answer_is_a_fault_with_a_reason(ledger: Ledger) -> None:
    with receiver(lambda _: Reply(0)) as there:
        assert (
            reason_of(ledger, there.url)
            == "The receiver: the connection was closed without an answer"
        )
    reason = reason_of(ledger, f"http://127.0.0.1:{closed_port()}/hook")
    assert reason == "The receiver: no connection could be made"
    reason = reason_of(ledger, "http://no-such-host.invalid/hook")
    assert reason == "The receiver: the host name cannot be resolved"


def test_certificates_are_verified(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = certificate(tmp_path / "right", "127.0.0.1")
    other = certificate(tmp_path / "wrong", "127.0.0.2")
    untrusted = "The receiver: the certificate is not trusted"
    with receiver(certificate=files) as there, receiver(certificate=other) as wrong:
        assert reason_of(ledger, there.url) == untrusted
        for name in BUNDLES:
            monkeypatch.setenv(name, str(files[0]))
            assert reason_of(ledger, there.url) is None
            monkeypatch.delenv(name)
        monkeypatch.setenv(BUNDLES[0], str(other[0]))
        assert reason_of(ledger, wrong.url) == untrusted  # of another host
        assert wrong.posts == []


def test_a_login_in_the_url_is_sent_and_never_shown(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with receiver(lambda _: Reply(422)) as there:
        url = there.url.replace("http://", "http://user:pass-word@") + "?token=hidden-token"
        reasons = [reason_of(ledger, url)]
        assert there.posts[0].headers["authorization"].startswith("Basic ")
        assert there.posts[0].path == "/hook?token=hidden-token"
        there.answer = lambda _: Reply(302, {"Location": url})
        reasons.append(reason_of(ledger, url))
    reasons.append(reason_of(ledger, url))  # it is gone
    shown = caplog.text + " ".join(str(r.__dict__) for r in caplog.records) + str(reasons)
    assert all(reasons)
    assert not [word for word in ("pass-word", "hidden-token", SECRET) if word in shown]


def test_a_proxy_is_used_where_the_variables_name_one(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver() as there:
        port = int(there.url.rpartition(":")[2].partition("/")[0])
        with http_proxy(("127.0.0.1", port)) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url)
            assert reason_of(ledger, "http://client.test/hook") is None
            assert proxy.seen == [("POST", "http://client.test/hook")]


def test_a_receiver_that_is_away_pauses_and_nothing_counts(
    ledger: Ledger, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    away = threading.Event()
    away.set()
    with receiver(lambda _: Reply(503 if away.is_set() else 200)) as there:
        for number in range(100):
            end(ledger, f"{number % 50}")
        sender = notify(ledger, there.url)
        asked = itertools.count()
        sender.run(going=lambda: next(asked) < 20, sleep=lambda _: None)
        assert len(there.posts) <= 40
        (pause,) = ledger.pauses.of(["callback"])
        assert pause.reason == "The receiver answered 503 Service Unavailable"
        assert ledger.pauses.all() == []  # objects do not wait for it
        execute(
            database_url, "UPDATE pause SET probe_at = now(), since = now() - interval '1 hour'"
        )
        execute(database_url, "UPDATE callback SET next_attempt_at = now() + interval '8 hours'")
        before = len(there.posts)
        asked = itertools.count()
        sender.run(going=lambda: next(asked) < 4, sleep=lambda _: None)
        assert len(there.posts) == before + 1  # a probe
        assert max(c.attempts for c in callbacks(ledger, CallbackState.PENDING)) <= 1
        away.clear()
        execute(database_url, "UPDATE pause SET probe_at = now()")
        del there.posts[:]
        assert sender.run().delivered == 100
    assert ledger.pauses.of(["callback"]) == []
    for name in map(str, range(50)):
        sent = [post.message_id for post in there.posts if post.name == name]
        assert sent == [c.message_id for c in callbacks_of_name(ledger, name)]
    assert "callbacks are delivered again" in caplog.messages


def test_without_a_connection_the_first_callback_opens_the_pause(
    ledger: Ledger, database_url: str
) -> None:
    port = closed_port()
    row_id = end(ledger, "a")
    sender = notify(ledger, f"http://127.0.0.1:{port}/hook")
    asked = itertools.count()
    sender.run(going=lambda: next(asked) < 8, sleep=lambda _: None)
    (callback,) = ledger.callbacks.of(row_id)
    assert (callback.attempts, callback.state) == (0, CallbackState.PENDING)
    with receiver(port=port) as there:
        execute(database_url, "UPDATE pause SET probe_at = now()")
        # Another process learns of the pause from the ledger.
        assert notify(ledger, there.url).run().delivered == 1


def test_a_callback_is_given_up_after_a_day_and_may_be_replayed(
    ledger: Ledger, database_url: str
) -> None:
    replies = iter([Reply(422), Reply(422), Reply(200)])
    counted_before = tally.process.take()
    with receiver(lambda _: next(replies)) as there:
        row_id = end(ledger, "a")
        assert notify(ledger, there.url).run() == Report(failed=1)
        due_now(database_url)
        execute(database_url, "UPDATE callback SET give_up_at = now()")
        sender = notify(ledger, there.url)
        assert sender.run() == Report(failed=1, given_up=1)
        assert ledger.callbacks.counts().undelivered == 1
        assert ledger.replays.perform(Choice()) == 1
        assert sender.run() == Report(delivered=1)
    (callback,) = ledger.callbacks.of(row_id)
    assert callback.state is CallbackState.DELIVERED
    assert {post.message_id for post in there.posts} == {callback.message_id}
    counted = tally.process.take()
    tally.process.put_back(counted_before)
    outcomes = {labels[0]: n for (m, labels), n in counted.counts.items() if m is DELIVERIES}
    assert outcomes == {"retry": 1, "undelivered": 1, "delivered": 1}


def test_retry_after_is_respected(ledger: Ledger, database_url: str) -> None:
    with receiver(lambda _: Reply(429, {"Retry-After": "90"})) as there:
        end(ledger, "a")
        notify(ledger, there.url).run()
    ((wait,),) = query(
        database_url, "SELECT extract(epoch FROM next_attempt_at - now())::int FROM callback"
    )
    assert wait == pytest.approx(90, abs=2)


def test_what_there_is_no_time_for_is_given_back(ledger: Ledger) -> None:
    with receiver() as there:
        for number in range(60):
            end(ledger, str(number))
        going = iter([True, True, *[False] * 100])
        report = notify(ledger, there.url).run(going=lambda: next(going))
        assert 0 < len(there.posts) == report.delivered < 60
        assert notify(ledger, there.url).run().delivered == 60 - report.delivered
    assert len({post.message_id for post in there.posts}) == 60 == len(there.posts)


def test_an_unreachable_ledger_is_raised() -> None:
    away = Ledger(Database(f"postgresql://sync@127.0.0.1:{closed_port()}/sync", *QUERIES))
    with pytest.raises(LedgerUnavailable):
        notify(away, "http://127.0.0.1:1/").run()


PROCESS = """
from functions.notify.handler import handler

class Context:
    def get_remaining_time_in_millis(self):
        return 60_000

print(handler({}, Context()))
"""


def test_killed_before_the_record_it_is_delivered_again(ledger: Ledger, database_url: str) -> None:
    with receiver() as there:
        end(ledger, "a")
        variables = {
            "DATABASE_URL": database_url,
            "CALLBACK_URL": there.url,
            "CALLBACK_SECRET": SECRET,
            "LOCAL_RUN": "1",
            "PATH": os.environ["PATH"],
        }

        def run(**more: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "-c", PROCESS],
                env=variables | more,
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )

        assert run(CRASH_POINT="after-delivery").returncode == -signal.SIGKILL
        execute(database_url, "UPDATE callback SET leased_until = now() - interval '1 second'")
        done = run()
        assert "'delivered': 1" in done.stdout, done.stderr
    assert len(there.posts) == 2
    assert len({post.message_id for post in there.posts}) == 1


NODE = """
const { Webhook } = require("standardwebhooks");
const post = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(new Webhook(post.secret).verify(post.body, post.headers).type);
"""


def test_the_reference_library_of_javascript_verifies(ledger: Ledger) -> None:
    node, modules = shutil.which("node"), os.environ.get("STANDARD_WEBHOOKS_NODE_MODULES")
    if node is None or modules is None:
        pytest.skip("STANDARD_WEBHOOKS_NODE_MODULES: folder with npm's standardwebhooks")
    with receiver() as there:
        end(ledger, "ä.jpg")
        notify(ledger, there.url, SECRET, PREVIOUS).run()
    (post,) = there.posts
    for secret in (SECRET, PREVIOUS):
        document = {"secret": secret, "body": post.body.decode(), "headers": dict(post.headers)}
        done = subprocess.run(
            [node, "-e", NODE],
            input=json.dumps(document),
            env={"NODE_PATH": modules},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.stdout.strip() == "object.synced", done.stderr
