"""What was loaded: feeds, manifests, files, and where each export stands, in the schema `_cio`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.manifests import Manifest
from cio_pipeline.model.plans import Mode, Series
from cio_pipeline.reader.chain import Read
from cio_pipeline.reader.files import FeedFile
from cio_pipeline.reader.warehouse.database import RECORDS, Database, literal, quoted, require_apart

CHNGS = 2**62
"""Added to the number of a change file: in a tie of two rows the larger number counts (D1)."""

_TEXT, _NUMBER, _TIME = "VARCHAR", "BIGINT", "TIMESTAMPTZ"

_TABLES: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    "feeds": (
        "The feeds that are loaded, a schema each.",
        {
            "schema_name": (_TEXT, "Where its tables are."),
            "place": (_TEXT, "Where it was loaded from."),
            "feed": (_TEXT, "data-out, calls or messages."),
            "sync_id": (_TEXT, "The sync; null where there is no manifest."),
            "workspace_id": (_NUMBER, "Whose rows it has; null where there is no manifest."),
            "version": (_NUMBER, "The version of the contract that it came to."),
            "generation": (_NUMBER, "Grows when the feed begins anew; tables are emptied then."),
            "ordinal": (_NUMBER, "The last manifest loaded; null where there is none."),
            "sha256": (_TEXT, "The digest of that manifest."),
            "next_file": (_NUMBER, "The number of the next file."),
            "unproven": (_TEXT, "What cannot be said of it; null where manifests tell all."),
            "loaded_at": (_TIME, "When it was last loaded."),
        },
    ),
    "manifests": (
        "The manifests that are loaded, each once.",
        {
            "schema_name": (_TEXT, "The feed's schema."),
            "ordinal": (_NUMBER, "Its number."),
            "sha256": (_TEXT, "The digest of its bytes."),
            "generation": (_NUMBER, "The feed's generation then."),
            "created_at": (_TIME, "When it was written."),
            "files": (_NUMBER, "How many files it lists."),
            "rows": (_NUMBER, "How many rows these have."),
            "loaded_at": (_TIME, "When it was loaded."),
        },
    ),
    "files": (
        "The files whose rows are in the tables.",
        {
            "schema_name": (_TEXT, "The feed's schema."),
            "file": (_NUMBER, "Its number, `_file` in the tables; of change files, plus 2^62."),
            "table_name": (_TEXT, "The table that its rows are in."),
            "key": (_TEXT, "The object's key."),
            "export": (_TEXT, "The export that it is of."),
            "version": (_NUMBER, "The version of the contract."),
            "series": (_TEXT, "plain or chngs."),
            "sequence": (_NUMBER, "Its number in the series."),
            "part": (_NUMBER, "The second number of metrics' first files."),
            "rows": (_NUMBER, "How many rows were loaded."),
            "bytes": (_NUMBER, "Its size."),
            "sha256": (_TEXT, "The digest of what was loaded; null where there is no manifest."),
            "fingerprint": (_TEXT, "Of the contract's columns."),
            "mode": (_TEXT, "Why it was sent; `replay`: its rows were sent before."),
            "window_end": (_TIME, "The end of the window that it was sent in."),
            "generation": (_NUMBER, "The feed's generation then."),
            "ordinal": (_NUMBER, "The manifest that lists it."),
            "loaded_at": (_TIME, "When it was loaded."),
        },
    ),
    "exports": (
        "Where each export stands, as the last manifest says.",
        {
            "schema_name": (_TEXT, "The feed's schema."),
            "export": (_TEXT, "The export."),
            "state": (_TEXT, "delivered, empty, outstanding, initial-running or paused."),
            "position": (_TIME, "All that was committed before is delivered."),
            "whole": ("BOOLEAN", "False while a window is under way: a part of it is loaded."),
        },
    ),
}


@dataclass(frozen=True)
class FeedRecord:
    """A feed as far as it is loaded; see the table `feeds`."""

    schema: str
    place: str
    feed: Feed
    sync_id: str | None
    workspace_id: int | None
    version: int
    generation: int
    last: Read | None
    next_file: int
    unproven: str | None = None


def make_records(db: Database) -> None:
    """The tables of what was loaded, if they are not there.

    Raises InvalidConfig if the file is called like their schema.
    """
    require_apart(db, RECORDS)
    db.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(RECORDS)}; " + "; ".join(_made()))


def _made() -> Iterable[str]:
    for name, (said, columns) in _TABLES.items():
        table = quoted(RECORDS, name)
        listed = ", ".join(f"{quoted(column)} {kind}" for column, (kind, _) in columns.items())
        yield f"CREATE TABLE IF NOT EXISTS {table} ({listed})"
        yield f"COMMENT ON TABLE {table} IS {literal(said)}"
        for column, (_, text) in columns.items():
            yield f"COMMENT ON COLUMN {table}.{quoted(column)} IS {literal(text)}"


def feeds(db: Database) -> list[FeedRecord]:
    """All feeds that were loaded."""
    rows = db.execute(
        "SELECT schema_name, place, feed, sync_id, workspace_id, version, generation, ordinal, "
        f"sha256, next_file, unproven FROM {quoted(RECORDS, 'feeds')}"
    ).fetchall()
    return [
        FeedRecord(
            schema, place, Feed(feed), sync_id, workspace, version, generation,
            None if ordinal is None else Read(ordinal, sha256), next_file, unproven,
        )
        for schema, place, feed, sync_id, workspace, version, generation, ordinal, sha256,
            next_file, unproven in rows
    ]  # fmt: skip


def keep_feed(db: Database, record: FeedRecord) -> None:
    """Put a feed's record in place of the one that it had."""
    forget(db, record.schema, "feeds")
    last = record.last
    db.execute(
        f"INSERT INTO {quoted(RECORDS, 'feeds')} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, now())",
        [
            record.schema,
            record.place,
            record.feed.value,
            record.sync_id,
            record.workspace_id,
            record.version,
            record.generation,
            last.ordinal if last else None,
            last.sha256 if last else None,
            record.next_file,
            record.unproven,
        ],
    )


def loaded_manifest(db: Database, schema: str, ordinal: int) -> str | None:
    """The digest of a manifest that was loaded; None if it was not."""
    found = db.execute(
        f"SELECT sha256 FROM {quoted(RECORDS, 'manifests')} WHERE schema_name = ? AND ordinal = ?",
        [schema, ordinal],
    ).fetchall()
    return found[0][0] if found else None


def forget(db: Database, schema: str, *tables: str) -> None:
    """Remove what some tables, or all, say of a feed."""
    for table in tables or _TABLES:
        db.execute(f"DELETE FROM {quoted(RECORDS, table)} WHERE schema_name = ?", [schema])


def loaded_files(
    db: Database, schema: str, keys: Iterable[str] | None = None
) -> dict[str, tuple[int, str, FeedFile]]:
    """Number, table and file by key, of some keys or all; of several under a key the last."""
    wanted = None if keys is None else list(keys)
    if wanted == []:
        return {}
    where = "" if wanted is None else " AND key IN (SELECT unnest(?::VARCHAR[]))"
    rows = db.execute(
        "SELECT file, table_name, key, export, version, series, sequence, part, bytes, rows, "
        "sha256, fingerprint, mode, window_end, generation, ordinal "
        f"FROM {quoted(RECORDS, 'files')} WHERE schema_name = ?{where} ORDER BY file",
        [schema] if wanted is None else [schema, wanted],
    ).fetchall()
    return {row[2]: (row[0], row[1], _file(row[2:])) for row in rows}


def has_files(db: Database, schema: str, table: str) -> bool:
    """Whether files were loaded into a table."""
    found = db.execute(
        f"SELECT 1 FROM {quoted(RECORDS, 'files')} "
        "WHERE schema_name = ? AND table_name = ? LIMIT 1",
        [schema, table],
    )
    return bool(found.fetchall())


def _file(row: Sequence[Any]) -> FeedFile:
    key, export, version, series, sequence, part, size, rows, sha256, fingerprint, mode, *rest = row
    return FeedFile(
        key, export, version, Series(series), sequence, part, size, rows, sha256, fingerprint,
        None if mode is None else Mode(mode), *rest,
    )  # fmt: skip


def keep_files(db: Database, schema: str, loaded: Sequence[tuple[int, str, int, FeedFile]]) -> None:
    """Record files: number, table, rows, file."""
    rows = [
        {
            "schema_name": schema,
            "file": number,
            "table_name": table,
            "key": file.key,
            "export": file.export,
            "version": file.version,
            "series": file.series.value,
            "sequence": file.sequence,
            "part": file.part,
            "rows": count,
            "bytes": file.bytes,
            "sha256": file.sha256,
            "fingerprint": file.fingerprint,
            "mode": None if file.mode is None else file.mode.value,
            "window_end": file.window_end,
            "generation": file.generation,
            "ordinal": file.ordinal,
        }
        for number, table, count, file in loaded
    ]
    _insert(db, "files", rows)


def forget_files(db: Database, schema: str, numbers: Sequence[int]) -> None:
    """Remove the records of some files."""
    db.execute(
        f"DELETE FROM {quoted(RECORDS, 'files')} "
        "WHERE schema_name = ? AND file IN (SELECT unnest(?::BIGINT[]))",
        [schema, list(numbers)],
    )


def keep_manifests(
    db: Database, schema: str, manifests: Sequence[Manifest], digests: Sequence[str]
) -> None:
    """Record manifests, and where exports stand after the last of them."""
    rows = [
        {
            "schema_name": schema,
            "ordinal": one.ordinal,
            "sha256": sha256,
            "generation": one.generation,
            "created_at": one.created_at,
            "files": len(one.files),
            "rows": sum(file.rows for file in one.files),
        }
        for one, sha256 in zip(manifests, digests, strict=True)
    ]
    _insert(db, "manifests", rows)
    states = [
        {
            "schema_name": schema,
            "export": one.export,
            "state": one.state,
            "position": one.position,
            "whole": one.initial is None,
        }
        for one in manifests[-1].exports
    ]
    forget(db, schema, "exports")
    _insert(db, "exports", states, stamped=False)


_DTYPES = {
    _TEXT: pl.String(),
    _NUMBER: pl.Int64(),
    _TIME: pl.Datetime("us", "UTC"),
    "BOOLEAN": pl.Boolean(),
}


def _insert(
    db: Database, table: str, rows: Sequence[dict[str, Any]], *, stamped: bool = True
) -> None:
    if not rows:
        return
    kinds = {name: kind for name, (kind, _) in _TABLES[table][1].items() if name in rows[0]}
    frame = pl.DataFrame(rows, {name: _DTYPES[kind] for name, kind in kinds.items()})
    db.register("cio_records", frame)
    try:
        now = ", now() AS loaded_at" if stamped else ""
        db.execute(f"INSERT INTO {quoted(RECORDS, table)} BY NAME SELECT *{now} FROM cio_records")
    finally:
        db.unregister("cio_records")
