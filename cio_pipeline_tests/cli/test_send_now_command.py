"""D6: `cio-pipeline export --now`, and what leads those there who ask for the past."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cio_pipeline.cli.app import app
from cio_pipeline.model.errors import InvalidConfig

SYNCS = """\
syncs:
  - {id: a, workspace_id: 1, destination: {type: local, path: bucket/a}}
"""
PEOPLE = """\
workspace_id,internal_customer_id,id,added_at,updated_at,deleted,suppressed
1,ann,1,2026-01-01,2026-01-01,false,false
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dagster").mkdir()
    monkeypatch.setenv("CIO_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "syncs.yaml").write_text(SYNCS)
    (tmp_path / "people.csv").write_text(PEOPLE)
    ran("source init")
    ran("source load people people.csv")
    ran("sync apply syncs.yaml")
    return tmp_path


def ran(words: str) -> Result:
    return CliRunner().invoke(app, words.split(), catch_exceptions=False)


def test_d6_a_first_file_comes_at_once(home: Path) -> None:
    done = ran("export --now --json")
    (run,) = json.loads(done.stdout)
    assert (done.exit_code, run["success"]) == (0, True)
    assert [(one["export"], one["rows"]) for one in run["sent"] if one["files"]] == [("people", 1)]
    assert [path.name for path in (home / "bucket/a").glob("*.parquet")] == [
        "people_v5_1_1.parquet"
    ]
    assert "nothing new" in ran("export --now").stdout


def test_a_window_of_the_past_says_which_command_sends_all(home: Path) -> None:
    done = ran("export --window 2026-03-01T12:00")
    assert "cio-pipeline export --now --sync a" in " ".join(done.stdout.split())


def test_at_is_refused_where_nothing_is_new_and_told_where_something_is(home: Path) -> None:
    with pytest.raises(InvalidConfig, match="a since 2") as refused:
        ran("sync apply syncs.yaml --at 2026-03-01T12:00")
    assert "export --now" in refused.value.next_step
    assert "a,unchanged" in _applied(ran("sync apply syncs.yaml --json"))
    more = SYNCS + "  - {id: b, workspace_id: 1, destination: {type: local, path: bucket/b}}\n"
    (home / "syncs.yaml").write_text(more)
    done = ran("sync apply syncs.yaml --at 2026-03-01T12:00")
    assert "new syncs alone: a since" in done.stderr
    assert "unchanged" in _applied(ran("sync apply syncs.yaml --json"))


def _applied(done: Result) -> str:
    return " ".join(f"{one['sync_id']},{one['action']}" for one in json.loads(done.stdout))


@pytest.mark.parametrize("other", ["--window 2026-03-01T12:00", "--restore", "--until 2026-03-01"])
def test_now_stands_alone(home: Path, other: str) -> None:
    with pytest.raises(InvalidConfig, match="--now"):
        ran(f"export --now {other}")
