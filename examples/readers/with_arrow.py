"""Readers that share one environment: `with_arrow.py NAME`, files on standard input."""

import importlib
import sys
from collections.abc import Callable
from typing import Any

from canonical import Columns, lines, tell


def _columns(table: Any) -> Columns:
    return {name: table.column(name).to_pylist() for name in table.column_names}


def _texts(path: str) -> Any:
    """What is asked of a file of JSON lines, as a schema of Arrow."""
    arrow = importlib.import_module("pyarrow")
    return arrow.schema([(name, arrow.string()) for name in lines(path)])


def _either(parquet: Callable[[str], Any], json: Callable[[str], Any]) -> Callable[[str], Columns]:
    return lambda path: _columns(json(path) if path.endswith(".json") else parquet(path))


def polars() -> Callable[[str], Columns]:
    """What the files were written with, Python for JSON: the others are compared with it."""
    read = importlib.import_module("polars").read_parquet

    def written(path: str) -> Columns:
        if path.endswith(".json"):
            return lines(path)
        return {one.name: one.to_list() for one in read(path)}

    return written


def pyarrow() -> Callable[[str], Columns]:
    """pyarrow, row group by row group."""
    parquet = importlib.import_module("pyarrow.parquet")
    json = importlib.import_module("pyarrow.json")

    def texts(path: str) -> Any:
        how = json.ParseOptions(explicit_schema=_texts(path), unexpected_field_behavior="ignore")
        return json.read_json(path, parse_options=how)

    return _either(lambda path: parquet.ParquetFile(path).read(), texts)


def duckdb() -> Callable[[str], Columns]:
    """DuckDB, with times in UTC."""
    connection = importlib.import_module("duckdb").connect()
    connection.execute("SET TimeZone = 'UTC'")

    def texts(path: str) -> Any:
        columns = dict.fromkeys(_texts(path).names, "VARCHAR")
        return connection.read_json(path, columns=columns).to_arrow_table()

    return _either(lambda path: connection.read_parquet(path).to_arrow_table(), texts)


def clickhouse() -> Callable[[str], Columns]:
    """ClickHouse in the process, in the order of the rows."""
    chdb = importlib.import_module("chdb")
    ipc = importlib.import_module("pyarrow.ipc")
    told = "SETTINGS max_threads = 1, output_format_arrow_string_as_string = 1"

    def read(of: str) -> Any:
        query = f"SELECT * FROM file({of}) {told}"  # noqa: S608 - a file of the demo
        return ipc.open_stream(chdb.query(query, "ArrowStream").bytes()).read_all()

    def texts(path: str) -> Any:
        columns = ", ".join(f"`{name}` Nullable(String)" for name in _texts(path).names)
        return read(f"'{path}', JSONEachRow, '{columns}'")

    return _either(lambda path: read(f"'{path}', Parquet"), texts)


def datafusion() -> Callable[[str], Columns]:
    """DataFusion."""
    context = importlib.import_module("datafusion").SessionContext

    def texts(path: str) -> Any:
        return context().read_json(path, schema=_texts(path)).to_arrow_table()

    return _either(lambda path: context().read_parquet(path).to_arrow_table(), texts)


def spark() -> Callable[[str], Columns]:
    """Spark on one core, with times in UTC."""
    sql = importlib.import_module("pyspark.sql")
    builder = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    session = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")

    def texts(path: str) -> Any:
        columns = ", ".join(f"`{name}` STRING" for name in _texts(path).names)
        return session.read.schema(columns).json(path).toArrow()

    return _either(lambda path: session.read.parquet(path).toArrow(), texts)


if __name__ == "__main__":
    tell(
        {one.__name__: one for one in (polars, pyarrow, duckdb, clickhouse, datafusion, spark)}[
            sys.argv[1]
        ]()
    )
