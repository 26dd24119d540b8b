"""O6: whichever statement of a load a process dies before, nothing is lost or doubled."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cio_pipeline.reader.warehouse import database
from cio_pipeline.reader.warehouse import load as loading
from cio_pipeline.reader.warehouse.load import load
from cio_pipeline_tests.calls import steps
from cio_pipeline_tests.crashes import Crash, Fuse, Watched
from cio_pipeline_tests.pipeline.buckets import PEOPLE_2, Bucket, entry, whole_bucket
from cio_pipeline_tests.reader.compared import same
from cio_pipeline_tests.reader.histories import grown, messages
from cio_pipeline_tests.world import NOON, World


@dataclass(frozen=True)
class Loads:
    """Loads of some folders, which may die, and the schemas that they fill."""

    places: Sequence[tuple[Path, str]]
    rebuild: bool = False

    def run(self, db: Any, *, rebuild: bool = False) -> None:
        for place, _ in self.places:
            load(db, place, rebuild=rebuild)


def of(bucket: Bucket, *, rebuild: bool = False) -> Loads:
    return Loads([(bucket.root, "acme")], rebuild)


def more(root: Path, db: Any) -> Loads:
    bucket = whole_bucket(root)
    load(db, bucket.root)
    grown(bucket)
    return of(bucket)


def first(root: Path, db: Any) -> Loads:
    return of(whole_bucket(root))


def rebuild(root: Path, db: Any) -> Loads:
    return replace(more(root, db), rebuild=True)


def erased(root: Path, db: Any) -> Loads:
    """A manifest that has nothing but what was rewritten."""
    bucket = whole_bucket(root)
    load(db, bucket.root)
    bucket.commit(superseded=[bucket.erase(entry(bucket, PEOPLE_2), rows=2)])
    return of(bucket)


def new_generation(root: Path, db: Any) -> Loads:
    bucket = whole_bucket(root)
    load(db, bucket.root)
    bucket.commit(replace(bucket.file("people", 5), generation=2))
    bucket.rewrite(4, generation=2)
    return of(bucket)


def two_syncs(root: Path, db: Any) -> Loads:
    one, other = whole_bucket(root / "one"), whole_bucket(root / "other")
    for ordinal in (1, 2, 3):
        other.rewrite(ordinal, sync_id="other")
    load(db, one.root)
    grown(one)
    return Loads([(one.root, "acme"), (other.root, "other")])


def without_manifests(root: Path, db: Any) -> Loads:
    bucket = whole_bucket(root)
    shutil.rmtree(bucket.root / "_cio")
    load(db, bucket.root)
    bucket.file("people", 5)
    return Loads([(bucket.root, "data_out_7")])


def calls(root: Path, db: Any) -> Loads:
    world = World(root)
    steps.calls_sync(world, format="json")
    for number in range(2):
        call = steps.call_row("track", {"type": "track", "messageId": f"m{number}"})
        steps.commit(world, call, at=NOON + number * steps.TEN_MINUTES)
        steps.run(world, number)
        if number == 0:
            load(db, world.folder())
    return Loads([(world.folder(), "a")])


def overwritten(root: Path, db: Any) -> Loads:
    """A message that another took the place of, and that was erased then."""
    bucket = Bucket(root)
    steps_of = messages(bucket, last=True)
    next(steps_of)
    load(db, bucket.root)
    list(steps_of)
    return of(bucket)


HISTORIES: tuple[Callable[[Path, Any], Loads], ...] = (
    more, first, rebuild, erased, new_generation, two_syncs, without_manifests, calls, overwritten,
)  # fmt: skip


def state(db: Any) -> Sequence[Any]:
    """All tables, with the number of rows and a digest of each column, without times of loads."""
    tables = db.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal ORDER BY ALL"
    ).fetchall()
    told = "count(*), bit_xor(hash(COLUMNS(lambda c: c <> 'loaded_at')))"
    return [
        (*name, *db.execute(f"SELECT {told} FROM {database.quoted(*name)}").fetchall())  # noqa: S608
        for name in tables
    ]


@dataclass
class Noted:
    """A database, and all states in which it could be found by who opens it next."""

    db: Any
    states: list[Any] = field(default_factory=list[Any])

    def execute(self, query: str, *parameters: Any) -> Any:
        done = self.db.execute(query, *parameters)
        if query == "COMMIT":
            self.states.append(state(self.db))
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self.db, name)


def crashing(loads: Loads, path: Path, at: int) -> tuple[Path, bool]:
    """Load until effect `at`; what is on disk then, and whether it died."""
    after = path.with_name(f"after-{at}.duckdb")
    fuse = Fuse(at)
    with closing(duckdb.connect(str(path))) as connection:
        database.prepare(connection)
        watched: Any = Watched(connection, "db", fuse)
        with suppress(Crash):
            loads.run(watched, rebuild=loads.rebuild)
        for suffix in ("", ".wal"):
            if Path(f"{path}{suffix}").exists():
                shutil.copy(f"{path}{suffix}", f"{after}{suffix}")
    return after, fuse.blown


def crash_at(history: Callable[[Path, Any], Loads], root: Path, every: int) -> int:
    """Die before each of the effects of some loads, or some of them; how many there are."""
    before, unharmed = root / "before.duckdb", root / "unharmed.duckdb"
    # One that stays empty would be gone again if it were made here.
    duckdb.connect(str(before)).close()
    with database.opened(before) as db:
        loads = history(root, db)
    shutil.copy(before, unharmed)
    with database.opened(unharmed) as db:
        noted = Noted(db, [state(db)])
        known: Any = noted
        loads.run(known, rebuild=loads.rebuild)
    at = 1
    while True:
        path = root / f"{at}.duckdb"
        shutil.copy(before, path)
        after, died = crashing(loads, path, at)
        with database.opened(after) as db:
            assert state(db) in noted.states
            loads.run(db)
            for place, schema in loads.places:
                same(db, place, schema)
        if not died:
            return at
        at += every


def test_o6_a_crash_before_a_statement_loses_and_doubles_nothing(tmp_path: Path) -> None:
    assert crash_at(more, tmp_path, every=5) > 20


@pytest.mark.deep
@pytest.mark.timeout(900)
@pytest.mark.parametrize("history", HISTORIES)
def test_o6_a_crash_before_any_statement_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, history: Callable[[Path, Any], Loads]
) -> None:
    """Each manifest in a transaction of its own; of what takes longest, every third statement."""
    monkeypatch.setattr(loading, "_MANIFESTS_AT_ONCE", 1)
    assert crash_at(history, tmp_path, every=1 if history is more else 3) > 10
