"""O6: a DuckDB warehouse that loads itself, each manifest once; whatever happens on the way."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.destinations.local import LocalFolder
from cio_pipeline.model.errors import (
    FileAltered,
    ManifestBroken,
    ObjectMissing,
    WarehouseUnusable,
)
from cio_pipeline.pipeline.recovery.acknowledged import acknowledged
from cio_pipeline.reader import Feed
from cio_pipeline.reader.copies import Copies
from cio_pipeline.reader.warehouse import database
from cio_pipeline.reader.warehouse.load import load
from cio_pipeline_tests.calls import steps
from cio_pipeline_tests.pipeline.buckets import PEOPLE_2, Bucket, whole_bucket
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.reader.compared import rows, same
from cio_pipeline_tests.reader.histories import grown, messages
from cio_pipeline_tests.reader.vanishing import gone_once_checked
from cio_pipeline_tests.world import NOON, World, during


def test_o6_each_manifest_is_loaded_once_and_what_was_rewritten_replaces_its_rows(
    bucket: Bucket, db: Any
) -> None:
    first = load(db, bucket.root)
    assert (first.schema, first.first, first.last, first.files, first.rows) == ("acme", 1, 3, 8, 24)
    same(db, bucket.root)
    again = load(db, bucket.root)
    assert (again.last, again.files, again.rows) == (None, 0, 0)
    grown(bucket)
    more = load(db, bucket.root)
    assert (more.first, more.last, more.files, more.rewritten) == (4, 5, 4, 1)
    same(db, bucket.root)
    assert load(db, bucket.root, rebuild=True).rows == 35
    same(db, bucket.root)


def test_who_is_months_behind_asks_for_each_manifest_once(bucket: Bucket, db: Any) -> None:
    """One after the other, a year of windows took a quarter of an hour before they were read."""
    asked: list[str] = []

    class Asked:
        """A store that is counted."""

        def get(self, key: str) -> bytes:
            asked.append(key)
            return bucket.folder.get(key)

        def __getattr__(self, name: str) -> Any:
            asked.extend([name] * (name == "list"))
            return getattr(bucket.folder, name)

    counted: Any = Asked()
    load(db, counted)
    for _ in range(300):
        bucket.commit()
    asked.clear()
    assert load(db, counted).last == 303
    assert len(asked) <= 320
    assert asked.count("list") == 1
    same(db, bucket.root)
    bucket.commit()
    asked.clear()
    assert load(db, counted).last == 304
    assert (len(asked), asked.count("list")) == (4, 0)


def test_d6_a_new_generation_empties_the_tables(bucket: Bucket, db: Any) -> None:
    load(db, bucket.root)
    bucket.commit(replace(bucket.file("people", 5), generation=2))
    bucket.rewrite(4, generation=2)
    load(db, bucket.root)
    same(db, bucket.root)
    assert rows(db, "acme.metrics").is_empty()


def test_a_bucket_goes_on_from_what_was_loaded_or_it_is_another_one(
    bucket: Bucket, db: Any
) -> None:
    load(db, bucket.root)
    bucket.commit(bucket.file("people", 5))
    last = bucket.root / "_cio" / "4.manifest"
    body = last.read_bytes()
    last.write_bytes(body.replace(b'"previous": "', b'"previous": "0'))
    with pytest.raises(ManifestBroken, match="does not go on from manifest 3"):
        load(db, bucket.root)
    last.write_bytes(body)
    bucket.rewrite(3, rechain=True, version=4)
    with pytest.raises(ManifestBroken, match="Manifest 3 is another one"):
        load(db, bucket.root)
    for path in (bucket.root / "_cio").iterdir():
        path.unlink()
    with pytest.raises(ManifestBroken, match="was read before, and is not there any more"):
        load(db, bucket.root)


def test_several_syncs_and_both_versions_lie_side_by_side_and_an_upgrade_adds_columns(
    world: World, db: Any
) -> None:
    exports = ("people", "metrics")
    world.sync("old-v4", version=4, exports=exports)
    world.sync("new-v5", version=5, exports=exports)
    world.commit("people", person("ann"), at=during(0))
    world.commit("metrics", {"event_id": "m1", "seq_num": 1}, at=during(0))
    world.run(0, *exports)
    for sync_id in ("old-v4", "new-v5"):
        load(db, world.folder(sync_id))
    assert "machine" not in rows(db, "old_v4.metrics_newest").columns
    world.sync("old-v4", version=5, exports=exports, at=during(1))
    world.commit("metrics", {"event_id": "m2", "seq_num": 2}, at=during(1))
    world.run(1, *exports)
    for sync_id in ("old-v4", "new-v5"):
        load(db, world.folder(sync_id))
        same(db, world.folder(sync_id), sync_id.replace("-", "_"))
    assert rows(db, "old_v4.metrics_newest")["machine"].to_list() == [None, False]


def test_calls_messages_and_every_export_have_tables_with_comments(
    world: World, db: Any, bucket: Bucket
) -> None:
    steps.calls_sync(world, "acme-calls")
    steps.commit(world, steps.call_row("track", '{"type":"track","event":"E"}'), at=NOON)
    steps.run(world, 0)
    load(db, world.folder("acme-calls"))
    same(db, world.folder("acme-calls"), "acme_calls")
    load(db, bucket.root)
    told = db.execute(
        "SELECT schema_name || '.' || table_name, column_name, comment FROM duckdb_columns() "
        "WHERE NOT internal UNION ALL SELECT table_name, '', comment FROM duckdb_tables() "
        "UNION ALL SELECT view_name, '', comment FROM duckdb_views() WHERE NOT internal"
    ).fetchall()
    assert [one for one in told if not one[2]] == []
    names = {name.removeprefix("acme.") for name, _, _ in told if name.startswith("acme.")}
    assert {*EXPORTS, *(f"{name}_newest" for name in EXPORTS)} <= names
    assert db.execute('SELECT "from", "to" FROM acme.inbound_newest').fetchall() == []


def test_without_manifests_each_file_is_loaded_once(bucket: Bucket, db: Any) -> None:
    for path in (bucket.root / "_cio").iterdir():
        path.unlink()
    first = load(db, bucket.root)
    assert first.unproven
    assert (first.schema, first.files) == ("data_out_7", 8)
    same(db, bucket.root, first.schema)
    bucket.file("people", 5)
    assert load(db, bucket.root).files == 1
    same(db, bucket.root, first.schema)
    (bucket.root / PEOPLE_2).write_bytes(b"PAR1")
    with pytest.raises(FileAltered, match="another file than was loaded"):
        load(db, bucket.root)


def test_who_came_before_the_first_manifest_goes_on_with_it(
    bucket: Bucket, db: Any, tmp_path: Path
) -> None:
    """First files lie there for as long as their window takes, and no manifest."""
    (bucket.root / "_cio").rename(tmp_path / "away")
    early = load(db, bucket.root)
    assert (early.unproven is None, early.first) == (False, None)
    (tmp_path / "away").rename(bucket.root / "_cio")
    done = load(db, bucket.root)
    assert (done.schema, done.files, done.unproven) == (early.schema, early.files, None)
    same(db, bucket.root, done.schema)
    assert load(db, bucket.root).files == 0


def test_what_no_manifest_lists_is_not_dropped_for_those_that_come(
    bucket: Bucket, db: Any, tmp_path: Path
) -> None:
    """Of a sync that had `manifest: false` at first."""
    (bucket.root / "_cio").rename(tmp_path / "away")
    bucket.file("people", 5)
    early = load(db, bucket.root)
    people = rows(db, f'"{early.schema}"."people"')
    (tmp_path / "away").rename(bucket.root / "_cio")
    with pytest.raises(WarehouseUnusable, match="without manifests"):
        load(db, bucket.root)
    assert rows(db, f'"{early.schema}"."people"').equals(people)


def test_a_schema_holds_one_feed(bucket: Bucket, db: Any, tmp_path: Path) -> None:
    load(db, bucket.root, schema="mine")
    other = whole_bucket(tmp_path / "other")
    for ordinal in (1, 2, 3):
        other.rewrite(ordinal, sync_id="other")
    with pytest.raises(WarehouseUnusable, match="holds sync acme"):
        load(db, other.root, schema="mine")
    assert load(db, other.root).schema == "other"
    assert load(db, other.root, schema="mine", rebuild=True).schema == "mine"
    moved = bucket.root.rename(tmp_path / "moved")
    bucket.root = moved
    assert load(db, moved, schema="Acme").files == 8


def test_the_command_loads_the_others_and_names_what_failed(bucket: Bucket, tmp_path: Path) -> None:
    into = str(tmp_path / "w.duckdb")
    command = ["warehouse", "load", str(bucket.root), str(tmp_path / "nothing"), "--into", into]
    found = CliRunner().invoke(app, [*command, "--json"])
    assert found.exit_code == 1
    told = json.loads(found.stdout)
    assert told["loaded"][0]["rows"] == 24
    assert "There is no folder" in told["failed"][0]["error"]
    shown = CliRunner().invoke(app, ["warehouse", "load", str(bucket.root), "--into", into])
    assert shown.exit_code == 0
    assert "none new" in shown.stdout


def test_a_file_that_goes_between_its_check_and_duckdb_is_named_and_nothing_is_loaded(
    bucket: Bucket, db: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone_once_checked(bucket, monkeypatch)
    with pytest.raises(ObjectMissing, match=f"'{PEOPLE_2}' is gone"):
        load(db, bucket.root)
    assert (
        db.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'acme'").fetchall()
        == []
    )


def test_o6_what_is_loaded_is_acknowledged_once_it_is_committed(
    world: World, tmp_path: Path
) -> None:
    """Whoever died in between tells it the next time, though nothing is new."""
    sync = world.sync(exports=("people",), expire_acknowledged_after="1d")
    place, into = str(world.folder()), tmp_path / "w.duckdb"
    command = ["warehouse", "load", place, "--into", str(into), "--acknowledge"]
    for number in (0, 1):
        world.commit("people", person(f"p{number}"), at=during(number))
        world.run(number, "people")
        with database.opened(into) as db:
            load(db, place)
        assert acknowledged(world.services, sync) == (number or None)
        for _ in range(2):
            assert CliRunner().invoke(app, command).exit_code == 0
            assert acknowledged(world.services, sync) == number + 1
    assert Feed(place).verify().ok


def test_without_manifests_there_is_nothing_to_acknowledge(bucket: Bucket, tmp_path: Path) -> None:
    shutil.rmtree(bucket.root / "_cio")
    command = ["warehouse", "load", str(bucket.root), "--into", str(tmp_path / "w.duckdb")]
    found = CliRunner().invoke(app, [*command, "--acknowledge", "--json"])
    told = json.loads(found.stdout)
    assert told["loaded"][0]["files"] == 8
    assert "nothing to acknowledge" in told["failed"][0]["error"]
    assert not (bucket.root / "_cio").exists()


@pytest.mark.parametrize("loads", [{0, 1, 2}, {0, 2}, {2}])
@pytest.mark.parametrize("last", [True, False])
def test_m4_d4_a_message_that_was_replaced_or_erased_is_in_no_row(
    tmp_path: Path, db: Any, loads: set[int], *, last: bool
) -> None:
    """Erased first and replaced then, or the other way round; whenever it is loaded."""
    bucket = Bucket(tmp_path)
    for step, _ in enumerate(messages(bucket, last=last)):
        if step in loads:
            load(db, bucket.root)
            same(db, bucket.root)
    assert rows(db, "acme.messages")["data"].to_list() == ["{}" if last else '{"n": 2}']
    assert db.execute("SELECT count(*) FROM _cio.files").fetchall() == [(1,)]


def test_the_paths_of_some_files_hold_however_large_they_are(
    bucket: Bucket, tmp_path: Path
) -> None:
    """As those of a store, of which copies are kept in a bounded room."""
    (tmp_path / "copies").mkdir()
    elsewhere: Any = _Elsewhere(bucket.folder)
    copies = Copies(elsewhere, tmp_path / "copies", room=1)
    files = Feed(bucket.root).files("people")[:1]
    paths = [path for _, path in copies.all_of(files)]
    assert [path.exists() for path in paths] == [True]


@dataclass
class _Elsewhere:
    """A folder that does not look like one."""

    folder: LocalFolder

    def download(self, key: str, to: Path) -> None:
        self.folder.download(key, to)
