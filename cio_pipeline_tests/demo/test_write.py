"""The demo source keeps the source contract at every version of every table."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from cio_pipeline.contracts.declare import SourceTable, TableKind
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.demo.state import DemoState, read_state
from cio_pipeline.demo.world import TINY, named_size
from cio_pipeline.demo.write import write_commit, write_history
from cio_pipeline.model.errors import InvalidConfig, SourceError, SourceGone

UNTIL = datetime(2026, 3, 1, 11, 50, tzinfo=UTC)
COMMITS = 4


def _ignore(_title: str, _done: int, _total: int) -> None:
    return None


@dataclass(frozen=True)
class Written:
    uri: str
    state: DemoState
    titles: set[str]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    uri = str(tmp_path_factory.mktemp("demo") / "source")
    titles: set[str] = set()

    def progress(title: str, done: int, total: int) -> None:
        assert 0 < done <= total
        titles.add(title)

    write_history(uri, TINY, 1, UNTIL, progress)
    for number in range(1, COMMITS + 1):
        # Every commit starts from what a new process would read.
        at = UNTIL + timedelta(minutes=15 * number)
        write_commit(uri, read_state(uri), at, progress)
    return Written(uri, read_state(uri), titles)


def _at(written: Written, table: SourceTable, version: int) -> pl.DataFrame:
    return pl.read_delta(f"{written.uri}/{table.name}", version=version)


def _versions(written: Written, table: SourceTable) -> list[int]:
    last = DeltaTable(f"{written.uri}/{table.name}").version()
    return list(range(last - COMMITS, last + 1))


@pytest.mark.parametrize("table", SOURCE_TABLES.values(), ids=lambda table: table.name)
def test_the_source_contract_holds_at_every_version(written: Written, table: SourceTable) -> None:
    before: pl.DataFrame | None = None
    for version in _versions(written, table):
        now = _at(written, table, version)
        assert not now.select(table.identity).is_duplicated().any()
        if before is not None:
            _require_growth(table, before, now)
        before = now


def _require_growth(table: SourceTable, before: pl.DataFrame, now: pl.DataFrame) -> None:
    assert before.join(now, on=table.identity, how="anti").is_empty(), "a row vanished"
    new = now.join(before, on=table.identity, how="anti")
    changed = now.join(before, on=now.columns, how="anti", nulls_equal=True)
    changed = changed.join(before, on=table.identity)
    touched = pl.concat([new.select("workspace_id"), changed.select("workspace_id")])
    assert {1, 2} <= set(touched["workspace_id"]), "a workspace of the cast did not change"
    if table.kind is TableKind.APPEND_ONLY:
        assert changed.is_empty()
        return
    grows = table.grows
    assert grows is not None
    assert (changed[grows] > changed[f"{grows}_right"]).all()


@pytest.mark.parametrize("name", ["people", "objects", "object_types"])
def test_d1_every_commit_has_new_and_changed_rows(written: Written, name: str) -> None:
    table = SOURCE_TABLES[name]
    versions = _versions(written, table)
    for earlier, later in pairwise(versions):
        before, now = _at(written, table, earlier), _at(written, table, later)
        for workspace in (1, 2):
            old = before.filter(workspace_id=workspace)
            rows = now.filter(workspace_id=workspace)
            known = rows.join(old, on=table.identity, how="semi")
            assert known.height < rows.height
            assert not known.equals(old, null_equal=True)
            assert rows["deleted"].sum() > 0


def test_d1_somebody_is_added_and_deleted_in_every_commit(written: Written) -> None:
    table = SOURCE_TABLES["people"]
    for version in _versions(written, table)[1:]:
        before, now = _at(written, table, version - 1), _at(written, table, version)
        new = now.join(before, on=table.identity, how="anti")
        assert set(new.filter("deleted")["workspace_id"]) >= {1, 2}


@pytest.mark.parametrize("name", SOURCE_TABLES)
def test_commit_times_are_those_asked_for(written: Written, name: str) -> None:
    newest_first = DeltaTable(f"{written.uri}/{name}").history()
    times = [datetime.fromisoformat(entry["cio.committed_at"]) for entry in newest_first]
    expected = [UNTIL + timedelta(minutes=15 * number) for number in range(COMMITS, 0, -1)]
    assert times[:COMMITS] == expected
    assert set(times[COMMITS:-1]) == {UNTIL}


def test_rows_do_not_come_before_they_happen(written: Written) -> None:
    for name, column in (("metrics", "created_at"), ("events", "processed_at")):
        table = SOURCE_TABLES[name]
        versions = _versions(written, table)
        for number, version in enumerate(versions):
            latest = _at(written, table, version)[column].max()
            assert isinstance(latest, datetime)
            assert latest < UNTIL + timedelta(minutes=15 * number)


def test_content_of_a_cast_delivery_comes_a_commit_later(written: Written) -> None:
    deliveries, content = SOURCE_TABLES["deliveries"], SOURCE_TABLES["delivery_content"]
    sent = _versions(written, deliveries)[-1]
    known = _versions(written, content)[-1]
    last = _at(written, deliveries, sent).join(
        _at(written, deliveries, sent - 1), on=deliveries.identity, how="anti"
    )
    late = last.join(_at(written, content, known), on=deliveries.identity, how="anti")
    assert {1, 2} <= set(late["workspace_id"])


def test_state_and_progress(written: Written) -> None:
    assert written.state.commits == COMMITS
    assert written.state.until == UNTIL + timedelta(minutes=15 * COMMITS)
    assert written.titles == {"Simulating the history", "Committing to the source"}


def test_a_commit_must_be_later_than_the_last(written: Written) -> None:
    for at in (written.state.until, datetime(2030, 1, 1)):  # noqa: DTZ001 - a naive time is the case
        with pytest.raises(InvalidConfig, match="later than the last"):
            write_commit(written.uri, written.state, at, _ignore)
    stale = DemoState(TINY, 1, written.state.origin, written.state.history_end, 0, (0, 1))
    with pytest.raises(InvalidConfig, match="moved on"):
        write_commit(written.uri, stale, UNTIL, _ignore)


def test_a_folder_in_use_is_refused(written: Written) -> None:
    with pytest.raises(InvalidConfig, match="not empty"):
        write_history(written.uri, TINY, 1, UNTIL, _ignore)


def test_a_store_and_a_naive_time_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="local folder"):
        write_history("s3://bucket/demo", TINY, 1, UNTIL, _ignore)
    with pytest.raises(InvalidConfig, match="offset"):
        write_history(str(tmp_path / "x"), TINY, 1, UNTIL.replace(tzinfo=None), _ignore)


def test_an_interrupted_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceGone, match="no demo source"):
        read_state(str(tmp_path))

    def interrupt(_title: str, _done: int, _total: int) -> None:
        raise KeyboardInterrupt

    uri = str(tmp_path / "source")
    with pytest.raises(KeyboardInterrupt):
        write_history(uri, TINY, 1, UNTIL, interrupt)
    with pytest.raises(SourceError, match="interrupted"):
        read_state(uri)
    path = tmp_path / "source" / "demo.json"
    path.write_text(json.dumps({"size": "x"}))
    with pytest.raises(SourceError, match=r"demo\.json"):
        read_state(uri)


def test_sizes_are_known_by_name() -> None:
    assert named_size("tiny") == TINY
    with pytest.raises(InvalidConfig, match="huge"):
        named_size("huge")
