"""Losing ledgers and counting what a reader has got who follows the manifests."""

import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from cio_pipeline.contracts.catalog import EXPORTS as ALL
from cio_pipeline.model.manifests import parse_manifest
from cio_pipeline_tests.crashes import Crash
from cio_pipeline_tests.world import World, during

EXPORTS = ("people", "events", "metrics")


class DieAfter:
    """Lets the run die after the first effect of a name."""

    def __init__(self, name: str) -> None:
        self.name, self.dead = name, False

    def burn(self, name: str, effect: Callable[[], Any]) -> Any:
        if self.dead:
            raise Crash(name)
        done = effect()
        self.dead = name == self.name
        if self.dead:
            raise Crash(name)
        return done


class DieBefore:
    """Lets the run die before the first effect of a name."""

    def __init__(self, name: str) -> None:
        self.name, self.dead = name, False

    def burn(self, name: str, effect: Callable[[], Any]) -> Any:
        self.dead = self.dead or name == self.name
        if self.dead:
            raise Crash(name)
        return effect()


def change(world: World, number: int, workspace: int = 1) -> None:
    """Commits of one window: a new person, a change of the first one, an event, a metric."""
    people: list[dict[str, Any]] = [{"internal_customer_id": f"p{number}"}]
    if number:
        email = f"{number}@x.example"
        people.append({"internal_customer_id": "p0", "email": email, "updated_at": during(number)})
    rows = {
        "people": people,
        "events": [{"event_id": f"e{number}", "processed_at": during(number)}],
        "metrics": [{"event_id": f"m{number}"}],
    }
    for table, of_table in rows.items():
        world.commit(
            table, *({**row, "workspace_id": workspace} for row in of_table), at=during(number)
        )


def go_on(world: World, numbers: Iterable[int], sync_ids: Sequence[str] | None = None) -> None:
    """Commit and run windows."""
    for number in numbers:
        change(world, number)
        world.run(number, *EXPORTS, sync_ids=sync_ids)


def without_ledger(world: World) -> World:
    """The same world after its ledger was lost."""
    world.ledger.close()
    for file in world.root.glob("ledger.db*"):
        file.unlink()
    return World(world.root, now=world.now, database=world.database)


def backed_up(world: World) -> Path:
    """A copy of the ledger as it is now."""
    world.ledger.close()
    copy = world.root / "backup.db"
    shutil.copyfile(world.root / "ledger.db", copy)
    return copy


def restored(world: World, copy: Path) -> World:
    """The same world after its ledger was replaced by a backup."""
    world.ledger.close()
    for file in world.root.glob("ledger.db*"):
        file.unlink()
    shutil.copyfile(copy, world.root / "ledger.db")
    return World(world.root, now=world.now, database=world.database)


def listed(world: World, export: str, sync_id: str = "a") -> pl.DataFrame:
    """The rows of an export in the files that manifests list, in their order."""
    folder = world.folder(sync_id)
    bodies = sorted((folder / "_cio").glob("*.manifest"), key=lambda path: int(path.stem))
    files = [file for body in bodies for file in parse_manifest(body.read_bytes()).files]
    frames = [pl.read_parquet(folder / file.key) for file in files if file.export == export]
    return pl.concat(frames) if frames else pl.DataFrame()


def each_row_once(world: World, windows: int, sync_id: str = "a") -> None:
    """Windows 0 to `windows` - 1 of `change` arrived whole: nothing lost, nothing doubled."""
    numbers = [str(number) for number in range(windows)]
    events = listed(world, "events", sync_id)["event_id"].to_list()
    assert sorted(events) == sorted(f"e{number}" for number in numbers)
    metrics = listed(world, "metrics", sync_id)["event_id"].to_list()
    assert sorted(metrics) == sorted(f"m{number}" for number in numbers)
    people = listed(world, "people", sync_id)
    assert not people.select(ALL["people"].row_key).is_duplicated().any()
    newest = people.sort("updated_at").group_by("internal_customer_id").last()
    assert sorted(newest["internal_customer_id"]) == sorted(f"p{number}" for number in numbers)
    first = newest.filter(pl.col("internal_customer_id") == "p0")
    assert first["customer_id"].to_list() == [f"{windows - 1}@x.example" if windows > 1 else ""]
    report = world.verify(sync_id)
    assert report.ok, report
