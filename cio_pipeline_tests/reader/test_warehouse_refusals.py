"""O6: what a warehouse does not load: named with the next step, and nothing by halves."""

import resource
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.model.errors import (
    FileAltered,
    InvalidKey,
    ManifestBroken,
    WarehouseBusy,
    WarehouseUnusable,
)
from cio_pipeline.model.manifests import ACKNOWLEDGED, manifest_key
from cio_pipeline.reader import Feed, chain
from cio_pipeline.reader.warehouse import database
from cio_pipeline.reader.warehouse.load import load
from cio_pipeline_tests.pipeline.buckets import PEOPLE_2, Bucket, whole_bucket
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.reader.compared import rows, same
from cio_pipeline_tests.world import World, during


def test_a_file_that_changes_between_its_check_and_its_load_is_named(
    bucket: Bucket, db: Any
) -> None:
    class Hasty:
        """Another writer is faster than the loader."""

        def execute(self, query: str, *parameters: Any) -> Any:
            found = db.execute(query, *parameters)
            if "read_parquet" in query and "people" in query:
                path = bucket.root / PEOPLE_2
                body = path.read_bytes()
                path.unlink()
                path.write_bytes(body)
            return found

        def __getattr__(self, name: str) -> Any:
            return getattr(db, name)

    hasty: Any = Hasty()
    with pytest.raises(FileAltered, match=PEOPLE_2):
        load(hasty, bucket.root)
    assert db.execute("SELECT count(*) FROM _cio.manifests").fetchall() == [(0,)]


def test_files_that_are_none_and_files_in_use_are_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("Not a database, though it is long enough to be one." * 999)
    with pytest.raises(WarehouseUnusable, match="no file that this DuckDB can open"):
        database.opened(tmp_path / "text").__enter__()
    with pytest.raises(WarehouseUnusable, match="no folder"):
        database.opened(tmp_path / "nowhere" / "w.duckdb").__enter__()
    assert isinstance(database._named(tmp_path, "Could not set lock on file"), WarehouseBusy)
    with pytest.raises(WarehouseUnusable, match="no folder"):
        database.opened(tmp_path / "clock" / "w.duckdb").__enter__()


def _nothing(_: Bucket, tmp_path: Path) -> list[str]:
    (tmp_path / "empty").mkdir()
    return [str(tmp_path / "empty")]


def _broken(bucket: Bucket, _: Path) -> list[str]:
    bucket.folder.delete(manifest_key(1))
    return [str(bucket.root)]


@pytest.mark.parametrize(
    "refused",
    [
        _nothing,
        _broken,
        lambda *_: ["nowhere"],
        lambda bucket, _: [str(bucket.root), "--schema", "main"],
        lambda bucket, _: [str(bucket.root), "--schema", "w"],
    ],
    ids=["nothing", "broken", "no place", "no schema", "called like the file"],
)
def test_a_load_that_is_refused_leaves_no_file_and_never_takes_one_away(
    bucket: Bucket, tmp_path: Path, refused: Callable[[Bucket, Path], list[str]]
) -> None:
    path = tmp_path / "w.duckdb"
    words = refused(bucket, tmp_path)
    command = ["warehouse", "load", *words, "--into", str(path)]
    assert CliRunner().invoke(app, command).exit_code == 1
    assert list(tmp_path.glob("w.*")) == []
    with closing(duckdb.connect(str(path))) as of_theirs:
        of_theirs.execute("CREATE SCHEMA mine")
    assert CliRunner().invoke(app, command).exit_code == 1
    assert path.exists(), "somebody had made it"
    path.unlink()
    with database.opened(path) as db:
        db.execute("CREATE TABLE mine (a INTEGER)")
    assert path.exists(), "there is something in it"


def test_a_file_that_its_maker_takes_away_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would be loaded into it would be nowhere."""
    path, connect = tmp_path / "w.duckdb", duckdb.connect

    def connected(name: str) -> Any:
        connection = connect(name)
        path.unlink()
        return connection

    monkeypatch.setattr(duckdb, "connect", connected)
    with pytest.raises(WarehouseBusy):
        database.opened(path).__enter__()


@pytest.mark.parametrize("key", ["../people_v5_7_9.parquet", "/{root}/people_v5_7_9.parquet"])
def test_a_manifest_names_no_file_outside_of_its_folder(
    bucket: Bucket, db: Any, tmp_path: Path, key: str
) -> None:
    """Whoever may write the bucket must not have other files of this machine read."""
    outside = bucket.file("people", 9)
    (bucket.root / outside.key).rename(tmp_path / outside.key)
    bucket.commit(replace(outside, key=key.format(root=str(tmp_path).strip("/"))))
    with pytest.raises(InvalidKey, match="is no valid key"):
        load(db, bucket.root)


@pytest.mark.parametrize("name", [":memory:", ":memory:x", "md:x"])
def test_a_file_is_one_whatever_it_is_called(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What was loaded was nowhere, with exit code 0."""
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(app, ["warehouse", "load", str(bucket.root), "--into", name])
    assert (found.exit_code, (tmp_path / name).is_file()) == (0, True)


@pytest.mark.parametrize("name", ["acme.duckdb", "ACME.db", "_cio.duckdb"])
def test_a_file_that_is_called_like_a_schema_is_named(
    bucket: Bucket, tmp_path: Path, name: str
) -> None:
    """`acme.people` is ambiguous to DuckDB then, and would be to everybody who opens the file."""
    command = ["warehouse", "load", str(bucket.root), "--into", str(tmp_path / name)]
    found = CliRunner().invoke(app, command)
    assert found.exit_code == 1
    assert "have one name" in " ".join(found.stderr.split())
    if "_cio" not in name:
        assert CliRunner().invoke(app, [*command, "--schema", "mine"]).exit_code == 0


@pytest.mark.parametrize("name", ["main", "system", "information-schema"])
def test_a_sync_may_be_called_as_duckdb_calls_its_own(bucket: Bucket, db: Any, name: str) -> None:
    """In Dagster nobody could give it a schema."""
    for ordinal in (1, 2, 3):
        bucket.rewrite(ordinal, sync_id=name)
    schema = f"{name.replace('-', '_')}_feed"
    assert load(db, bucket.root).schema == schema
    assert load(db, bucket.root).schema == schema


def test_a_table_that_was_removed_is_not_made_anew_without_its_rows(
    bucket: Bucket, db: Any
) -> None:
    load(db, bucket.root)
    db.execute("DROP VIEW acme.people_newest; DROP TABLE acme.people")
    bucket.commit(bucket.file("people", 5))
    with pytest.raises(WarehouseUnusable, match=r"'acme\.people' was removed") as caught:
        load(db, bucket.root)
    assert "--rebuild" in caught.value.next_step
    assert load(db, bucket.root, rebuild=True).last == 4


def _too_large(bucket: Bucket, db: Any) -> None:
    del db
    bucket.commit(replace(bucket.file("people", 5), sequence=10**30))


def _table_of_others(bucket: Bucket, db: Any) -> None:
    db.execute("ALTER TABLE acme.people DROP COLUMN _row")
    bucket.commit(bucket.file("people", 5))


@pytest.mark.parametrize("refused", [_too_large, _table_of_others])
def test_what_the_database_refuses_is_named_and_nothing_is_loaded(
    bucket: Bucket, db: Any, refused: Callable[[Bucket, Any], None]
) -> None:
    load(db, bucket.root)
    db.execute("DROP VIEW acme.people_newest")
    refused(bucket, db)
    with pytest.raises(WarehouseUnusable, match="does not take it"):
        load(db, bucket.root)
    assert db.execute("SELECT max(ordinal) FROM _cio.manifests").fetchall() == [(3,)]


@pytest.mark.parametrize(
    ("name", "body", "table"),
    [
        ("people_v5_7_9.parquet", b"", "people"),
        ("people_v5_7_9.parquet", b"PAR1" + b"?" * 99 + b"PAR1", "people"),
        ("1.2.3.track.json", b'{"messageId": "m1", "event', "track"),
        ("1.2.3.track.json", b'{"message_id": "\xff"}', "track"),
        ("1.2.3.track.csv", b'message_id,event\n"m1', "track"),
        ("1.2.3.track.parquet", b"PAR1", "track"),
    ],
)
def test_what_is_no_file_of_its_kind_is_named_without_manifests_too(
    tmp_path: Path, db: Any, name: str, body: bytes, table: str
) -> None:
    (tmp_path / name).write_bytes(body)
    with pytest.raises(FileAltered, match=name):
        Feed(tmp_path).table(table).collect()
    with pytest.raises(FileAltered, match=name):
        load(db, tmp_path)
    found = CliRunner().invoke(app, ["warehouse", "csv", str(tmp_path), table])
    assert isinstance(found.exception, FileAltered)


@contextmanager
def _full_disk() -> Generator[None]:
    """No file grows meanwhile: where a disk is full, writing fails in the same place."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_commit_that_a_full_disk_refuses_is_named_and_loaded_later(
    bucket: Bucket, tmp_path: Path
) -> None:
    file = tmp_path / "w.duckdb"
    with database.opened(file) as db:
        load(db, bucket.root)
        bucket.commit(bucket.file("people", 5))
        for _ in range(2):  # once it failed, DuckDB may refuse all else
            with _full_disk(), pytest.raises(WarehouseUnusable, match="does not take it"):
                load(db, bucket.root)
    with database.opened(file) as db:
        assert load(db, bucket.root).last == 4
        same(db, bucket.root)


def test_upper_and_lower_case_are_one_schema(bucket: Bucket, db: Any, tmp_path: Path) -> None:
    load(db, bucket.root)
    other = whole_bucket(tmp_path / "other")
    for ordinal in (1, 2, 3):
        other.rewrite(ordinal, sync_id="other")
    with pytest.raises(WarehouseUnusable, match="'acme' holds sync acme"):
        load(db, other.root, schema="Acme")


@pytest.mark.parametrize("manifests", [1, 3, 4])
def test_o6_another_chain_of_a_sync_is_neither_loaded_nor_acknowledged(
    bucket: Bucket, tmp_path: Path, manifests: int
) -> None:
    """A trial beside production, with the same id: shorter, as long, or longer."""
    other, into = Bucket(tmp_path / "trial"), tmp_path / "w.duckdb"
    for number in range(manifests):
        other.commit(other.file("people", number + 1, rows=5))
    places = [str(bucket.root), str(other.root)]
    found = CliRunner().invoke(
        app, ["warehouse", "load", *places, "--into", str(into), "--acknowledge"]
    )
    assert found.exit_code == 1
    assert f"Manifest {min(manifests, 3)} is another one" in found.stderr.replace("\n", " ")
    assert (bucket.root / ACKNOWLEDGED).read_bytes() == b"3"
    assert not (other.root / ACKNOWLEDGED).exists()
    with database.opened(into) as db:
        place = db.execute("SELECT place FROM _cio.feeds").fetchall()
        assert place == [(str(bucket.root.resolve()),)]
        # One that is there is known again, though it was not loaded last.
        assert load(db, bucket.root).last is None


@pytest.mark.parametrize("place", ["s3://key:hush@bucket/p", "az://c/p?sig=hush", "tape://p#hush"])
def test_keys_in_a_url_are_not_repeated(tmp_path: Path, place: str) -> None:
    command = ["warehouse", "load", place, "--into", str(tmp_path / "w.duckdb")]
    for more in ([], ["--json"]):
        found = CliRunner().invoke(app, [*command, *more])
        assert found.exit_code == 1
        assert "hush" not in found.output


def test_d7_who_is_far_behind_where_a_sync_came_back_loads_what_lies_there_first(
    world: World, db: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Manifests that are listed are those of before it was moved, and those since it came back."""
    monkeypatch.setattr(chain, "_ASKED", 2)
    old, new = world.folder(), world.root / "elsewhere"
    places = ["bucket/a"] * 5 + ["elsewhere", "bucket/a"]
    for number, path in enumerate(places):
        place = {"type": "local", "path": path}
        world.sync(exports=("people",), destination=place, at=during(number))
        world.commit("people", person(f"p{number}"), at=during(number))
        world.run(number, "people")
        if number == 0:
            load(db, old)

    assert load(db, old).last == 5
    with pytest.raises(WarehouseUnusable, match="from 6 to 7 lie in another place"):
        load(db, old)
    load(db, new)
    load(db, old)

    assert len(rows(db, "a.people_newest")) == 7


def test_a_manifest_that_is_missing_among_new_ones_is_named_at_once(
    bucket: Bucket, db: Any
) -> None:
    load(db, bucket.root)
    for _ in range(4):
        bucket.commit()
    (bucket.root / manifest_key(5)).unlink()

    with pytest.raises(ManifestBroken, match=r"Manifest 5 is missing.* 4 it holds"):
        load(db, bucket.root)

    assert db.execute("SELECT max(ordinal) FROM _cio.manifests").fetchall() == [(4,)]
