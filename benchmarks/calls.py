"""Calls per second and format, against a bare write of the same rows as they are."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from benchmarks.report import Report
from cio_pipeline.files.encode_calls import COLUMNS, CallFormat, encode_calls
from cio_pipeline.files.spool import Spool

CALLS = 100_000
ROUNDS = 3
GOAL = 80.0
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

BARE: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    "json": lambda rows, path: rows.write_ndjson(path),
    "csv": lambda rows, path: rows.write_csv(path),
    "parquet": lambda rows, path: rows.write_parquet(path, compression="zstd"),
}
"""Polars writes the source's rows: payloads stay text, nothing in them is looked at."""


def run(data: Path, scale: float) -> Report:
    """Encode the calls of one workspace; the best of some rounds of each."""
    count = max(1000, int(CALLS * scale))
    rows = _rows(count)
    spool = Spool(data / "calls")
    measured = {name: _measure(rows, spool, name) for name in BARE}
    ratios = {name: made / bare for name, (made, bare) in measured.items()}
    table = [
        (name, f"{made:.2f}", f"{count / made:,.0f}", f"{bare:.2f}", f"{made / bare:.1f}")
        for name, (made, bare) in measured.items()
    ]
    return Report(
        "calls",
        f"{count:,} calls of 0.5 KB into files of three types",
        f"within {GOAL:g} times a bare write, which does not look into payloads",
        f"{max(ratios.values()):.1f} times",
        ("format", "wall s", "calls per s", "bare write, wall s", "ratio"),
        table,
        {"calls": count, "seconds": measured, "ratios": ratios},
    )


def _measure(rows: pl.DataFrame, spool: Spool, name: str) -> tuple[float, float]:
    """Seconds of the product, and of a bare write."""
    how = CallFormat(name, "us", rows_per_file=200_000)
    made, bare = [], []
    for _ in range(ROUNDS):
        begun = time.monotonic()
        encoded = encode_calls(rows.lazy(), how, spool=spool, folder="calls-1")
        made.append(time.monotonic() - begun)
        if encoded.rejected or sum(file.rows for file in encoded.files) != rows.height:
            raise RuntimeError("not every call was written")
        begun = time.monotonic()
        BARE[name](rows, spool.folder("bare") / f"calls.{name}")
        bare.append(time.monotonic() - begun)
    return min(made), min(bare)


def _rows(count: int) -> pl.DataFrame:
    kinds = ("track", "page", "identify")
    names = [kinds[number % len(kinds)] for number in range(count)]
    payloads = [_payload(number, kind) for number, kind in enumerate(names)]
    ids = [f"call-{number}" for number in range(count)]
    columns = [[1] * count, ids, names, [NOON] * count, payloads, ids]
    return pl.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def _payload(number: int, kind: str) -> str:
    return json.dumps(
        {
            "type": kind,
            "messageId": f"m-{number}",
            "userId": f"user-{number % 1000}",
            "timestamp": f"2026-03-01T12:00:{number % 60:02}.{number % 1000:03}Z",
            "event": "Order Completed",
            "context": {"library": {"name": "analytics.js", "version": "2.11.1"}, "ip": "10.0.0.1"},
            "properties": {"total": number / 7, "items": [number, number + 1], "note": "x" * 200},
        }
    )
