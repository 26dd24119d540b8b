"""O8: where a verb puts a file that is there once it is whole."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import polars as pl
import pytest
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.cli.parameters import put_at
from cio_pipeline.model.errors import InvalidConfig


@pytest.mark.parametrize("place", ["folder", "pipe", "missing/new", "file/new", "missing/.."])
def test_o8_a_file_is_put_in_no_place_of_something_else_and_below_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Else the file's unfinished part would be named, which nobody asked for."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidConfig, match=rf"^{place} (is no file|cannot be written)"):
        put_at(Path(place))
    for new in ("new", "file", "folder/new"):
        assert put_at(Path(new)) == Path(new)


@pytest.mark.parametrize("kind", ["ledger", "warehouse", "rows"])
def test_o6_no_ledger_warehouse_or_file_of_rows_is_written_over(tmp_path: Path, kind: str) -> None:
    """`--out` takes what is there, and the warehouse's own name is close at hand."""
    file = tmp_path / "file"
    match kind:
        case "ledger":
            with closing(sqlite3.connect(file)) as ledger:
                ledger.execute("CREATE TABLE syncs (id)")
        case "warehouse":
            duckdb.connect(file).close()
        case _:
            pl.DataFrame({"id": [1]}).write_parquet(file)
    before = file.read_bytes()
    with pytest.raises(InvalidConfig, match="holds data"):
        put_at(file)
    found = CliRunner().invoke(app, ["report", "--out", str(file)])
    assert isinstance(found.exception, InvalidConfig)
    assert file.read_bytes() == before
