"""Cuts of a Delta source: which commits a window has (D6)."""

import json
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.errors import (
    SourceError,
    SourceGone,
    SourceUnavailable,
    TableReplaced,
    VersionGone,
)
from cio_pipeline.sources.delta import DeltaSource
from cio_pipeline.sources.delta_log import CommitLog
from cio_pipeline_tests.sources.things import (
    NOTES,
    START,
    THINGS,
    cut_at,
    latest,
    minute,
    put,
    rows,
    source,
)


def entry(folder: Path, version: int, table: str = "things") -> Path:
    return folder / table / "_delta_log" / f"{version:020d}.json"


def version_at(found: DeltaSource, at: float, after: Cut | None = None) -> int:
    return cut_at(found, at, after).tables["things"].version


def test_d6_a_cut_has_the_commits_before_its_time(tmp_path: Path) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, at=10)
    put(found, {"a": "2"}, at=20)
    assert [version_at(found, at) for at in (0, 10, 10.01, 20, 21)] == [0, 0, 1, 1, 2]


def test_d6_without_a_stated_time_the_logs_counts(tmp_path: Path) -> None:
    found = source(tmp_path)
    before = datetime.now(UTC) - timedelta(seconds=1)
    write_deltalake(tmp_path / "things", rows({"a": "1"}), mode="append", schema_mode="merge")
    after = datetime.now(UTC) + timedelta(seconds=1)
    assert cut_at(found, before).tables["things"].version == 0
    assert cut_at(found, after).tables["things"].version == 1


@given(
    st.lists(st.integers(0, 9), max_size=40, min_size=1),
    st.lists(st.integers(0, 10), max_size=4),
)
@settings(max_examples=40, deadline=None)
def test_d6_late_commits_belong_to_the_next_cut(times: list[int], ends: list[int]) -> None:
    """A version's time is the largest up to it; each cut goes on from the one before."""
    with tempfile.TemporaryDirectory() as folder:
        log = log_of(Path(folder), times)
        reached = -1
        for at in sorted(ends):
            found = log.last_before(minute(at), reached + 1, len(times) - 1, _now).version
            reached = reached if found is None else found
            alone = log.last_before(minute(at), 0, len(times) - 1, _now).version
            running = [max(times[: v + 1]) for v in range(len(times))]
            wanted = sum(time < at for time in running) - 1
            assert (-1 if alone is None else alone) == wanted == reached


def _now(_version: int) -> datetime:
    return datetime.now(UTC)


def log_of(folder: Path, times: list[int]) -> CommitLog:
    """The log of a table with commits at these minutes."""
    (folder / "things" / "_delta_log").mkdir(parents=True)
    for version, time in enumerate(times):
        info = {"commitInfo": {"timestamp": int(minute(time).timestamp() * 1000)}}
        entry(folder, version).write_text(json.dumps(info))
    return CommitLog("things", str(folder / "things"), {})


UNREAD = "Version 0 of table things has a log entry that cannot be read"


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ({"timestamp": "soon"}, UNREAD),
        ({"timestamp": 1e300}, UNREAD),
        ({"timestamp": [1]}, UNREAD),
        (None, UNREAD),
        ({"cio.committed_at": "soon"}, "cio.committed_at that is no ISO 8601 time"),
        ({"cio.committed_at": "2026-03-01T10:00"}, "cio.committed_at that is no ISO 8601 time"),
    ],
)
def test_d6_a_time_that_cannot_be_read_is_named(
    tmp_path: Path, info: dict[str, Any] | None, said: str
) -> None:
    log = log_of(tmp_path, [0])
    entry(tmp_path, 0).write_text(json.dumps({"commitInfo": info}))
    with pytest.raises(SourceError, match=said):
        log.last_before(minute(1), 0, 0, _now)


def test_d6_a_cut_is_never_lower_than_the_one_before(tmp_path: Path) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, at=10)
    put(found, {"a": "2"}, at=5)
    later = cut_at(found, 30)
    assert later.tables["things"].version == 2
    assert version_at(found, 5, later) == 2
    put(found, {"a": "3"}, at=1)
    assert version_at(found, 5, later) == 2, "a late commit does not get into an earlier window"
    assert version_at(found, 31, later) == 3


def test_d6_only_later_log_entries_are_read(tmp_path: Path) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, at=10)
    first = cut_at(found, 11)
    put(found, {"a": "2"}, at=20)
    DeltaTable(tmp_path / "things").create_checkpoint()
    for version in (0, 1):
        entry(tmp_path, version).unlink()
    assert version_at(found, 21, first) == 2


def test_d6_commits_without_info_keep_their_numbers(tmp_path: Path) -> None:
    found = source(tmp_path)
    for n in range(1, 4):
        put(found, {"a": str(n)}, at=n * 10)
    bare = entry(tmp_path, 2)
    bare.write_text(
        "\n".join(line for line in bare.read_text().splitlines() if "commitInfo" not in line)
    )
    assert version_at(found, 15) == 1
    assert version_at(found, 35) == 1, "the file's own time is that of this test"
    hour = datetime.now(UTC) + timedelta(hours=1)
    assert cut_at(found, hour).tables["things"].version == 3


def test_d6_tables_without_a_commit_are_left_out(tmp_path: Path) -> None:
    found = source(tmp_path)
    assert set(cut_at(found, 0, None, THINGS, NOTES).tables) == {"things"}
    early = cut_at(found, datetime(1969, 1, 1, tzinfo=UTC))
    assert dict(early.tables) == {}


def test_a_replaced_table_is_cut_anew_and_its_changes_are_refused(tmp_path: Path) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, at=10)
    before = cut_at(found, 20)
    old = latest(found)
    shutil.rmtree(tmp_path / "things")
    source(tmp_path)
    now = latest(found)
    assert cut_at(found, 30, before).tables["things"] == now
    with pytest.raises(TableReplaced, match="things"):
        found.snapshot(THINGS, type(old)(old.table_id, 0))
    with pytest.raises(TableReplaced, match="things"):
        found.changes(THINGS, old, now)


def test_a_table_set_back_is_cut_where_it_is(tmp_path: Path) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, at=10)
    before = cut_at(found, 20)
    entry(tmp_path, 1).unlink()
    assert cut_at(found, 30, before).tables["things"].version == 0


def test_a_source_that_is_gone_is_named_and_a_table_that_is_gone_left_out(tmp_path: Path) -> None:
    with pytest.raises(SourceGone, match="source init"):
        cut_at(DeltaSource(str(tmp_path / "nowhere")), 1)
    assert cut_at(DeltaSource(str(tmp_path)), 1) == Cut(minute(1), {})
    found = source(tmp_path, THINGS, NOTES)
    before = cut_at(found, 1, None, THINGS, NOTES)
    shutil.rmtree(tmp_path / "notes")
    assert set(cut_at(found, 2, before, THINGS, NOTES).tables) == {"things"}


def test_a_cleaned_log_is_named_if_it_is_needed(tmp_path: Path) -> None:
    found = source(tmp_path)
    before = cut_at(found, 0)
    for n in range(1, 5):
        put(found, {"a": str(n)}, at=n * 10)
    DeltaTable(tmp_path / "things").create_checkpoint()
    for version in range(3):
        entry(tmp_path, version).unlink()
    assert version_at(found, 35, before) == 3, "entries removed are older than those left"
    assert version_at(found, 35) == 3
    with pytest.raises(VersionGone, match=r"things no longer has version 1.*delta.logRetention"):
        cut_at(found, 30, before)


@pytest.mark.parametrize(
    "text",
    ["yesterday", "2026-01-01T00:10:00", "2026-01-01T00:10:00-00:60", "0001-01-01T00:00:00+00:01"],
)
def test_a_stated_time_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, at=10)
    log = entry(tmp_path, 1)
    log.write_text(log.read_text().replace("2026-01-01T00:10:00+00:00", text))
    with pytest.raises(SourceError, match=r"Version 1 of table things has a cio\.committed_at"):
        cut_at(found, 30)


def test_a_store_that_does_not_answer_is_transient() -> None:
    options = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret-key",
        "AWS_REGION": "eu-central-1",
        "AWS_ALLOW_HTTP": "true",
        "max_retries": "0",
    }
    found = DeltaSource("s3://bucket/source", options)
    with pytest.raises(SourceUnavailable, match="things cannot be reached") as caught:
        cut_at(found, START)
    assert "secret-key" not in f"{caught.value!r}{found!r}"


def test_a_broken_log_is_named(tmp_path: Path) -> None:
    found = source(tmp_path)
    entry(tmp_path, 0).write_text("{")
    with pytest.raises(SourceError, match="things"):
        cut_at(found, 1)
