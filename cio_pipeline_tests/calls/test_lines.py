"""Bad input is told with line and reason, and never stops the batch (docs/calls.md)."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.json_text import DEEPEST
from cio_pipeline.sources.append import append_rows
from cio_pipeline.sources.batches import BATCH_ROWS
from cio_pipeline.sources.call_lines import CallLines
from cio_pipeline_tests.calls.steps import calls_sync, paths, run
from cio_pipeline_tests.world import NOON, World

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
GOOD = b'{"type":"track","event":"good"}'


def read(content: bytes, origin: str = "file") -> tuple[pl.DataFrame, list[tuple[int, str]]]:
    lines = CallLines(1, AT)
    batches = list(lines.read_from("c.ndjson", origin, io.BytesIO(content)))
    rows = pl.concat(batches) if batches else pl.DataFrame({"payload": []})
    return rows, [(one.line, one.reason) for one in lines.bad]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"type":"track","event":', "is no valid JSON"),
        (b'{"type":"track","event":"\xff"}', "is no valid UTF-8"),
        (b'{"type":"track","type":"page"}', "has a key that stands twice"),
        (b'{"type":"track","a":NaN}', "holds NaN or Infinity, which is no JSON"),
        (b'{"type":"track","a":[-Infinity]}', "holds NaN or Infinity, which is no JSON"),
        (b'{"type":"track"} {}', "is no valid JSON"),
        (b'[{"type":"track"}]', "is no JSON object"),
        (b'{"event":"x"}', "has no type"),
        (
            b'{"type":"teleport"}',
            "has a type that is none of identify, track, page, screen, group, alias",
        ),
        (
            b'{"type":null}',
            "has a type that is none of identify, track, page, screen, group, alias",
        ),
        (
            b'{"type":"track","a":' + b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1) + b"}",
            f"is nested deeper than {DEEPEST:,} levels",
        ),
    ],
)
def test_a_line_that_is_no_call_is_told_and_the_others_go_on(line: bytes, reason: str) -> None:
    rows, bad = read(b"\n".join([GOOD, line, b"", GOOD]))
    assert bad == [(2, reason)]
    assert rows["payload"].to_list() == [GOOD.decode()] * 2
    assert rows["call_id"].n_unique() == 2


ODD = {
    "half of a pair": '"\\ud83d"',
    "1,000 levels": '{"a":' * 1000 + "1" + "}" * 1000,
    "twice within": '{"a":1,"a":2}',
    "5,000 digits": "9" * 5000,
    "10 MB": '"' + "x" * 10 * 2**20 + '"',
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_calls_go_to_every_format_to_the_last_character(odd: str, tmp_path: Path) -> None:
    payload = f'{{"type":"Track","event":{ODD[odd]},"properties":{ODD[odd]}}}'
    rows, bad = read(b"\xef\xbb\xbf" + payload.encode() + b"\n")
    assert bad == []
    assert rows["payload"].to_list() == [payload]
    world = World(tmp_path)
    for file_format in ("json", "csv", "parquet"):
        calls_sync(world, file_format, format=file_format)
    append_rows(world.source_uri, SOURCE_TABLES["calls"], [rows], NOON)

    outcomes = run(world, 0)

    assert {(one.error, one.rows) for one in outcomes} == {(None, 1)}
    (text,) = paths(world, "track", "json")
    assert f'"event_text":{ODD[odd]},"properties":{ODD[odd]}}}' in text.read_text()
    csv.field_size_limit(2**30)
    with paths(world, "track", "csv")[0].open(newline="") as file:
        (cells,) = csv.DictReader(file)
    (values,) = pq.read_table(paths(world, "track", "parquet")[0]).to_pylist()
    assert cells["properties"] == values["properties"] == ODD[odd]
    world.ledger.close()


def test_calls_are_told_apart_by_id_and_payload_and_read_again_are_the_same() -> None:
    same = b'{"type":"track","messageId":"m","event":"a"}'
    other = b'{"type":"track","messageId":"m","event":"b"}'
    content = b"\n".join([same, other, same, GOOD, GOOD])
    rows, _ = read(content)
    ids = rows["call_id"].to_list()
    assert ids[0] == ids[2] != ids[1]
    assert ids[3] != ids[4]
    assert read(content)[0].equals(rows)
    assert read(GOOD, "another file")[0]["call_id"][0] not in ids


def test_the_time_of_receipt_is_the_payloads_or_that_of_the_load() -> None:
    told = b'{"type":"page","receivedAt":"2021-07-12T23:02:40.563Z"}'
    rows, _ = read(b"\n".join([told, b'{"type":"page","receivedAt":"soon"}']))
    assert rows["received_at"].to_list() == [datetime(2021, 7, 12, 23, 2, 40, 563000, UTC), AT]


def test_lines_come_in_batches() -> None:
    lines = CallLines(1, AT)
    content = b"".join(
        json.dumps({"type": "page", "n": n}).encode() + b"\n" for n in range(BATCH_ROWS + 1)
    )
    batches = lines.read_from("c.ndjson", "file", io.BytesIO(content))
    assert [batch.height for batch in batches] == [BATCH_ROWS, 1]
