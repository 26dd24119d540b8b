"""Run statements in an engine of another environment: `elsewhere.py ENGINE FOLDER`.

Nothing of ours is imported. Standard input is JSON: `run`, statements in their order, and `then`,
queries by name, whose rows are written to FOLDER/<name>.parquet.
"""

import importlib
import json
import logging
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

_open = ExitStack()
Run = Callable[[str], object]
Write = Callable[[str, Path], object]


def clickhouse() -> tuple[Run, Write]:
    """ClickHouse in the process, by chdb; the files that it may read lie anywhere."""
    connection = importlib.import_module("chdb").connect()

    def write(query: str, path: Path) -> None:
        path.write_bytes(connection.query(query, "Parquet").bytes())

    return connection.query, write


def snowflake() -> tuple[Run, Write]:
    """What fakesnow makes of Snowflake's statements, in DuckDB."""
    # It logs what DuckDB has no word for: comments and clusters.
    logging.disable(logging.CRITICAL)
    _open.enter_context(importlib.import_module("fakesnow").patch())
    connect = importlib.import_module("snowflake.connector").connect
    cursor: Any = connect(database="D", schema="S").cursor()

    def write(query: str, path: Path) -> None:
        arrow, parquet = map(importlib.import_module, ("pyarrow", "pyarrow.parquet"))
        rows = cursor.execute(query).fetchall()
        names = [one[0] for one in cursor.description]
        columns = [[row[at] for row in rows] for at in range(len(names))]
        parquet.write_table(arrow.table(columns, names), path)

    return cursor.execute, write


if __name__ == "__main__":
    run, write = {"clickhouse": clickhouse, "snowflake": snowflake}[sys.argv[1]]()
    asked = json.load(sys.stdin)
    for statement in asked["run"]:
        try:
            run(statement)
        except Exception as error:  # noqa: BLE001 - whatever it is, the statement is to be shown
            raise SystemExit(f"{statement}\n{type(error).__name__}: {error}") from None
    for name, query in asked["then"].items():
        write(query, Path(sys.argv[2]) / f"{name}.parquet")
