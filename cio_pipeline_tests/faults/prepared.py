"""Worlds in which any export has something of everything to send, and what must come of it."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.declare import ColumnType, SourceTable, TableKind
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.registry import ExportState
from cio_pipeline_tests.world import World, during, window

SYNCS = {"a": 1, "b": 2}
NUMBERS = {"old": 1, "kept": 2, "new": 3, "bad": 4}
BROKEN: Mapping[str, Mapping[str, Any]] = {
    "events": {"properties": "{"},
    "attributes": {"attribute_value": "{"},
    "object_attributes": {"attribute_value": "{"},
}
"""What makes a row of an export break the contract."""

VALUES: Mapping[str, Mapping[str, Any]] = {
    "attributes": {"attribute_value": "1"},
    "object_attributes": {"attribute_value": "1"},
}
"""Without these a row would say that there is nothing."""


def prepare(world: World, *exports: str) -> World:
    """Two workspaces: sync `a` has its initial export and gets changes in window 1, `b` is new."""
    world.sync("a")
    for name in {EXPORTS[export].source for export in exports}:
        _commit(world, name, 0, "old", "kept")
    for join in {join for export in exports for join in EXPORTS[export].joins}:
        _commit(world, join, 0, *NUMBERS)
    world.run(0, *exports)
    world.sync("b", 2)
    for export in exports:
        changed = ("old",) if changes(export) else ()
        broken = ("bad",) if export in BROKEN else ()
        _commit(world, EXPORTS[export].source, 1, *changed, "new", *broken)
    return world


def changes(export: str) -> bool:
    """Whether rows of the export's table change after they came."""
    return SOURCE_TABLES[EXPORTS[export].source].kind is TableKind.MUTABLE


def row(table: SourceTable, name: str, workspace: int, at: datetime) -> dict[str, Any]:
    """A row that a name tells from others; it grows with `at`."""
    found: dict[str, Any] = {}
    types = {column.name: column.type for column in table.columns}
    for column in {*table.identity, table.grows or "workspace_id"}:
        by_type = {
            ColumnType.INTEGER: NUMBERS[name],
            ColumnType.STRING: name,
            ColumnType.TIMESTAMP: at,
        }
        found[column] = by_type[types[column]]
    if table.grows and types[table.grows] is ColumnType.INTEGER:
        found[table.grows] = int(at.timestamp())
    if "internal_customer_id" in types:
        found["internal_customer_id"] = name  # of a person who is there: nothing is anonymised
    values = BROKEN if name == "bad" else VALUES
    return {**found, "workspace_id": workspace, **values.get(table.name, {})}


def _commit(world: World, table: str, number: int, *names: str) -> None:
    at = during(number)
    rows = [row(SOURCE_TABLES[table], name, w, at) for w in SYNCS.values() for name in names]
    world.commit(table, *rows, at=at)


def end_state(world: World, *exports: str) -> dict[str, Any]:
    """What a reader and the ledger hold at the end of window 1, but for times of the run."""
    found: dict[str, Any] = {
        sync_id: {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(world.folder(sync_id).iterdir())
            if path.is_file()
        }
        for sync_id in SYNCS
    }
    found["quarantine"] = [
        (e.sync_id, e.export, e.identity, e.reason, e.count, e.window_end)
        for e in world.ledger.quarantine.entries()
    ]
    states = world.ledger.registry.states(exports)
    found["states"] = sorted(_state(state) for state in states)
    found["errors"] = dict(world.ledger.failing.of_window(window(1).end))
    return found


def _state(state: ExportState) -> tuple[Any, ...]:
    numbers = sorted((str(series), n) for series, n in state.next_sequence.items())
    at = state.position.at if state.position else None
    return (state.sync.id, state.export, at, state.open_plan is None, numbers)


def require_whole(world: World) -> None:
    """Both chains of manifests prove that everything is there, and nothing else."""
    for sync_id in SYNCS:
        report = world.verify(sync_id)
        assert report.ok, report
        assert not report.warnings, report
        assert report.files == len(world.names(sync_id))
        folder = world.folder(sync_id)
        assert not list(folder.rglob("*#*")), "unfinished files are left"
    spool = world.services.spool.root
    assert not [path for path in spool.rglob("*") if path.is_file()], "spooled files are left"
