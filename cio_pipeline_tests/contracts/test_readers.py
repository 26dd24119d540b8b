"""What the schema pages tell of readers is so, as far as these readers are at hand."""

import shutil
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.dataset as ds
import pyarrow.lib
import pytest

from cio_pipeline.contracts.catalog import EXPORTS, VERSIONS
from cio_pipeline.contracts.docs.readers import readers_section
from cio_pipeline.contracts.docs.schema_page import schema_page
from cio_pipeline_tests.files.test_converted_types import encoded

PEOPLE = EXPORTS["people"]


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """A folder as a sync on S3 leaves it: two files of people, one of two kinds of attributes."""
    root = tmp_path / "bucket"
    (root / "_cio").mkdir(parents=True)
    (root / "_cio/1.manifest").write_text("{}")
    (root / "cio-validate").write_bytes(b"")
    for name, export in (
        ("people_v5_1_1", PEOPLE),
        ("attributes_v5_1_1", EXPORTS["attributes"]),
        ("object_attributes_v5_1_1", EXPORTS["object_attributes"]),
    ):
        made = encoded(tmp_path / name, export, 5, "us", 3)
        shutil.copy(tmp_path / name / made[0].path, root / f"{name}.parquet")
    shutil.copy(root / "people_v5_1_1.parquet", root / "people_v5_chngs_1_1.parquet")
    return root


@pytest.fixture
def dated(bucket: Path) -> Path:
    folder = bucket.parent / "dated/people/dt=2026-01-01"
    folder.mkdir(parents=True)
    shutil.copy(bucket / "people_v5_1_1.parquet", folder)
    return folder.parent


@pytest.mark.parametrize("version", VERSIONS)
def test_each_page_tells_of_the_readers_of_warehouses(version: int) -> None:
    page = schema_page(version)
    for word in ("Snowflake", "USE_LOGICAL_TYPE", "Redshift", "BigQuery", "Spark", "DuckDB"):
        assert word in page
    assert ("SUPER" in page) == ("LIST OF STRING |" in page)
    assert ("enable_list_inference" in page) == ("LIST OF STRING |" in page)
    assert "{version}" not in page
    assert f"people_v{version}_*.parquet" in page


def test_an_unanchored_pattern_takes_another_export(bucket: Path) -> None:
    assert "also takes `object_attributes_v5_" in " ".join(readers_section(5))
    assert "object_attributes" not in " ".join(readers_section(4))
    assert [p.name for p in bucket.glob("attributes_v5_*.parquet")] == ["attributes_v5_1_1.parquet"]
    assert len(list(bucket.glob("*attributes_v5_*"))) == 2


def test_duckdb_reads_a_pattern_with_its_suffix(bucket: Path) -> None:
    counted = "SELECT count(*) FROM read_parquet(?)"
    assert duckdb.execute(counted, [f"{bucket}/people_v5_*.parquet"]).fetchall() == [(4,)]
    with pytest.raises(duckdb.Error, match="cio-validate"):
        duckdb.execute(counted, [f"{bucket}/*"])


def test_polars_reads_a_pattern_not_the_folder(bucket: Path) -> None:
    assert pl.scan_parquet(bucket / "people_v5_*.parquet").collect().height == 4
    with pytest.raises(pl.exceptions.InvalidOperationError):
        pl.scan_parquet(bucket).collect()


def test_pyarrow_reads_the_folder_without_what_is_no_parquet(bucket: Path) -> None:
    with pytest.raises(pyarrow.lib.ArrowInvalid):
        ds.dataset(bucket).count_rows()
    files = ds.dataset(bucket, exclude_invalid_files=True).files
    assert all(name.endswith(".parquet") for name in files)


def test_d9_the_dated_layout_adds_a_column(dated: Path) -> None:
    pattern = f"{dated}/*/people_v5_*.parquet"
    contract = [column.name for column in PEOPLE.columns_of(5)]
    whole, plain = f"'{pattern}'", f"'{pattern}', hive_partitioning = false"
    names = "SELECT column_name FROM (DESCRIBE FROM read_parquet({}))"
    found = [
        [name for (name,) in duckdb.execute(names.format(one)).fetchall()] for one in (whole, plain)
    ]
    assert found == [[*contract, "dt"], contract]
    assert pl.scan_parquet(dated).collect_schema().names() == [*contract, "dt"]
    undated = pl.scan_parquet(dated, hive_partitioning=False)
    assert undated.collect_schema().names() == contract
