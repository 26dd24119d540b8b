"""Messages a second, against bare parallel puts of the same bodies with the same client."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.report import Report
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.destinations.local import LocalFolder
from cio_pipeline.destinations.overlap import location
from cio_pipeline.files.spool import Spool
from cio_pipeline.ledger.open import open_ledger
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.windows import data_out_window
from cio_pipeline.pipeline.feeds.put_messages import PUTS
from cio_pipeline.pipeline.lifecycle.apply import apply_syncs
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline.pipeline.services import Services
from cio_pipeline.sources.delta import DeltaSource
from cio_pipeline.sources.message_lines import MessageLines
from cio_pipeline.sources.tables import commit_rows, create_tables

MESSAGES = 5000
ROUNDS = 3
GOAL = 2.0
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def run(data: Path, scale: float) -> Report:
    """A window of messages into a local folder; the best of some rounds of each."""
    count = max(100, int(MESSAGES * scale))
    rounds = [_round(data / f"messages-{number}", count) for number in range(ROUNDS)]
    sent, bare = (min(times) for times in zip(*rounds, strict=True))
    return Report(
        "messages",
        f"A window of {count:,} messages of 2 KB into a local folder",
        f"within {GOAL:g} times the bare puts",
        f"{sent / bare:.2f} times",
        ("", "wall s", "messages per s"),
        [
            ("cut, plan, seal, deliver, commit", f"{sent:.2f}", f"{count / sent:,.0f}"),
            (f"{PUTS} threads that put the bodies", f"{bare:.2f}", f"{count / bare:,.0f}"),
        ],
        {"messages": count, "rounds": rounds, "ratio": sent / bare},
    )


def _round(home: Path, count: int) -> tuple[float, float]:
    """Seconds of the product, and of bare puts of the same bodies."""
    home.mkdir(parents=True)
    bodies = [_body(number) for number in range(count)]
    services = _prepared(home, bodies)
    begun = time.monotonic()
    (outcome,) = run_export(services, "messages", data_out_window(NOON), Scope())
    sent = time.monotonic() - begun
    if outcome.error or outcome.files != count:
        raise RuntimeError(outcome.error)
    bare = LocalFolder(home / "bare")
    begun = time.monotonic()
    with ThreadPoolExecutor(PUTS) as pool:
        puts = [pool.submit(bare.overwrite, f"{n}.json", b, {}) for n, b in enumerate(bodies)]
        for put in puts:
            put.result()
    return sent, time.monotonic() - begun


def _prepared(home: Path, bodies: list[bytes]) -> Services:
    ledger = open_ledger(f"sqlite:///{home / 'ledger.db'}")
    table, source = SOURCE_TABLES["messages"], str(home / "source")
    create_tables(source, [table])
    lines = home / "messages.ndjson"
    lines.write_bytes(b"".join(_line(n, body) for n, body in enumerate(bodies)))
    read = MessageLines(1, NOON)
    commit_rows(source, table, pl.concat(read.read(lines)), NOON + timedelta(minutes=1))
    config: dict[str, Any] = {"id": "a", "workspace_id": 1, "feed": "messages"}
    place = {"type": "local", "path": str(home / "bucket")}
    sync = Sync.model_validate({**config, "destination": place})
    services = Services(
        source=DeltaSource(source),
        ledger=ledger,
        destinations=lambda _: LocalFolder(home / "bucket"),
        spool=Spool(home / "spool"),
        clock=lambda: NOON + timedelta(hours=1),
    )
    apply_syncs(services, [sync], lambda one: location(one.destination, home), NOON)
    return services


def _body(number: int) -> bytes:
    return json.dumps({"data": {"n": number, "text": f"{number:06}" * 330}}).encode()


def _line(number: int, body: bytes) -> bytes:
    metadata = {"event-id": f"e{number}", "timestamp": f"{NOON:%Y-%m-%dT%H:%M:%S}.123456789Z"}
    return b'{"metadata": %b, "body": %b}\n' % (json.dumps(metadata).encode(), body)
