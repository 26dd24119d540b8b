from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from polars.io.plugins import register_io_source

from cio_pipeline.contracts.catalog import EXPORTS, VERSIONS, exports_of
from cio_pipeline.contracts.declare import Export, fingerprint
from cio_pipeline.contracts.dtypes import arrow_schema
from cio_pipeline.files import growing
from cio_pipeline.files.encode import Encoded, encode
from cio_pipeline.files.footers import finish
from cio_pipeline.files.spool import Spool, sha256_of
from cio_pipeline.model.changeset import SERIES
from cio_pipeline.model.errors import ColumnMismatch, SourceError, SourceGone, VersionGone
from cio_pipeline.model.plans import QuarantinedRow, Series
from cio_pipeline_tests.files.rows import NO_REJECTS, rows_of

SUBJECTS = EXPORTS["subjects"]
DELIVERIES = EXPORTS["deliveries"]
PEOPLE = EXPORTS["people"]
_LIKE_STATISTICS = (
    "\x15\x0c" + 4 * "\x16\x01" + "\x1c\x36\x00\x28\x08" + 8 * "\x01" + "\x18\x08" + 8 * "\x01"
)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path)


def encoded(
    spool: Spool,
    rows: pl.LazyFrame,
    export: Export = DELIVERIES,
    *,
    version: int = 5,
    unit: str = "us",
    rows_per_file: int = 1000,
    rejected: pl.LazyFrame = NO_REJECTS,
    total: int | None = None,
) -> Encoded:
    return encode(
        rows,
        rejected,
        export,
        version,
        unit,
        rows_per_file=rows_per_file,
        spool=spool,
        folder="plans",
        total=None if total is None else lambda: total,
    )


@pytest.mark.parametrize(
    ("export", "version"),
    [(export, version) for version in VERSIONS for export in exports_of(version)],
    ids=lambda value: value.name if isinstance(value, Export) else f"v{value}",
)
@pytest.mark.parametrize("unit", ["us", "ms"])
def test_d2_every_file_has_the_schema_of_its_contract(
    spool: Spool, export: Export, version: int, unit: str
) -> None:
    full = rows_of(export, version, 2)
    sparse = rows_of(export, version, 2, sparse=True).with_columns(workspace_id=pl.lit(2, pl.Int64))
    files = encoded(spool, pl.concat([full, sparse]), export, version=version, unit=unit).files
    wanted = [(f.name, f.nullable) for f in arrow_schema(export, version, unit)]
    for file in files:
        parquet = pq.ParquetFile(spool.path(file.path))
        found = parquet.schema_arrow
        assert [(f.name, f.nullable) for f in found] == wanted
        assert all(
            not pa.types.is_timestamp(f.type) or f.type == pa.timestamp(unit, "UTC") for f in found
        )
        assert parquet.schema.equals(pq.ParquetFile(spool.path(files[0].path)).schema)
        assert parquet.metadata.row_group(0).column(0).compression == "ZSTD"
        assert parquet.metadata.row_group(0).column(0).is_stats_set
        assert parquet.metadata.num_rows == file.rows
    assert len(files) == 2


def test_d5_files_roll_over_by_rows_and_keep_the_order(spool: Spool) -> None:
    files = encoded(spool, rows_of(SUBJECTS, 5, 25, workspaces=2), SUBJECTS, rows_per_file=5).files
    assert [(f.workspace_id, f.index, f.rows) for f in files] == [
        (1, 0, 5),
        (1, 1, 5),
        (1, 2, 3),
        (2, 0, 5),
        (2, 1, 5),
        (2, 2, 2),
    ]
    sent = [pl.read_parquet(spool.path(f.path)) for f in files]
    assert pl.concat(sent)["seq_num"].to_list() == [*range(0, 25, 2), *range(1, 25, 2)]
    assert [frame["workspace_id"].unique().to_list() for frame in sent] == [[1]] * 3 + [[2]] * 3


def test_d5_the_last_file_may_be_full(spool: Spool) -> None:
    files = encoded(spool, rows_of(SUBJECTS, 5, 10), SUBJECTS, rows_per_file=5).files
    assert [file.rows for file in files] == [5, 5]


def test_d2_a_file_has_the_same_bytes_however_long_it_waits_in_memory(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(DELIVERIES, 5, 5000, workspaces=3)
    waiting = encoded(spool, rows).files
    monkeypatch.setattr(growing, "SMALL", 0)
    assert encoded(spool, rows).files == waiting
    for file in waiting:
        assert sha256_of(spool.path(file.path)) == file.sha256


@pytest.mark.usefixtures("few_files")
def test_more_large_files_are_written_than_a_process_may_have_open(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growing, "SMALL", 0)
    rows = rows_of(DELIVERIES, 5, 800, workspaces=800)
    assert len(encoded(spool, rows).files) == 800


def test_d5_series_are_apart_and_described(spool: Spool) -> None:
    rows = pl.concat(
        [
            rows_of(PEOPLE, 5, 3, series="chngs"),
            rows_of(PEOPLE, 5, 2, series="plain"),
        ]
    )
    chngs, plain = encoded(spool, rows, PEOPLE).files
    assert (chngs.series, chngs.rows, plain.series, plain.rows) == (
        Series.CHNGS,
        3,
        Series.PLAIN,
        2,
    )
    path = spool.path(chngs.path)
    assert (chngs.bytes, chngs.sha256) == (path.stat().st_size, sha256_of(path))
    assert chngs.min_time == datetime(2026, 1, 1, tzinfo=UTC)
    assert chngs.max_time == datetime(2026, 1, 1, 0, 0, 2, tzinfo=UTC)
    assert SERIES not in pl.read_parquet_schema(path)


def test_d2_the_footer_says_which_contract_and_nothing_of_the_sync(spool: Spool) -> None:
    one, two = encoded(spool, rows_of(DELIVERIES, 5, 4, workspaces=2)).files
    entries = [pl.read_parquet_metadata(spool.path(f.path)) for f in (one, two)]
    assert entries[0] == entries[1]
    assert {k: v for k, v in entries[0].items() if k.startswith("cio.")} == {
        "cio.export": "deliveries",
        "cio.version": "5",
        "cio.fingerprint": fingerprint(DELIVERIES, 5),
        "cio.producer": "cio-pipeline 0.1.0",
    }


def test_d2_a_workspace_alone_gives_the_bytes_of_the_shared_pass(spool: Spool) -> None:
    rows = rows_of(SUBJECTS, 5, 300_000, workspaces=3)
    shared = encoded(spool, rows, SUBJECTS, rows_per_file=70_000).files
    alone = encoded(
        spool, rows.filter(pl.col("workspace_id") == 2), SUBJECTS, rows_per_file=70_000
    ).files
    assert [f for f in shared if f.workspace_id == 2] == list(alone)
    assert len(alone) == 2


def test_d5_no_rows_no_file(spool: Spool) -> None:
    assert encoded(spool, rows_of(DELIVERIES, 5, 0)) == Encoded((), ())


def test_what_a_killed_attempt_left_is_gone(spool: Spool) -> None:
    encoded(spool, rows_of(DELIVERIES, 5, 5000, workspaces=3))
    left = spool.folder("plans") / "9-plain-0.parquet.tmp"
    left.write_bytes(b"half")
    files = encoded(spool, rows_of(DELIVERIES, 5, 3)).files
    assert [p.name for p in spool.folder("plans").iterdir()] == [Path(files[0].path).name]


@pytest.mark.parametrize(
    "ticks",
    [[0], [-7, 3], [None, 5], [None, None], list(range(300)), [2**62], [-(2**62), 1]],
    ids=str,
)
@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("text", ["", "\x19\x18\x02at" + _LIKE_STATISTICS], ids=["", "alike"])
def test_d10_times_are_those_that_the_statistics_tell(
    tmp_path: Path, ticks: list[int | None], groups: int, text: str
) -> None:
    """Also where a text of the rows looks like a part of a footer."""
    path = str(tmp_path / "some.parquet")
    times = pl.Series("at", ticks, dtype=pl.Datetime("us", "UTC"))
    others = [pl.lit(1).alias("atat"), pl.lit(text).alias("name"), pl.lit(9).alias("id")]
    frame = times.to_frame().with_columns(others).select("id", "name", "at", "atat")
    frame.write_parquet(path, row_group_size=-(-len(ticks) // groups))
    found = finish(path, "at", "us")
    known = [tick for tick in ticks if tick is not None]
    assert (found.min_time, found.max_time) == (
        _time(min(known, default=2**62)),
        _time(max(known, default=2**62)),
    )


def _time(ticks: int) -> datetime | None:
    start = datetime(1970, 1, 1, tzinfo=UTC)
    return start + timedelta(microseconds=ticks) if abs(ticks) < 2**60 else None


def test_times_outside_of_the_calendar_are_left_out(spool: Spool) -> None:
    rows = rows_of(DELIVERIES, 5, 2).with_columns(
        pl.lit(2**62).cast(pl.Datetime("us", "UTC")).alias(str(DELIVERIES.time_column))
    )
    (file,) = encoded(spool, rows).files
    assert (file.min_time, file.max_time) == (None, None)


def test_rejected_rows_are_returned_in_order(spool: Spool) -> None:
    rejected = pl.LazyFrame(
        {
            "reason": ["b", "a", "a"],
            "identity": ['["2"]', '["2"]', '["1"]'],
            "workspace_id": [1, 1, 2],
            "count": [1, 2, 1],
        }
    )
    found = encoded(spool, rows_of(DELIVERIES, 5, 1), rejected=rejected).rejected
    assert found == (
        QuarantinedRow(1, '["2"]', "a", 2),
        QuarantinedRow(1, '["2"]', "b", 1),
        QuarantinedRow(2, '["1"]', "a", 1),
    )


def test_rejected_rows_are_looked_for_only_where_a_row_is_missing(spool: Spool) -> None:
    def read(*_: object) -> Iterator[pl.DataFrame]:
        looked.append(True)
        yield NO_REJECTS.collect()

    looked: list[bool] = []
    rejected = register_io_source(read, schema=NO_REJECTS.collect_schema())
    encoded(spool, rows_of(DELIVERIES, 5, 3), rejected=rejected, total=3)
    assert not looked
    encoded(spool, rows_of(DELIVERIES, 5, 3), rejected=rejected, total=4)
    assert looked


def test_a_null_in_a_required_column_is_named_and_leaves_nothing(spool: Spool) -> None:
    rows = rows_of(DELIVERIES, 5, 9).with_columns(delivery_id=pl.lit(None, pl.String))
    with pytest.raises(ColumnMismatch, match="delivery_id must not be null"):
        encoded(spool, rows)
    assert not spool.path("plans").exists()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda rows: rows.drop("workspace_id"), "these columns differ: workspace_id"),
        (lambda rows: rows.select(x=pl.col("nowhere")), 'unable to find column "nowhere"'),
        (lambda rows: rows.with_columns(x=1), "these columns differ: x"),
        (lambda rows: rows.select(SERIES, pl.exclude(SERIES)), "their order"),
        (lambda rows: rows.with_columns(seq_num=pl.lit("1")), "seq_num is String instead of Int64"),
        (
            lambda rows: rows.with_columns(pl.col("created_at").dt.replace_time_zone(None)),
            "created_at is Datetime",
        ),
    ],
)
def test_columns_that_do_not_fit_are_named(
    spool: Spool, change: Callable[[pl.LazyFrame], pl.LazyFrame], text: str
) -> None:
    with pytest.raises(ColumnMismatch, match=text):
        encoded(spool, change(rows_of(DELIVERIES, 5, 3)))


def test_a_source_file_that_is_gone_is_a_version_that_is_gone(spool: Spool, tmp_path: Path) -> None:
    path = tmp_path / "source.parquet"
    rows_of(DELIVERIES, 5, 3).sink_parquet(path)
    rows = pl.scan_parquet(path)
    rows.collect_schema()
    path.unlink()
    with pytest.raises(VersionGone, match="deliveries"):
        encoded(spool, rows)


def test_errors_of_the_source_keep_their_type(spool: Spool) -> None:
    batch = rows_of(DELIVERIES, 5, 3).collect()

    def read(*_: object) -> Iterator[pl.DataFrame]:
        yield batch
        raise SourceGone("The table deliveries cannot be found.")

    with pytest.raises(SourceGone, match="cannot be found"):
        encoded(spool, register_io_source(read, schema=batch.schema))
    assert not spool.path("plans").exists()


def test_failing_expressions_never_show_values(spool: Spool) -> None:
    rows = rows_of(DELIVERIES, 5, 3).with_columns(
        recipient=pl.format("secret of person {}", "seq_num")
    )
    rows = rows.with_columns(seq_num=pl.col("recipient").cast(pl.Int64))
    with pytest.raises(SourceError) as caught:
        encoded(spool, rows)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.next_step
