"""Readers that share one environment: `with_arrow.py NAME`, files on standard input."""

import importlib
import sys
from collections.abc import Callable
from typing import Any

from canonical import Columns, tell


def _columns(table: Any) -> Columns:
    return {name: table.column(name).to_pylist() for name in table.column_names}


def polars() -> Callable[[str], Columns]:
    """What the files were written with: the others are compared with it."""
    read = importlib.import_module("polars").read_parquet
    return lambda path: {one.name: one.to_list() for one in read(path)}


def pyarrow() -> Callable[[str], Columns]:
    """pyarrow, row group by row group."""
    parquet = importlib.import_module("pyarrow.parquet")
    return lambda path: _columns(parquet.ParquetFile(path).read())


def duckdb() -> Callable[[str], Columns]:
    """DuckDB, with times in UTC."""
    connection = importlib.import_module("duckdb").connect()
    connection.execute("SET TimeZone = 'UTC'")
    return lambda path: _columns(connection.read_parquet(path).to_arrow_table())


def clickhouse() -> Callable[[str], Columns]:
    """ClickHouse in the process, in the order of the rows."""
    chdb = importlib.import_module("chdb")
    ipc = importlib.import_module("pyarrow.ipc")
    told = "SETTINGS max_threads = 1, output_format_arrow_string_as_string = 1"

    def read(path: str) -> Columns:
        query = f"SELECT * FROM file('{path}', Parquet) {told}"  # noqa: S608 - a file of the demo
        return _columns(ipc.open_stream(chdb.query(query, "ArrowStream").bytes()).read_all())

    return read


def datafusion() -> Callable[[str], Columns]:
    """DataFusion."""
    context = importlib.import_module("datafusion").SessionContext
    return lambda path: _columns(context().read_parquet(path).to_arrow_table())


def spark() -> Callable[[str], Columns]:
    """Spark on one core, with times in UTC."""
    sql = importlib.import_module("pyspark.sql")
    builder = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    session = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return lambda path: _columns(session.read.parquet(path).toArrow())


if __name__ == "__main__":
    tell(
        {one.__name__: one for one in (polars, pyarrow, duckdb, clickhouse, datafusion, spark)}[
            sys.argv[1]
        ]()
    )
