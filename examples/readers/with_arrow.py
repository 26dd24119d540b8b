"""Readers that share one environment: `with_arrow.py NAME`, files on standard input."""

import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from canonical import Columns, tell, texts

Tree: TypeAlias = Mapping[str, Any]
"""Names of texts, and of objects that have some: trees of their own. A text has an empty one."""


def _asked(path: str) -> Tree:
    """What is asked of a file that has no types of its own."""
    found: dict[str, Any] = {}
    for name in texts(path):
        place = found
        for part in name.split("."):
            place = place.setdefault(part, {})
    return found


def _typed(tree: Tree, text: str, name: str, all_of: str) -> str:
    """The type of a tree as SQL has it; `name` and `all_of` are what it writes of members."""
    if not tree:
        return text
    of = ((one, _typed(below, text, name, all_of)) for one, below in tree.items())
    return all_of.format(", ".join(name.format(one, kind) for one, kind in of))


def _arrow(tree: Tree) -> Any:
    arrow = importlib.import_module("pyarrow")
    members = [(name, _arrow(below)) for name, below in tree.items()]
    return arrow.struct(members) if tree else arrow.string()


def _schema(path: str) -> Any:
    return importlib.import_module("pyarrow").schema(list(_arrow(_asked(path))))


def _columns(table: Any) -> Columns:
    while any(str(one.type).startswith("struct") for one in table.schema):
        table = table.flatten()
    return {name: table.column(name).to_pylist() for name in table.column_names}


@dataclass(frozen=True)
class Reader:
    """How each kind of file is read, as a table of Arrow."""

    parquet: Callable[[str], Any]
    csv: Callable[[str], Any]
    json: Callable[[str], Any]

    def __call__(self, path: str) -> Columns:
        """The columns of a file."""
        if path.endswith(".parquet"):
            return _columns(self.parquet(path))
        if path.endswith(".csv"):
            table = self.csv(path)
            return _columns(table.select(list(texts(path))))
        return _columns(self.json(path))


def polars() -> Callable[[str], Columns]:
    """What the files were written with, Python for texts: the others are compared with it."""
    read = importlib.import_module("polars").read_parquet

    def written(path: str) -> Columns:
        if path.endswith(".parquet"):
            return {one.name: one.to_list() for one in read(path)}
        return texts(path)

    return written


def pyarrow() -> Callable[[str], Columns]:
    """pyarrow, row group by row group."""
    parquet = importlib.import_module("pyarrow.parquet")
    json = importlib.import_module("pyarrow.json")
    csv = importlib.import_module("pyarrow.csv")

    def lines(path: str) -> Any:
        how = json.ParseOptions(explicit_schema=_schema(path), unexpected_field_behavior="ignore")
        return json.read_json(path, parse_options=how)

    def cells(path: str) -> Any:
        typed = csv.ConvertOptions(
            column_types=_schema(path), strings_can_be_null=True, null_values=[""]
        )
        how = csv.ParseOptions(newlines_in_values=True)
        return csv.read_csv(path, parse_options=how, convert_options=typed)

    return Reader(lambda path: parquet.ParquetFile(path).read(), cells, lines)


def duckdb() -> Callable[[str], Columns]:
    """DuckDB, with times in UTC."""
    connection = importlib.import_module("duckdb").connect()
    connection.execute("SET TimeZone = 'UTC'")

    def lines(path: str) -> Any:
        types = {
            name: _typed(below, "VARCHAR", '"{}" {}', "STRUCT({})")
            for name, below in _asked(path).items()
        }
        return connection.read_json(path, columns=types).to_arrow_table()

    return Reader(
        lambda path: connection.read_parquet(path).to_arrow_table(),
        lambda path: connection.read_csv(path, header=True, all_varchar=True).to_arrow_table(),
        lines,
    )


def clickhouse() -> Callable[[str], Columns]:
    """ClickHouse in the process, in the order of the rows."""
    chdb = importlib.import_module("chdb")
    ipc = importlib.import_module("pyarrow.ipc")
    told = "SETTINGS max_threads = 1, output_format_arrow_string_as_string = 1"

    def read(of: str) -> Any:
        query = f"SELECT * FROM file({of}) {told}"  # noqa: S608 - a file of the demo
        return ipc.open_stream(chdb.query(query, "ArrowStream").bytes()).read_all()

    def typed(path: str, form: str) -> Any:
        columns = ", ".join(
            f"`{name}` {_typed(below, 'Nullable(String)', '`{}` {}', 'Tuple({})')}"
            for name, below in _asked(path).items()
        )
        return read(f"'{path}', {form}, '{columns}'")

    return Reader(
        lambda path: read(f"'{path}', Parquet"),
        lambda path: typed(path, "CSVWithNames"),
        lambda path: typed(path, "JSONEachRow"),
    )


def datafusion() -> Callable[[str], Columns]:
    """DataFusion."""
    context = importlib.import_module("datafusion").SessionContext

    def lines(path: str) -> Any:
        found = context().read_json(path, schema=_schema(path), file_extension="")
        return found.to_arrow_table()

    def cells(path: str) -> Any:
        return context().read_csv(path, schema=_schema(path), has_header=True).to_arrow_table()

    return Reader(lambda path: context().read_parquet(path).to_arrow_table(), cells, lines)


def spark() -> Callable[[str], Columns]:
    """Spark on one core, with times in UTC."""
    sql = importlib.import_module("pyspark.sql")
    builder = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    session = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")

    def lines(path: str) -> Any:
        columns = ", ".join(
            f"`{name}` {_typed(below, 'STRING', '`{}`: {}', 'STRUCT<{}>')}"
            for name, below in _asked(path).items()
        )
        return session.read.schema(columns).json(path).toArrow()

    def cells(path: str) -> Any:
        how = {"header": True, "multiLine": True, "escape": '"'}
        return session.read.options(**how).csv(path).toArrow()

    return Reader(lambda path: session.read.parquet(path).toArrow(), cells, lines)


if __name__ == "__main__":
    tell(
        {one.__name__: one for one in (polars, pyarrow, duckdb, clickhouse, datafusion, spark)}[
            sys.argv[1]
        ]()
    )
