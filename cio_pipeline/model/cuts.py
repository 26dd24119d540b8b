"""Cuts: what a source held at a moment, as one version per table. A position is a delivered cut."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class TableCut:
    """One table at one version. `table_id` changes when a table is dropped and made again."""

    table_id: str
    version: int


@dataclass(frozen=True)
class Cut:
    """The source at a window's end `at`: everything committed before it, in every table.

    Decided once per window and stored; never computed again. `tables` maps the table's name.
    """

    at: datetime
    tables: Mapping[str, TableCut] = field(hash=False)

    def table(self, name: str) -> TableCut:
        """The version of one table; KeyError if the cut does not know it."""
        return self.tables[name]
