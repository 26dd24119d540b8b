"""The tables that each feed makes, and how its files are read into them."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cio_pipeline.contracts.catalog import EXPORTS, VERSIONS, exports_of
from cio_pipeline.contracts.declare import Column, ColumnType, Export, Presence, fingerprint
from cio_pipeline.contracts.dtypes import schema_of
from cio_pipeline.contracts.exports.calls import CALL_TYPES, type_export
from cio_pipeline.files.call_names import parse_call_name
from cio_pipeline.files.call_rows import JSON_COLUMNS
from cio_pipeline.files.call_times import time_of
from cio_pipeline.model.errors import UnknownContract, UnknownExport
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.json_text import NotJson, decoded, fields
from cio_pipeline.reader.files import FeedFile

NEWEST = "_newest"
"""What the name of a view of newest rows ends with."""
FILE, ROW = "_file", "_row"
"""Columns of a loaded table: the file that a row came from, and its place in there."""

_UPGRADE = "Upgrade cio-pipeline where you read."


@dataclass(frozen=True)
class Table:
    """A table: what is in it, and how its newest rows are found.

    Of the rows of one `key` the one with the largest `newest_by` counts; in a tie, one of a change
    file, then the one delivered last (D1).
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    newest_by: str | None

    @property
    def schema(self) -> pl.Schema:
        """Names and dtypes, in the contract's order."""
        return schema_of(self.columns)


@dataclass(frozen=True)
class Kind:
    """A feed as its reader sees it.

    `tables` are those of a version, `table_of` names a file's, and raises UnknownContract for one
    that cannot be read. `scan` reads a file's columns, as texts if it is no Parquet.
    """

    tables: Callable[[int], tuple[Table, ...]]
    table_of: Callable[[FeedFile], str]
    scan: Callable[[FeedFile, Path], pl.LazyFrame]


def table_named(tables: Sequence[Table], name: str) -> Table:
    """One of a feed's tables; raises UnknownExport, with the closest name."""
    known = {one.name: one for one in tables}
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean '{close[0]}'? " if close else ""
        raise UnknownExport(
            f"This feed has no table '{name}'.", f"{hint}It has {', '.join(known)}."
        )
    return known[name]


def rows_of(kind: Kind, table: Table, file: FeedFile, path: Path) -> pl.LazyFrame:
    """A file's rows as the table has them; columns that it lacks are null."""
    found = kind.scan(file, path)
    there = found.collect_schema().names()
    return found.select(
        pl.col(name).cast(dtype) if name in there else pl.lit(None, dtype).alias(name)
        for name, dtype in table.schema.items()
    )


def is_parquet(file: FeedFile) -> bool:
    """Whether a file can be read by every reader of Parquet."""
    return file.key.endswith(".parquet")


# --- data-out ------------------------------------------------------------------------------


def _exports(version: int) -> tuple[Table, ...]:
    if version not in VERSIONS:
        raise UnknownContract(f"Version {version} of data-out is not known here.", _UPGRADE)
    return tuple(_of_export(one, one.columns_of(version)) for one in exports_of(version))


def _of_export(export: Export, columns: tuple[Column, ...]) -> Table:
    key = ("workspace_id", *export.entity_key)
    return Table(export.name, export.description, columns, key, export.newest_by)


def _export_of(file: FeedFile) -> str:
    """The name of the export, if its columns are those that are known here."""
    export = EXPORTS.get(file.export)
    if export is None or file.version not in VERSIONS:
        raise UnknownContract(
            f"'{file.key}' is of {file.export} v{file.version}, which is not known here.", _UPGRADE
        )
    if file.fingerprint is not None:
        known = {fingerprint(export, file.version, unit) for unit in ("us", "ms")}
        if file.fingerprint not in known:
            raise UnknownContract(
                f"'{file.key}' has other columns than {file.export} v{file.version} has here.",
                _UPGRADE,
            )
    return export.name


def _scan_parquet(_: FeedFile, path: Path) -> pl.LazyFrame:
    return pl.scan_parquet(path, glob=False)


# --- calls ---------------------------------------------------------------------------------


def _types(_: int) -> tuple[Table, ...]:
    return tuple(
        Table(one, f"Calls of the type {one}.", type_export(one).columns, ("message_id",), None)
        for one in CALL_TYPES
    )


def _type_of(file: FeedFile) -> str:
    return parse_call_name(file.key).type


def _scan_calls(file: FeedFile, path: Path) -> pl.LazyFrame:
    name = parse_call_name(file.key)
    columns = type_export(name.type).columns
    match name.format:
        case "parquet":
            return pl.scan_parquet(path, glob=False)
        case "csv":
            return _timed(pl.read_csv(path, infer_schema=False, glob=False), columns).lazy()
        case _:
            return _timed(_from_lines(path, columns), columns).lazy()


def _from_lines(path: Path, columns: tuple[Column, ...]) -> pl.DataFrame:
    """The objects of a file, each value as its text; what is JSON stays as it is."""
    rows = [fields(line) for line in _as_it_is(path).split("\n") if line]
    cells = {
        c.name: [row.get(c.name) if c.name in _OF_JSON else _text(row.get(c.name)) for row in rows]
        for c in columns
    }
    return pl.DataFrame(cells, schema={c.name: pl.String() for c in columns})


_OF_JSON = JSON_COLUMNS | {"extra"}


def _as_it_is(path: Path) -> str:
    """A file's text; read as text, each of its carriage returns would be a line feed."""
    return path.read_bytes().decode()


def _text(raw: str | None) -> str | None:
    if raw is None or raw == "null":
        return None
    if not raw.startswith('"'):
        return raw
    if "\\" not in raw:
        return raw[1:-1]
    # Half of a surrogate pair is no text; `extra` has its escape (C3).
    return str(decoded(raw)).encode(errors="replace").decode()


def _timed(texts: pl.DataFrame, columns: tuple[Column, ...]) -> pl.DataFrame:
    """The same with times as times; what is none is null, and stands in `extra`."""
    times = [c.name for c in columns if c.type is ColumnType.TIMESTAMP and c.name in texts.columns]
    return texts.with_columns(_times(texts[name]) for name in times)


def _times(texts: pl.Series) -> pl.Series:
    """Times as the sender understands them: each by itself, however the others are written."""
    usual = texts.str.to_datetime(_USUAL, time_unit="us", strict=False).dt.replace_time_zone("UTC")
    odd = texts.is_not_null() & usual.is_null()
    if not odd.any():
        return usual
    return usual.scatter(
        odd.arg_true(), pl.Series([time_of(one) for one in texts.filter(odd)], dtype=usual.dtype)
    )


_USUAL = "%Y-%m-%dT%H:%M:%S%.fZ"


# --- messages ------------------------------------------------------------------------------

_MESSAGES = Table(
    "messages",
    "Messages, one a row: of several under one key, the last.",
    (
        Column("key", ColumnType.STRING, Presence.REQUIRED, "The object's key."),
        Column("data", ColumnType.STRING, Presence.REQUIRED, "The payload as JSON, unchanged."),
    ),
    ("key",),
    None,
)


def _scan_message(file: FeedFile, path: Path) -> pl.LazyFrame:
    body = _as_it_is(path)
    try:
        data = fields(body).get("data", body)
    except NotJson:
        data = body
    return pl.LazyFrame({"key": [file.key], "data": [data]})


KINDS: Mapping[Feed, Kind] = {
    Feed.DATA_OUT: Kind(_exports, _export_of, _scan_parquet),
    Feed.CALLS: Kind(_types, _type_of, _scan_calls),
    Feed.MESSAGES: Kind(lambda _: (_MESSAGES,), lambda _: _MESSAGES.name, _scan_message),
}
