"""`make bench-rows`: what a row costs PostgreSQL when it is recorded, claimed, placed and settled.

The ledger's own statements, in batches as a worker has them, against a private server that waits
for no disk: only its processor time and what it writes to its log are measured. The least of
several runs counts, because other work on the machine can only add to it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

from bench import command, ledgers
from bench.processes import cpu_seconds
from local.servers.ports import free_port
from local.servers.postgres import PostgresServer, native_binaries
from shared.domain import Fetched
from shared.ledger.ledger import Ledger
from shared.ledger.recorder import Recorder
from shared.ledger.rows import Claim, NewObject, Outcome, Settlement

OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
}
LOG_POSITION = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"
ETAG = "d41d8cd98f00b204e9800998ecf8427e"


class Cost(NamedTuple):
    """What a step cost for each row: processor time in µs, bytes of the log."""

    cpu: float
    log: float


def main() -> None:
    """Measure, and print a table."""
    parser = command.parser("bench-rows")
    parser.add_argument("--rows", type=int, default=5120, help="rows of a run")
    parser.add_argument("--before", type=int, default=50_000, help="synced rows before them")
    parser.add_argument("--group", type=int, default=32, help="rows recorded by one statement")
    parser.add_argument("--batch", type=int, default=128, help="rows claimed by one statement")
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    with command.scratch(given.scratch) as folder:
        binaries = native_binaries()
        server = PostgresServer(folder / "postgres", free_port(), binaries, options=OPTIONS)
        server.start()
        try:
            server.wait_ready()
            url = ledgers.make(server.url, "rows", given.before, lambda _: None)
            with closing(Ledger.at(url)) as ledger:
                run = _Run(server, url, ledger, given.group, given.batch)
                runs = [run.measure(given.rows) for _ in range(given.runs)]
        finally:
            server.stop()
    command.print_lines(_table(runs))


class _Run:
    def __init__(
        self, server: PostgresServer, url: str, ledger: Ledger, group: int, batch: int
    ) -> None:
        self._server, self._url, self._ledger = server, url, ledger
        self._group, self._batch = group, batch

    def measure(self, rows: int) -> dict[str, Cost]:
        """Bring new rows to their end, and return what each step cost."""
        new = [_new(secrets.token_hex(8)) for _ in range(rows)]
        row_ids: list[int] = []
        claims: list[list[Claim]] = []
        costs = {
            "record": self._cost(rows, lambda: row_ids.extend(self._record(new))),
            "claim": self._cost(rows, lambda: claims.extend(self._claim(row_ids))),
            "hold": self._cost(rows, lambda: self._hold(claims)),
            "settle": self._cost(rows, lambda: self._settle(claims)),
        }
        settled = sum(map(len, claims))
        if settled != rows:
            raise AssertionError(f"{settled} of {rows} rows were settled")
        ledgers.settle(self._url)
        return {
            **costs,
            "a file": Cost(sum(c.cpu for c in costs.values()), sum(c.log for c in costs.values())),
        }

    def _cost(self, rows: int, step: Callable[[], None]) -> Cost:
        pid = self._server.pid or 0
        ((log,),) = ledgers.execute(self._url, LOG_POSITION)
        cpu = cpu_seconds(pid)
        step()
        cpu = cpu_seconds(pid) - cpu
        ((log_after,),) = ledgers.execute(self._url, LOG_POSITION)
        return Cost(cpu / rows * 1e6, (log_after - log) / rows)

    def _record(self, new: Sequence[NewObject]) -> Iterator[int]:
        record = Recorder(self._ledger.database)._record  # noqa: SLF001 # a group of known size
        for first in range(0, len(new), self._group):
            yield from filter(None, record(new[first : first + self._group], 30.0))

    def _claim(self, row_ids: Sequence[int]) -> Iterator[list[Claim]]:
        for first in range(0, len(row_ids), self._batch):
            batch = row_ids[first : first + self._batch]
            yield self._ledger.claim(batch, lease_seconds=60, max_attempts=8, one_per_name=True)

    def _hold(self, claims: Sequence[Sequence[Claim]]) -> None:
        for batch in claims:
            with self._ledger.placing() as placing:
                placing.hold([(claim, ETAG) for claim in batch])

    def _settle(self, claims: Sequence[Sequence[Claim]]) -> None:
        copy = Fetched(size=0, sha256=bytes(32), etag=ETAG, verified_by="md5")
        for batch in claims:
            self._ledger.settle([Settlement(c, Outcome.SYNCED, fetched=copy) for c in batch])


def _new(text: str) -> NewObject:
    return NewObject(
        oeid=f"object-{text}",
        ref_id=f"reference-{text}",
        file_name=f"incoming/{text[:2]}/{text}.jpg",
        file_type="image/jpeg",
        payload_checksum=hashlib.sha256(text.encode()).digest(),
        request_id=text,
    )


def _table(runs: Sequence[Mapping[str, Cost]]) -> Iterator[str]:
    yield "| a row | PostgreSQL's processor time, µs | its log, bytes |"
    yield "|---|---|---|"
    for name in runs[0]:
        costs = [run[name] for run in runs]
        yield f"| {name} | {min(c.cpu for c in costs):.0f} | {min(c.log for c in costs):.0f} |"


if __name__ == "__main__":
    main()
