"""`source load`: folders, delimiters, all that is wrong at once, and what vanished (D25, D1)."""

import json

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from cio_pipeline.cli.app import app
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline_tests.world import NOON, World, during

HEADER = "workspace_id,internal_customer_id,email,added_at,updated_at,deleted,suppressed\n"


def row(name: str, workspace: int = 1, deleted: str = "f") -> str:
    return f"{workspace},{name},{name}@acme.example,2026-03-01,2026-03-01,{deleted},f\n"


@pytest.fixture
def home(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("CIO_HOME", str(world.root))
    monkeypatch.chdir(world.root)
    monkeypatch.setenv("COLUMNS", "300")
    return world


def load(*words: str) -> Result:
    return CliRunner().invoke(app, ["source", "load", *words], catch_exceptions=False)


def people(world: World) -> list[str]:
    found = pl.read_delta(f"{world.source_uri}/people")
    return sorted(found["internal_customer_id"])


def test_a_folder_and_another_delimiter(home: World) -> None:
    folder = home.root / "files"
    folder.mkdir()
    for name in ("ann", "bob"):
        (folder / f"{name}.csv").write_text((HEADER + row(name)).replace(",", "\t"))
    (folder / "README").write_text("no rows")
    assert load("people", "files", "--delimiter", "tab").exit_code == 0
    assert people(home) == ["ann", "bob"]
    (home.root / "empty").mkdir()
    with pytest.raises(InvalidConfig, match="empty holds no file"):
        load("people", "empty")
    for wrong in ("", ";;", '"', "\n", "é"):
        with pytest.raises(InvalidConfig, match="cannot stand between cells"):
            load("people", "files", "--delimiter", wrong)


@pytest.mark.parametrize(
    ("options", "why"),
    [(("--delimiter", ";;"), "cannot stand between cells"), (("--replace",), "stay once")],
)
def test_lines_as_they_came_in_take_no_options_that_say_nothing_of_them(
    home: World, options: tuple[str, ...], why: str
) -> None:
    (home.root / "calls.ndjson").write_text("{}\n")
    with pytest.raises(InvalidConfig, match=why):
        load("calls", "calls.ndjson", "--workspace", "1", *options)


def test_d25_all_that_is_wrong_is_told_at_once_with_its_lines(home: World) -> None:
    two_lines = row("cid").replace("cid@", '"cid\n@').replace("example,", 'example",')
    bad = row("bob", deleted="maybe").replace("2026-03-01", "soon")
    worse = row("eve", deleted="no")
    (home.root / "p.csv").write_text(HEADER + row("ann") + two_lines + bad + worse)
    done = CliRunner().invoke(app, ["source", "load", "people", "p.csv"])
    lines = [[cell.strip() for cell in line.split("│")] for line in done.stdout.splitlines()]
    told = [cells[2] for cells in lines if len(cells) > 3 and cells[1] == "p.csv"]
    assert told == ["5", "6"]
    assert isinstance(done.exception, InvalidConfig)
    first = done.exception.message
    assert all(word in first for word in ("Line 5", "added_at", "updated_at", "deleted"))
    assert people(home) == []


def test_d1_what_vanished_is_told_here_and_to_readers(home: World) -> None:
    home.sync()
    first = HEADER + row("ann") + row("bob") + row("far", workspace=2)
    (home.root / "p.csv").write_text(first)
    assert load("people", "p.csv", "--at", during(0).isoformat()).exit_code == 0
    home.run(0, "people")
    (home.root / "p.csv").write_text(HEADER + row("ann"))
    done = load("people", "p.csv", "--replace", "--at", during(1).isoformat())
    assert "1 vanished: bob. The next window tells readers" in done.stdout
    assert "who is put back after that needs a later updated_at" in done.stdout
    assert people(home) == ["ann", "far"], "other workspaces stay as they are"
    home.run(1, "people")
    gone = home.read("people").filter(pl.col("deleted"))
    assert list(gone["internal_customer_id"]) == ["bob"]
    again = load("people", "p.csv", "--replace", "--json", "--at", during(2).isoformat())
    assert json.loads(again.stdout)["vanished"] == []
    assert home.now > NOON


def test_d1_bad_rows_that_are_set_aside_do_not_vanish(home: World) -> None:
    (home.root / "p.csv").write_text(HEADER + row("ann") + row("bob"))
    load("people", "p.csv")
    (home.root / "p.csv").write_text(HEADER + row("ann") + row("bob").replace("bob,", "bob,x", 1))
    with pytest.raises(InvalidConfig, match="would vanish"):
        load("people", "p.csv", "--replace", "--quarantine-bad")
    assert people(home) == ["ann", "bob"]


def test_rows_of_an_append_only_table_are_not_replaced(home: World) -> None:
    (home.root / "e.csv").write_text("workspace_id\n")
    with pytest.raises(InvalidConfig, match="append-only"):
        load("events", "e.csv", "--replace")
