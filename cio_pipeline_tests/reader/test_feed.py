"""O6, D1, D10: a delivered feed as tables, from the bucket alone."""

import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.model.errors import InvalidConfig, ManifestBroken, NothingDelivered, UnknownExport
from cio_pipeline.model.manifests import ExportStatus, InitialProgress
from cio_pipeline.model.plans import Mode, Series
from cio_pipeline.pipeline.feeds.data_out import numbers_of_exports
from cio_pipeline.reader import Feed
from cio_pipeline.reader import newest as newest_rows
from cio_pipeline.verification.in_flight import exports_by_stem
from cio_pipeline_tests.pipeline.buckets import PEOPLE_2, Bucket, entry, with_entry
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.reader.vanishing import gone_once_checked
from cio_pipeline_tests.world import World, during, window


def customers(feed: Feed, as_of: int | datetime | None = None) -> list[str]:
    return sorted(feed.table("people", as_of=as_of).collect()["customer_id"])


def test_d1_newest_rows_ties_and_all_rows(bucket: Bucket) -> None:
    """Three people in four files, with equal times: the change file counts."""
    feed = Feed(bucket.root)
    assert customers(feed) == ["chngs 1 None"] * 3
    assert feed.changes("people").collect().height == 12
    assert feed.table("people").collect_schema() == feed.table("people").collect().schema
    assert feed.table("events").collect().is_empty()
    assert feed.verify().ok
    assert feed.unproven == ()
    assert {table.name for table in feed.tables()} == set(EXPORTS)


def test_d10_as_of_a_manifest_or_a_window(bucket: Bucket) -> None:
    later = replace(entry(bucket, "people_v5_7_4.parquet"), window_end=window(9).end)
    with_entry(bucket, later)
    feed = Feed(bucket.root)
    assert customers(feed, 1) == ["plain 1 None"] * 3
    assert customers(feed, 2) == ["chngs 1 None"] * 3
    assert [file.sequence for file in feed.files("people", as_of=window(8).end)] == [1, 2, 1]
    assert len(feed.files("people", as_of=window(9).end)) == 4
    assert feed.files("people", as_of=window(-9).end) == []
    with pytest.raises(ManifestBroken, match="There is no manifest 4"):
        feed.table("people", as_of=4)
    with pytest.raises(InvalidConfig, match="without a zone"):
        feed.files("people", as_of=window(9).end.replace(tzinfo=None))


def test_d10_a_feed_stays_as_it_was_first_seen_until_it_is_refreshed(bucket: Bucket) -> None:
    feed = Feed(str(bucket.root))
    before = feed.changes("actions").collect()
    bucket.commit(bucket.file("actions", 2))
    assert feed.changes("actions").collect().height == before.height
    feed.refresh()
    assert feed.changes("actions").collect().height == 2 * before.height


def test_d10_a_window_is_seen_whole_or_not_at_all(bucket: Bucket) -> None:
    """A part of an initial export is delivered: it counts with the last one."""
    half = bucket.file("events", 1)
    half = replace(half, mode=Mode.INITIAL, window_end=window(0).end)
    begun = InitialProgress(window(0).end, slices=2, slice_rows=3, done=1)
    bucket.commit(half)
    bucket.rewrite(4, exports=(ExportStatus("events", "initial-running", None, initial=begun),))
    feed = Feed(bucket.root)
    assert feed.table("events").collect().is_empty()
    bucket.commit(replace(bucket.file("events", 2), mode=Mode.INITIAL, window_end=window(0).end))
    bucket.rewrite(5, exports=(ExportStatus("events", "delivered", window(0).end),))
    feed.refresh()
    assert len(feed.files("events")) == 2


def test_d10_what_was_rewritten_what_is_sent_again_and_earlier_generations(
    bucket: Bucket,
) -> None:
    bucket.commit(superseded=[bucket.erase(entry(bucket, PEOPLE_2), rows=2)])
    feed = Feed(bucket.root)
    assert feed.changes("people").collect().height == 11
    assert feed.changes("people", as_of=2).collect().height == 8

    bucket.commit(replace(bucket.file("metrics", 3), mode=Mode.REPLAY))
    feed.refresh()
    metrics = feed.changes("metrics").collect().height
    assert feed.changes("metrics", replays=True).collect().height == metrics + 3
    assert feed.table("metrics").collect().height == 4, "all rows of a file have one key here"

    bucket.commit(replace(bucket.file("people", 5), generation=2))
    bucket.rewrite(6, generation=2)
    feed.refresh()
    assert customers(feed) == ["plain 5 None"] * 3
    assert feed.changes("metrics").collect().is_empty()


def test_d7_both_versions_of_an_upgraded_sync_are_one_table(world: World) -> None:
    world.sync(version=4, exports=("metrics",))
    world.commit("metrics", {"event_id": "m1", "seq_num": 1}, at=during(0))
    world.run(0, "metrics")
    old = Feed(world.folder())
    assert "machine" not in old.table("metrics").collect_schema()
    world.sync(version=5, exports=("metrics",), at=during(1))
    row = {"event_id": "m2", "seq_num": 2, "metric": "clicked", "channel": "email"}
    world.commit("metrics", {**row, "machine": True}, at=during(1))
    world.run(1, "metrics")
    found = Feed(world.folder()).table("metrics").sort("event_id")
    assert found.select("event_id", "machine").collect().rows() == [("m1", None), ("m2", True)]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NothingDelivered, match="There is no folder"):
        Feed(tmp_path / "elsewhere")


def test_a_table_that_is_none_is_told_with_the_closest(bucket: Bucket) -> None:
    with pytest.raises(UnknownExport, match=r"no table 'poeple'.*'people'"):
        Feed(bucket.root).table("poeple")


def test_a_file_that_changes_while_it_is_read_is_named(bucket: Bucket) -> None:
    feed = Feed(bucket.root)
    batches = feed.changes("people").collect_batches(chunk_size=1)
    (bucket.root / PEOPLE_2).unlink()
    with pytest.raises(Exception, match=f"{PEOPLE_2}' (is gone|does not hold)"):
        list(batches)


def test_a_file_that_goes_between_its_check_and_its_reading_is_named(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever misses it, in which words ever."""
    gone_once_checked(bucket, monkeypatch)
    with pytest.raises(Exception, match=f"'{PEOPLE_2}' is gone"):
        Feed(bucket.root).changes("people").collect()


def test_columns_filters_and_limits_are_those_of_the_newest_rows(bucket: Bucket) -> None:
    """A filter that only an older row meets finds nothing."""
    table = Feed(bucket.root).table("people")
    assert table.filter(pl.col("customer_id") == "plain 1 None").collect().is_empty()
    assert table.select("customer_id").head(2).collect().height == 2
    assert table.select(pl.len()).collect().item() == 3


def test_keys_are_sorted_out_into_parts_where_they_are_many(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {one.name: Feed(bucket.root).table(one.name).collect() for one in TABLES}
    monkeypatch.setattr(newest_rows, "AT_ONCE", 2)
    for name, rows in whole.items():
        assert_frame_equal(Feed(bucket.root).table(name).collect(), rows)


TABLES = (EXPORTS["people"], EXPORTS["metrics"], EXPORTS["actions"])


def test_arrow_and_duckdb_give_the_same_rows(bucket: Bucket) -> None:
    feed = Feed(bucket.root)
    rows = feed.table("metrics").collect()
    streamed = pl.DataFrame(feed.arrow("metrics"))
    assert_frame_equal(streamed, rows)
    relation = feed.duckdb("metrics")
    for _ in range(2):
        assert relation.aggregate("count(*)").fetchall() == [(rows.height,)]
    assert feed.duckdb("people", changes=True).aggregate("count(*)").fetchall() == [(12,)]


def test_without_manifests_names_tell_and_what_is_not_proven_is_said(bucket: Bucket) -> None:
    with_manifests = Feed(bucket.root).table("people").collect()
    for path in (bucket.root / "_cio").iterdir():
        path.unlink()
    feed = Feed(bucket.root)
    assert_frame_equal(feed.table("people").collect(), with_manifests)
    assert "cannot be proven" in feed.unproven[0]
    assert [file.series for file in feed.files("people")][-1] is Series.CHNGS
    assert not feed.verify().ok
    with pytest.raises(InvalidConfig, match="nobody knows when"):
        feed.table("people", as_of=1)


@pytest.mark.parametrize("stem", ["persons", "events", "deliveries"])
def test_a_sync_with_its_manifests_off_and_stems_of_its_own(world: World, stem: str) -> None:
    """Also one that is the contract's, of an export that the sync does not send."""
    own = {"people": stem}
    sync = world.sync(exports=("people",), stems=own, layout="dated", manifest=False)
    world.commit("people", person("ann"), at=during(0))
    world.run(0, "people")
    feed = Feed(world.folder(), stems=own)
    assert customers(feed) == ["ann"]
    keys = [one.key for one in feed.files()]
    assert numbers_of_exports(sync, keys) == {("people", Series.PLAIN): {1}}
    assert exports_by_stem([], own)[stem] == "people"
    load = ["warehouse", "load", str(world.folder()), "--into", str(world.root / "w.duckdb")]
    for command in (load, ["warehouse", "csv", str(world.folder()), "people"]):
        found = CliRunner().invoke(app, [*command, "--stem", f"people={stem}"])
        assert found.exit_code == 0, found.output
        wrong = CliRunner().invoke(app, [*command, "--stem", "poeple=persons"])
        assert isinstance(wrong.exception, UnknownExport)
    script = ["warehouse", "sql", str(world.folder()), "--dialect", "postgres", "--step", "load"]
    text = CliRunner().invoke(app, [*script, "--stem", f"people={stem}", "--table", "people"])
    (program,) = re.findall("PROGRAM 'cio-pipeline (.*)' WITH", text.stdout)
    assert ",ann," in CliRunner().invoke(app, shlex.split(program)).stdout, "its table is emptied"
    with duckdb.connect(str(world.root / "w.duckdb")) as db:
        assert db.execute("SELECT customer_id FROM data_out_1.people").fetchall() == [("ann",)]


@pytest.mark.parametrize(
    ("stems", "says"),
    [
        (["people=a", "deliveries=a"], "people and deliveries have the same file stem"),
        (["people=a", "people=b"], "names 'people' twice"),
        (["people=a b"], "file stem"),
        (["people=a_v5"], "a version of its own"),
    ],
)
def test_d5_stems_that_tell_no_file_are_named_wherever_they_are_given(
    bucket: Bucket, tmp_path: Path, stems: list[str], says: str
) -> None:
    """The last one won, silently."""
    options = [word for one in stems for word in ("--stem", one)]
    place, into = str(bucket.root), str(tmp_path / "w.duckdb")
    for command in (
        ["load", place, "--into", into],
        ["csv", place, "people"],
        ["sql", place, "--dialect", "duckdb"],
    ):
        found = CliRunner().invoke(app, ["warehouse", *command, *options])
        with pytest.raises(InvalidConfig, match=says):
            raise found.exception or AssertionError(found.output)
    given = dict(one.split("=") for one in stems)
    if len(given) == len(stems):
        with pytest.raises(InvalidConfig, match=says):
            Feed(bucket.root, stems=given)


def test_o6_no_file_is_loaded_into_two_tables(bucket: Bucket) -> None:
    """A stem may be that of an export that the sync does not send, which has no table then."""
    words = ["warehouse", "sql", str(bucket.root), "--dialect", "duckdb", "--stem", "people=events"]
    found = CliRunner().invoke(app, words)
    with pytest.raises(InvalidConfig, match="people and events have the same names"):
        raise found.exception or AssertionError(found.output)
    assert CliRunner().invoke(app, [*words, "--table", "people"]).exit_code == 0


@pytest.mark.parametrize("at", ["2026-11-29", date(2026, 11, 29), 1.0, True, datetime(2026, 1, 1)])  # noqa: DTZ001
def test_as_of_is_an_ordinal_or_a_time_with_its_zone(bucket: Bucket, at: Any) -> None:
    with pytest.raises(InvalidConfig, match="`as_of` is a"):
        Feed(bucket.root).table("people", as_of=at)


def test_d10_the_folder_above_feeds_is_not_read_by_names(bucket: Bucket, tmp_path: Path) -> None:
    """Names would tell more than manifests do: what lies there and is not committed."""
    above = str(bucket.root.parent)
    with pytest.raises(InvalidConfig, match=f"Feeds lie below: {bucket.root.name}") as caught:
        Feed(above).files()
    assert "_cio/" in caught.value.next_step
    command = ["warehouse", "load", above, "--into", str(tmp_path / "w.duckdb")]
    found = CliRunner().invoke(app, command)
    assert found.exit_code == 1
    assert "Feeds lie below" in found.stderr


@pytest.mark.parametrize("place", ["", None])
def test_no_place_is_not_the_folder_that_a_program_runs_in(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, place: Any
) -> None:
    monkeypatch.chdir(bucket.root)
    with pytest.raises(InvalidConfig, match="No place is given"):
        Feed(place)


def test_who_reads_csv_may_have_seen_enough(bucket: Bucket) -> None:
    program = "from cio_pipeline.cli import main; main()"
    words = ["warehouse", "csv", str(bucket.root), "people"]
    with subprocess.Popen(
        [sys.executable, "-c", program, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout
        assert run.stderr
        run.stdout.close()
        assert run.stderr.read() == b""
    assert run.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
@pytest.mark.parametrize("words", [["--help"], ["warehouse", "csv", "{place}", "people"]])
def test_what_is_said_may_have_no_room(bucket: Bucket, words: Sequence[str]) -> None:
    program = "from cio_pipeline.cli import main; main()"
    words = [one.format(place=bucket.root) for one in words]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", program, *words],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr == (
        "Error: What it says or makes cannot be written: No space left on device.\n"
        "Write it elsewhere.\n"
    )


def test_reading_imports_neither_ledger_nor_dagster() -> None:
    code = (
        "import sys, cio_pipeline.reader; "
        "print([n for n in sys.modules if n.split('.')[0] in {'dagster', 'sqlalchemy', 'duckdb'}])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
