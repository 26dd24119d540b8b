"""D2: what a Parquet file of each export looks like, whatever is in it."""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from cio_pipeline.contracts.arrow import source_arrow_schema
from cio_pipeline.contracts.declare import ColumnType, Export, SourceTable
from cio_pipeline.contracts.dtypes import arrow_schema, polars_schema, source_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline_tests.contracts.cases import EVERY, IDS, bare, full

every_export = pytest.mark.parametrize(("version", "export"), EVERY, ids=IDS)
both_units = pytest.mark.parametrize("unit", ["us", "ms"])


def write(frame: pl.DataFrame, export: Export, version: int, unit: str, path: Path) -> Path:
    frame.lazy().sink_parquet(
        path, arrow_schema=arrow_schema(export, version, unit), compression="zstd"
    )
    return path


def physical(path: Path) -> list[tuple[str, str, str, int]]:
    """Path, physical and logical type, and definition level of each leaf column."""
    schema = pq.ParquetFile(path).schema
    leaves = [schema.column(i) for i in range(len(schema))]
    return [
        (leaf.path, leaf.physical_type, str(leaf.logical_type), leaf.max_definition_level)
        for leaf in leaves
    ]


@both_units
@every_export
def test_d2_the_schema_is_the_same_with_values_with_nulls_and_without_rows(
    version: int, export: Export, unit: str, tmp_path: Path
):
    frames = [full(version, export, unit), bare(version, export, unit)]
    frames.append(frames[0].clear())
    files = [
        write(frame, export, version, unit, tmp_path / f"{number}.parquet")
        for number, frame in enumerate(frames)
    ]
    assert physical(files[0]) == physical(files[1]) == physical(files[2])
    assert pq.read_schema(files[0]) == pq.read_schema(files[1]) == pq.read_schema(files[2])
    for file, frame in zip(files, frames, strict=True):
        assert pl.read_parquet(file).equals(frame, null_equal=True)
        assert pl.read_parquet(file).schema == polars_schema(export, version, unit)


@both_units
@every_export
def test_d2_types_and_repetition_are_the_declared_ones(
    version: int, export: Export, unit: str, tmp_path: Path
):
    leaves = physical(write(bare(version, export, unit), export, version, unit, tmp_path / "x"))
    long = {"us": "microseconds", "ms": "milliseconds"}[unit]
    for column, (path, stored, logical, level) in zip(
        export.columns_of(version), leaves, strict=True
    ):
        optional = 0 if column.required else 1
        match column.type:
            case ColumnType.INTEGER:
                assert (path, stored, level) == (column.name, "INT64", optional)
            case ColumnType.STRING:
                assert (path, stored, logical) == (column.name, "BYTE_ARRAY", "String")
                assert level == optional
            case ColumnType.BOOLEAN:
                assert (path, stored, level) == (column.name, "BOOLEAN", optional)
            case ColumnType.TIMESTAMP:
                assert (path, stored, level) == (column.name, "INT64", optional)
                assert f"isAdjustedToUTC=true, timeUnit={long}" in logical
            case ColumnType.STRINGS:
                assert (path, logical) == (f"{column.name}.list.element", "String")
                assert level == optional + 2


@every_export
def test_d2_a_null_in_a_required_column_is_refused(version: int, export: Export, tmp_path: Path):
    required = [c.name for c in export.columns_of(version) if c.required]
    for name in required:
        broken = full(version, export).with_columns(
            pl.lit(None).cast(polars_schema(export, version)[name]).alias(name)
        )
        with pytest.raises(pl.exceptions.PolarsError):
            write(broken, export, version, "us", tmp_path / f"{name}.parquet")


def test_d2_no_schema_has_nanoseconds_or_small_strings():
    """Polars' sink refuses small strings and lists; Spark refuses nanoseconds."""
    fields = [field for version, export in EVERY for field in arrow_schema(export, version)]
    kinds = {str(field.type) for field in fields}
    assert kinds == {
        "int64",
        "large_string",
        "bool",
        "timestamp[us, tz=UTC]",
        "large_list<item: large_string>",
    }


@pytest.mark.parametrize("table", SOURCE_TABLES.values(), ids=lambda table: table.name)
def test_o1_a_source_table_takes_rows_that_lack_values_and_gives_them_back(
    table: SourceTable, tmp_path: Path
):
    schema = source_schema(table)
    rows = {name: [None] for name in schema}
    frame = pl.DataFrame(rows, schema=schema)
    DeltaTable.create(str(tmp_path), schema=source_arrow_schema(table))
    write_deltalake(str(tmp_path), frame, mode="append")
    back = pl.scan_delta(str(tmp_path)).collect()
    assert back.schema == schema
    assert back.equals(frame, null_equal=True)


def test_source_arrow_and_polars_schemas_agree():
    for table in SOURCE_TABLES.values():
        empty = pl.DataFrame(pa.Table.from_batches([], source_arrow_schema(table)))
        assert empty.schema == source_schema(table)
