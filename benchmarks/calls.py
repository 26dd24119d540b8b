"""Calls per second and format, against DuckDB's `read_json` and `COPY` of the same payloads."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl

from benchmarks.report import Report
from cio_pipeline.files.encode_calls import COLUMNS, CallFormat, encode_calls
from cio_pipeline.files.spool import Spool

CALLS = 100_000
ROUNDS = 3
GOAL = 0.7
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

FORMATS = {"json": "json", "csv": "csv", "parquet": "parquet, compression zstd"}
"""How DuckDB is told."""

MEMBERS = ("type", "messageId", "userId", "timestamp", "event", "context", "properties")


def run(data: Path, scale: float) -> Report:
    """Encode the calls of one workspace, both in turn; the best of some rounds of each."""
    count = max(1000, int(CALLS * scale))
    rows = _rows(count)
    spool = Spool(data / "calls")
    (spool.folder("duckdb") / "calls.ndjson").write_text("\n".join(rows["payload"]))
    measured = {name: _measure(rows, spool, name) for name in FORMATS}
    ratios = {
        name: (duck[1] / made[1], duck[0] / made[0]) for name, (made, duck) in measured.items()
    }
    table = [
        (
            name,
            f"{count / made[1]:,.0f}",
            f"{count / duck[1]:,.0f}",
            *(f"{ratio:.2f}" for ratio in ratios[name]),
        )
        for name, (made, duck) in measured.items()
    ]
    return Report(
        "calls",
        f"{count:,} calls of 0.5 KB into files of three types",
        f"at least {GOAL:g} of the rows a second of DuckDB, whose members are JSON texts, too",
        ", ".join(f"{cpu:.2f} as {name}" for name, (cpu, _) in ratios.items()),
        ("format", "calls per CPU s", "of DuckDB", "ratio", "by the clock"),
        table,
        {"calls": count, "seconds": measured, "ratios": ratios},
    )


def _measure(
    rows: pl.DataFrame, spool: Spool, name: str
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Seconds by the clock and of CPU, of the product and of DuckDB."""
    how = CallFormat(name, "us", rows_per_file=200_000)

    def make() -> None:
        encoded = encode_calls(rows.lazy(), how, spool=spool, folder="calls-1")
        if encoded.rejected or sum(file.rows for file in encoded.files) != rows.height:
            raise RuntimeError("not every call was written")

    rounds = [
        (_seconds(make), _seconds(lambda: _duckdb(spool.folder("duckdb"), FORMATS[name])))
        for _ in range(ROUNDS)
    ]
    made, duck = (tuple(map(min, zip(*one, strict=True))) for one in zip(*rounds, strict=True))
    return made, duck


def _seconds(work: Callable[[], None]) -> tuple[float, float]:
    clock, cpu = time.monotonic(), time.process_time()
    work()
    return time.monotonic() - clock, time.process_time() - cpu


def _duckdb(folder: Path, how: str) -> None:
    columns = ", ".join(f"{name}: 'JSON'" for name in MEMBERS)
    read = f"read_json('{folder}/calls.ndjson', format='newline_delimited', columns={{{columns}}})"
    with duckdb.connect() as database:
        database.execute(f"COPY (FROM {read}) TO '{folder}/calls' (FORMAT {how})")


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
