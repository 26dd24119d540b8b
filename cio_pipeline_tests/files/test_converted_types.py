"""D2: times carry the old ConvertedType beside the logical type, for readers that know only it."""

from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from cio_pipeline.contracts.catalog import EXPORTS, VERSIONS, exports_of
from cio_pipeline.contracts.declare import Column, ColumnType, Export
from cio_pipeline.contracts.exports.calls import CALL_TYPES, type_export
from cio_pipeline.files.call_files import CallFile
from cio_pipeline.files.encode import SpooledFile, encode
from cio_pipeline.files.footers import finish
from cio_pipeline.files.spool import Spool, sha256_of
from cio_pipeline_tests.files.rows import NO_REJECTS, rows_of

WANTED = {
    ColumnType.TIMESTAMP: {"us": "TIMESTAMP_MICROS", "ms": "TIMESTAMP_MILLIS"},
    ColumnType.STRING: dict.fromkeys(("us", "ms"), "UTF8"),
    ColumnType.STRINGS: dict.fromkeys(("us", "ms"), "LIST"),
    ColumnType.INTEGER: dict.fromkeys(("us", "ms")),
    ColumnType.BOOLEAN: dict.fromkeys(("us", "ms")),
}
"""As pyarrow writes them; a plain INT64 or BOOLEAN needs none."""


def in_footer(path: Path) -> dict[str, Any]:
    """Column → ConvertedType as stored, not as worked out from the logical type."""
    found = duckdb.execute(
        "SELECT name, converted_type FROM parquet_schema(?)", [str(path)]
    ).fetchall()
    return {name: kind for name, kind in found[1:] if name not in {"list", "element"}}


def wanted(columns: tuple[Column, ...], unit: str) -> dict[str, Any]:
    return {column.name: WANTED[column.type][unit] for column in columns}


def encoded(root: Path, export: Export, version: int, unit: str, rows: int) -> list[SpooledFile]:
    made = encode(
        rows_of(export, version, rows, workspaces=2),
        NO_REJECTS,
        export,
        version,
        unit,
        rows_per_file=2,
        spool=Spool(root),
        folder="plans",
    )
    return list(made.files)


@pytest.mark.parametrize("unit", ["us", "ms"])
@pytest.mark.parametrize(
    ("export", "version"),
    [(export, version) for version in VERSIONS for export in exports_of(version)],
    ids=lambda value: value.name if isinstance(value, Export) else f"v{value}",
)
def test_d2_every_column_has_its_converted_type(
    tmp_path: Path, export: Export, version: int, unit: str
) -> None:
    for file in encoded(tmp_path, export, version, unit, 6):
        path = tmp_path / file.path
        assert in_footer(path) == wanted(export.columns_of(version), unit)
        assert (file.bytes, file.sha256) == (path.stat().st_size, sha256_of(path))


@pytest.mark.parametrize("unit", ["us", "ms"])
@pytest.mark.parametrize("kind", sorted(CALL_TYPES))
def test_d2_so_it_is_in_files_of_calls(tmp_path: Path, kind: str, unit: str) -> None:
    path = tmp_path / "calls.parquet"
    CallFile(path, type_export(kind), "parquet", unit, {}).close()
    assert in_footer(path) == wanted(type_export(kind).columns, unit)


def test_d2_the_rest_of_the_file_is_as_it_was(tmp_path: Path) -> None:
    """Row groups, statistics, page indexes and entries: what Polars wrote, found where it lies."""
    path = tmp_path / "plain.parquet"
    rows = rows_of(EXPORTS["deliveries"], 5, 50_000).collect()
    rows.write_parquet(path, row_group_size=1000, metadata={"cio.export": "deliveries"})
    before, frame = pq.read_metadata(path).to_dict(), pl.read_parquet(path)

    finish(str(path), None, "us")

    after = pq.read_metadata(path).to_dict()
    assert after.pop("serialized_size") == before.pop("serialized_size") + 2 * len(
        [c for c in EXPORTS["deliveries"].columns_of(5) if c.type is ColumnType.TIMESTAMP]
    )
    assert after == before
    assert pl.read_parquet(path).equals(frame)
    mended = path.read_bytes()
    finish(str(path), None, "us")
    assert path.read_bytes() == mended


def test_d2_schemas_of_another_kind_are_walked_through_anew(tmp_path: Path) -> None:
    exports = [EXPORTS[name] for name in ("metrics", "people", "metrics")]
    for number, export in enumerate(exports):
        path = tmp_path / f"{number}.parquet"
        rows_of(export, 5, 3).collect().write_parquet(path)
        finish(str(path), None, "us")
        found = in_footer(path)
        assert {k: v for k, v in found.items() if k in wanted(export.columns, "us")} == wanted(
            export.columns_of(5), "us"
        )
