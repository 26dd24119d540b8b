"""The vocabulary that contracts are declared in: columns, exports, source tables."""

import hashlib
import json
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

CURRENT_VERSION = 5


class ColumnType(StrEnum):
    """The seeds' types (D2)."""

    INTEGER = "INTEGER"
    STRING = "STRING"
    BOOLEAN = "BOOLEAN"
    TIMESTAMP = "TIMESTAMP"
    STRINGS = "LIST OF STRING"


TYPES = {
    "int": ColumnType.INTEGER,
    "str": ColumnType.STRING,
    "bool": ColumnType.BOOLEAN,
    "time": ColumnType.TIMESTAMP,
    "strs": ColumnType.STRINGS,
}
"""The types by the words that declarations name them with."""


class Presence(StrEnum):
    """The seeds' words for nullability; Nullable and Optional are both OPTIONAL in Parquet."""

    REQUIRED = "Required"
    NULLABLE = "Nullable"
    OPTIONAL = "Optional"


@dataclass(frozen=True)
class V4:
    """What the v4 page says otherwise of a column; None where it says the same."""

    presence: Presence | None = None
    references: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class Column:
    """A column of an export, as v5 has it; `v4` holds what v4 has otherwise.

    `references` is the export that the seeds name as foreign key: documentation, not enforced.
    `personal` columns are emptied for people gone before an initial export (D4). `choices`, if any,
    are the only values allowed. `note` tells readers what the seeds leave open or contradict.
    """

    name: str
    type: ColumnType
    presence: Presence
    description: str
    references: str | None = None
    personal: bool = False
    since: int = 4
    choices: tuple[str, ...] = ()
    note: str | None = None
    v4: V4 | None = None

    @property
    def required(self) -> bool:
        """Whether the column is REQUIRED in Parquet."""
        return self.presence is Presence.REQUIRED

    def of_version(self, version: int) -> "Column":
        """The column as that version has it."""
        if version >= CURRENT_VERSION or self.v4 is None:
            return self
        return replace(
            self,
            presence=self.v4.presence or self.presence,
            references=self.v4.references or self.references,
            description=self.v4.description or self.description,
            v4=None,
        )


class History(StrEnum):
    """What an initial export sends (D1)."""

    ALL = "all"
    CURRENT = "current"
    LAST_30_DAYS = "last 30 days"


class Afterwards(StrEnum):
    """What later exports send (D1)."""

    CHANGED_ROWS = "changed rows"
    NEW_ROWS = "new rows"
    NEW_AND_CHANGES = "new rows and changes apart"


@dataclass(frozen=True, eq=False)
class Export:
    """One export: what it is called, its columns and keys, and what is sent when.

    Itself and no other: what is derived from it is kept by it.

    `columns` are in the seeds' order, which is part of the contract. `row_key` tells rows apart,
    `entity_key` the things that rows speak of; the newest row of an entity has the largest
    `newest_by`. Keys hold within a workspace. `source` is the driving source table; `joins` are
    read at the upper cut. `rows_per_file` is the roll-over (D5). `together` names the switch that
    it shares with another export. `time_column` gives a file's min and max time; None if the
    contract has no timestamp. `needs` are source columns that must not be null though the contract
    says nothing of the kind: they decide what is sent (D3). First files with `numbered_parts` have
    two sequences in their names (D5).
    """

    name: str
    stem: str
    title: str
    description: str
    columns: tuple[Column, ...]
    row_key: tuple[str, ...]
    entity_key: tuple[str, ...]
    newest_by: str | None
    history: History
    afterwards: Afterwards
    source: str
    joins: tuple[str, ...]
    rows_per_file: int
    time_column: str | None
    since: int = 4
    together: str | None = None
    needs: tuple[str, ...] = ()
    numbered_parts: bool = False

    @property
    def split(self) -> bool:
        """Whether changes go to `chngs` files of their own."""
        return self.afterwards is Afterwards.NEW_AND_CHANGES

    def columns_of(self, version: int) -> tuple[Column, ...]:
        """The columns that a version has, in order."""
        return tuple(c.of_version(version) for c in self.columns if c.since <= version)


class TableKind(StrEnum):
    """How a source table changes."""

    APPEND_ONLY = "append-only"
    MUTABLE = "mutable"


@dataclass(frozen=True)
class SourceColumn:
    """A column of a source table; one that `may_lack` came later and is null in a table without."""

    name: str
    type: ColumnType
    required: bool
    description: str
    may_lack: bool = False


@dataclass(frozen=True, eq=False)
class SourceTable:
    """A table that exports are computed from. Itself and no other, as an export.

    It holds one current row per `identity` (which includes workspace_id). `grows` names the
    column that must grow with every change of a row; None for append-only tables.
    """

    name: str
    kind: TableKind
    identity: tuple[str, ...]
    grows: str | None
    columns: tuple[SourceColumn, ...]
    description: str


_LENGTH = 16


@lru_cache
def fingerprint(export: Export, version: int, timestamp_unit: str = "us") -> str:
    """16 hex digits that change exactly when a file's schema or keys do (D2, D10).

    Covers names, order, types, nullability, timestamp unit, row key and entity key; not titles,
    descriptions, notes or references.
    """
    content = {
        "export": export.name,
        "version": version,
        "timestamp_unit": timestamp_unit,
        "columns": [
            [column.name, column.type.value, column.required]
            for column in export.columns_of(version)
        ],
        "row_key": list(export.row_key),
        "entity_key": list(export.entity_key),
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:_LENGTH]
