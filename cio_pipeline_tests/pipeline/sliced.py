"""Exports in three slices, for the tests that look at them, stop them and go on."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.files.names import parse_name
from cio_pipeline.model.cuts import TableCut, TableSlice
from cio_pipeline.model.errors import DiskFull
from cio_pipeline.model.registry import ExportState
from cio_pipeline.pipeline.services import Services
from cio_pipeline_tests.world import World, during

COMMITS = 3
PER_COMMIT = 4
"""Rows of each workspace."""


def fill(world: World, *workspaces: int, number: int = 0) -> None:
    """Twelve metrics, twelve people and twelve attributes, three of them bad, a workspace."""
    for commit in range(COMMITS):
        names = [f"{commit}-{n}" for n in range(PER_COMMIT)]
        at = during(number, commit + 1)
        people = [
            {"internal_customer_id": name, "workspace_id": workspace, "updated_at": at}
            for name in names
            for workspace in workspaces
        ]
        attributes = [
            {
                **person,
                "attribute_name": "plan",
                "attribute_value": "{" if person["internal_customer_id"].endswith("-0") else "1",
            }
            for person in people
        ]
        for person in attributes:
            person.pop("updated_at")
        metrics = [
            {"event_id": name, "workspace_id": workspace, "created_at": at}
            for name in names
            for workspace in workspaces
        ]
        world.commit("people", *people, at=at)
        world.commit("attributes", *attributes, at=at)
        world.commit("metrics", *metrics, at=at)


def in_slices(world: World, rows: int, **changed: Any) -> Services:
    """The world's services, with slices of so many rows."""
    return replace(world.services, slice_rows=rows, **changed)


def digests(world: World, sync_id: str) -> dict[str, str]:
    """Name → sha256 of every file that a sync was sent."""
    folder = world.folder(sync_id)
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in world.names(sync_id)
    }


def parts(world: World, sync_id: str = "a") -> list[tuple[int, int | None]]:
    """(number, part) of all metrics files, in their order."""
    found = [parse_name(name) for name in world.names(sync_id) if name.startswith("metrics")]
    return sorted((name.sequence, name.part) for name in found)


def listed(world: World, sync_id: str = "a") -> Sequence[str]:
    """The files that the bucket's manifests list."""
    return [file.key for file in world.ledger.manifests.files(sync_id)]


@dataclass
class Watched:
    """A source that tells which slices of which tables were read."""

    inner: Any
    read: list[tuple[str, TableSlice | None]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def snapshot(
        self, table: SourceTable, cut: TableCut, part: TableSlice | None = None, **asked: Any
    ) -> pl.LazyFrame:
        self.read.append((table.name, part))
        return self.inner.snapshot(table, cut, part, **asked)


class Broken:
    """A destination that takes some files and then has no room; manifests are small enough."""

    def __init__(self, inner: Any, puts: int) -> None:
        self._inner, self._left = inner, puts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def put(self, *arguments: Any, **named: Any) -> None:
        if self._left == 0:
            raise DiskFull("No room for another file.")
        self._left -= 1
        self._inner.put(*arguments, **named)


def state(world: World, export: str = "metrics", sync_id: str = "a") -> ExportState:
    return world.ledger.registry.states([export], [sync_id])[0]


def stop_after(world: World, puts: int, rows: int = 4, **changed: object) -> None:
    """Run the first window with a bucket that fails after some files."""
    bucket = Broken(world.services.destinations(world.ledger.registry.get("a").sync), puts)
    broken = in_slices(world, rows, destinations=lambda _: bucket, **changed)
    outcomes = world.run(0, "metrics", services=broken)
    assert [outcome.error is not None for outcome in outcomes] == [True]
