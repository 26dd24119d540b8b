"""D10: the number of a file's rows, as its footer tells it."""

import io

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cio_pipeline.files.thrift import behind_schema, number_at

_NESTED = pa.list_(pa.struct([("a", pa.decimal128(20, 3)), ("b", pa.list_(pa.string()))]))


def footer(body: bytes) -> bytes:
    return body[-8 - int.from_bytes(body[-8:-4], "little") : -8]


@pytest.mark.parametrize("rows", [0, 1, 63, 64, 5000])
@pytest.mark.parametrize("columns", [1, 14, 15, 300], ids="{} columns".format)
@pytest.mark.parametrize("kind", [pa.int64(), pa.timestamp("us", "UTC"), pa.bool_(), _NESTED])
def test_d10_rows_are_those_that_pyarrow_reads(rows: int, columns: int, kind: pa.DataType) -> None:
    """Names of columns are as long as one that a number of two bytes is needed for."""
    names = ["x" * 200, *(f"c{number}" for number in range(1, columns))]
    table = pa.table({name: pa.nulls(rows, kind) for name in names})
    written = io.BytesIO()
    pq.write_table(table, written)
    told = footer(written.getvalue())
    assert number_at(told, behind_schema(told)) == rows


def test_d10_so_they_are_in_files_of_polars() -> None:
    written = io.BytesIO()
    pl.DataFrame({"a": range(1000), "b": ["x"] * 1000}).write_parquet(written, row_group_size=300)
    told = footer(written.getvalue())
    assert number_at(told, behind_schema(told)) == 1000


@pytest.mark.parametrize("body", [b"", b"\x15", b"\x15\x02\x19", b"PAR1", b"\x15\x02\x19\x1c\x0f"])
def test_what_is_no_footer_is_told(body: bytes) -> None:
    with pytest.raises(ValueError, match="footer"):
        behind_schema(body)
