"""Commits to real Delta tables, in all the ways that tables are written to."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

import polars as pl
from deltalake import CommitProperties, DeltaTable, write_deltalake

from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline_tests.changesets.rows import snapshot
from cio_pipeline_tests.convergence.meaning import IDENTITY, Row
from cio_pipeline_tests.convergence.timeline import Key


def _at(at: datetime) -> CommitProperties:
    return CommitProperties(custom_metadata={"cio.committed_at": at.astimezone(UTC).isoformat()})


def _frame(table: str, rows: Iterable[Row]) -> pl.DataFrame:
    return snapshot(table, *rows).collect()


def append(found: DeltaTable, table: str, rows: Collection[Row], at: datetime) -> None:
    write_deltalake(found, _frame(table, rows), mode="append", commit_properties=_at(at))


def merge(found: DeltaTable, table: str, rows: Collection[Row], at: datetime) -> None:
    """Update the rows that are there by their identity, and insert the others."""
    same = " AND ".join(f"target.{name} = source.{name}" for name in SOURCE_TABLES[table].identity)
    merged = found.merge(
        _frame(table, rows),
        same,
        source_alias="source",
        target_alias="target",
        commit_properties=_at(at),
    )
    merged.when_matched_update_all().when_not_matched_insert_all().execute()


def overwrite(found: DeltaTable, table: str, rows: Collection[Row], at: datetime) -> None:
    """Write the whole table again."""
    write_deltalake(found, _frame(table, rows), mode="overwrite", commit_properties=_at(at))


def delete(found: DeltaTable, table: str, keys: Collection[Key], at: datetime) -> None:
    """Remove rows for good; their identities must be texts and numbers."""
    names = ("workspace_id", *IDENTITY[table])
    each = [
        " AND ".join(f"{name} = {_literal(value)}" for name, value in zip(names, key, strict=True))
        for key in keys
    ]
    found.delete(" OR ".join(each), commit_properties=_at(at))


def _literal(value: object) -> str:
    return str(value) if isinstance(value, int) else f"'{value}'"


def compact(found: DeltaTable, at: datetime) -> bool:
    """Put small files together; whether there was anything to do."""
    before = found.version()
    found.optimize.compact(commit_properties=_at(at))
    return found.version() > before


def undo(found: DeltaTable, at: datetime) -> None:
    """Take the last commit back."""
    found.restore(found.version() - 1, commit_properties=_at(at))
