"""A ledger that an earlier build left, with plans at every stage, is taken over.

`earlier/<commit>.json.gz` holds the rows of such a ledger as that build wrote them, and the names
of the objects in its buckets: a sync for each stage, named by it. What lay in the buckets is made
again here, in folders or in a store, and has the digests that the build recorded.
"""

import gzip
import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Boolean, Connection, LargeBinary, text

from cio_pipeline.ledger.database import Database, describe, make_engine, parse_url
from cio_pipeline.ledger.open import VERSIONS, migrate
from cio_pipeline.ledger.schema import metadata
from cio_pipeline.model.manifests import Manifest, digest, parse_manifest
from cio_pipeline.model.plans import PlanState
from cio_pipeline_tests.convergence.stores import Folders, OnAzure, OnS3, Store
from cio_pipeline_tests.destinations.servers import KEY_ID, SECRET, moto_server
from cio_pipeline_tests.postgres import Cluster
from cio_pipeline_tests.recovery.loss import EXPORTS, each_row_once
from cio_pipeline_tests.recovery.test_earlier_builds import earlier_build
from cio_pipeline_tests.world import World, during, window

BUILDS = {"7195cd0": 6, "5ee23cc": 9}
"""The versions of their tables."""

STAGES = ("open", "sealed", "put", "unlisted", "slices", "unput", "off")

CASES = (
    *((build, ledger, "local") for build in BUILDS for ledger in ("sqlite", "postgresql")),
    *(("7195cd0", "sqlite", store) for store in ("s3", "azure")),
)
"""A build, where its ledger lay, and its buckets."""


def kept(build: str) -> dict[str, Any]:
    file = Path(__file__).parent / "earlier" / f"{build}.json.gz"
    return json.loads(gzip.decompress(file.read_bytes()))


def fill_ledger(url: str, build: str, tables: Mapping[str, list[dict[str, Any]]]) -> None:
    """A ledger with the tables of a build, and its rows."""
    parsed = parse_url(url)
    old = Database(make_engine(parsed), describe(parsed))
    migrate(old, VERSIONS[: BUILDS[build]])
    order = ("syncs", "cuts", *sorted(tables.keys() - {"syncs", "cuts", "files"}), "files")

    def work(connection: Connection) -> None:
        connection.execute(text("DELETE FROM counters"))
        for table in order:
            for row in tables[table]:
                names = ", ".join(row)
                given = ", ".join(f":{name}" for name in row)
                statement = text(f"INSERT INTO {table} ({names}) VALUES ({given})")  # noqa: S608 - our own names
                connection.execute(statement, _typed(table, row))
        if not old.is_sqlite:
            for table in ("plans", "sync_history"):
                last = f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1000)"
                connection.execute(text(last))

    old.write(work)
    old.engine.dispose()


def _typed(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(row)
    for column in metadata.tables[table].columns:
        if column.name in found and isinstance(column.type, Boolean):
            found[column.name] = bool(found[column.name])
        if column.name in found and isinstance(column.type, LargeBinary):
            found[column.name] = str(found[column.name]).encode()
    return found


def change(world: World, number: int) -> None:
    """As `loss.change`, of somebody who is known: nothing is anonymised."""
    known = {"internal_customer_id": "p0", "workspace_id": 1}
    people: list[dict[str, Any]] = [{"internal_customer_id": f"p{number}", "workspace_id": 1}]
    if number:
        people.append({**known, "email": f"{number}@x.example", "updated_at": during(number)})
    event = {**known, "event_id": f"e{number}", "processed_at": during(number)}
    world.commit("people", *people, at=during(number))
    world.commit("events", event, at=during(number))
    world.commit("metrics", {**known, "event_id": f"m{number}"}, at=during(number))
    fixed_names(world)


def fixed_names(world: World) -> None:
    """Name the tables' files by their commits: snapshots are read in the order of their names."""
    for log in sorted((world.root / "source").glob("*/_delta_log/*.json")):
        said = log.read_text()
        for number, line in enumerate(said.splitlines()):
            path = json.loads(line).get("add", {}).get("path", "")
            if path and not path.startswith("commit-"):
                name = f"commit-{log.stem}-{number}.parquet"
                (log.parent.parent / path).rename(log.parent.parent / name)
                for other in log.parent.glob("*.json"):
                    other.write_text(other.read_text().replace(path, name))


def fill_source(world: World) -> None:
    """The tables that the build read, with the same ids and versions."""
    for table in (world.root / "source").iterdir():
        first = table / "_delta_log" / f"{0:020}.json"
        entries = [json.loads(line) for line in first.read_text().splitlines()]
        for entry in entries:
            if "metaData" in entry:
                entry["metaData"]["id"] = str(uuid.uuid5(uuid.NAMESPACE_DNS, table.name))
        first.write_text("\n".join(json.dumps(entry) for entry in entries) + "\n")
    for number in range(3):
        change(world, number)


def fill_buckets(world: World, store: Store, old: Mapping[str, Any]) -> None:
    """The objects that lay there, made again; their digests are those that the build recorded."""
    twin = World(world.root.with_name("twin"))
    fill_source(twin)
    twin.sync("whole")
    for number in range(3):
        twin.run(number, *EXPORTS, sync_ids=["whole"])
    twin.sync("slices", at=during(2))
    twin.run(2, *EXPORTS, sync_ids=["slices"], services=sliced(twin).services)
    twin.ledger.close()
    bodies = {
        (m["sync_id"], f"_cio/{m['ordinal']}.manifest"): m for m in old["tables"]["manifests"]
    }
    digests = {(f["sync_id"], f["key"]): f["sha256"] for f in old["tables"]["files"]}
    for sync_id, keys in old["objects"].items():
        for key in keys:
            if key.startswith("_cio/"):
                store.write(sync_id, key, bodies[sync_id, key]["body"].encode())
                continue
            of = "slices" if sync_id == "slices" else "whole"
            body = (twin.folder(of) / key).read_bytes()
            assert hashlib.sha256(body).hexdigest() == digests[sync_id, key], (sync_id, key)
            store.write(sync_id, key, body)


def objects(store: Store) -> dict[tuple[str, str], bytes]:
    """What lies in all buckets."""
    return {(one, key): store.read(one, key) for one in STAGES for key in store.stamps(one)}


def brought_home(world: World, store: Store) -> None:
    """The buckets' objects where `World` looks for them."""
    for (sync_id, key), body in objects(store).items():
        place = world.folder(sync_id) / key
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(body)


def sliced(world: World) -> World:
    world.services = replace(world.services, slice_rows=1)
    return world


def url(request: pytest.FixtureRequest, ledger: str, root: Path) -> str:
    if ledger == "sqlite":
        return f"sqlite:///{root / 'ledger.db'}"
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    return cluster.new_schema()


@contextmanager
def buckets(
    request: pytest.FixtureRequest, kind: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    if kind == "s3":
        monkeypatch.setenv("S3_KEY_ID", KEY_ID)
        monkeypatch.setenv("S3_SECRET", SECRET)
        with moto_server() as server:
            yield OnS3(server)
    elif kind == "azure":
        yield OnAzure(request.getfixturevalue("azurite"), monkeypatch.setenv)
    else:
        yield Folders(root)


def placed(old: Mapping[str, Any], store: Store) -> None:
    """Let the ledger's syncs send to a store, by the words of their sync file."""
    for row in old["tables"]["syncs"]:
        config = json.loads(row["config"]) | {"destination": store.place(row["id"])}
        row["config"] = json.dumps(config)


@dataclass(frozen=True)
class TakenOver:
    """A world on a ledger of an earlier build, whose rows were `old`."""

    world: World
    store: Store
    old: Mapping[str, list[dict[str, Any]]]


@pytest.fixture(params=CASES, ids="-".join)
def taken_over(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TakenOver]:
    build, ledger, kind = request.param
    root = tmp_path / "world"
    root.mkdir()
    old, where = kept(build), url(request, ledger, root)
    with buckets(request, kind, root, monkeypatch) as store:
        placed(old, store)
        fill_ledger(where, build, old["tables"])
        world = sliced(World(root, where, now=window(2).end))
        fill_source(world)
        # That build gave files another form, see test_earlier_builds.
        with earlier_build() if build == "7195cd0" else nullcontext():
            fill_buckets(world, store, old)
        yield TakenOver(world, store, old["tables"])
        world.ledger.close()


def chain(world: World, sync_id: str) -> list[Manifest]:
    return [parse_manifest(body) for _, body in world.ledger.manifests.bodies(sync_id)]


def test_d6_d10_plans_at_every_stage_are_taken_over(taken_over: TakenOver) -> None:
    world, old = taken_over.world, taken_over.old
    states = world.ledger.registry.states(EXPORTS)
    left = {(s.sync.id, s.export): s.open_plan.state for s in states if s.open_plan}
    assert left == {
        ("open", "people"): PlanState.OPEN,
        ("sealed", "people"): PlanState.SEALED,
        ("put", "people"): PlanState.SEALED,
        ("slices", "events"): PlanState.OPEN,
        ("slices", "metrics"): PlanState.SEALED,
    }
    # What was committed and not listed stands in each sync's next manifest, before any run.
    assert {one: len(chain(world, one)) for one in STAGES} == {
        "open": 2,
        "sealed": 2,
        "put": 2,
        "unlisted": 2,
        "slices": 1,
        "unput": 3,
        "off": 2,
    }
    before = objects(taken_over.store)

    for number in (2, 3):
        if number == 3:
            change(world, 3)
        outcomes = world.run(number, *EXPORTS)
        assert [one.error for one in outcomes if one.error] == []

    assert all(s.open_plan is None for s in world.ledger.registry.states(EXPORTS))
    assert before.items() <= objects(taken_over.store).items()
    for sync_id in STAGES:
        bodies = dict(world.ledger.manifests.bodies(sync_id))
        for one in (one for one in old["manifests"] if one["sync_id"] == sync_id):
            assert digest(bodies[one["ordinal"]]) == one["digest"]
        files = [(file.key, file.sha256) for one in chain(world, sync_id) for file in one.files]
        assert len(files) == len(set(files))
        planned = {(f["key"], f["sha256"]) for f in old["files"] if f["sync_id"] == sync_id}
        assert planned <= set(files), "nothing is renumbered"
    brought_home(world, taken_over.store)
    assert world.manifests("off") == []
    registered = world.ledger.registry.get("off").sync
    world.ledger.registry.put(registered.model_copy(update={"manifest": True}), {}, window(4).start)
    world.run(4, *EXPORTS)
    brought_home(world, taken_over.store)
    for sync_id in STAGES:
        each_row_once(world, 4, sync_id)
        assert not world.verify(sync_id).warnings
