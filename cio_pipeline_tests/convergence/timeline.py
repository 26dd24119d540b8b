"""The source over time, a second time: what each table held, and what windows make of it (D6)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cio_pipeline_tests.convergence.meaning import APPENDED, SPLIT, Row, is_gone

Key = tuple[Any, ...]
"""Workspace, then the identity of a row of a source table."""

Table = dict[Key, Row]


@dataclass(frozen=True)
class Commit:
    """A version of a table: when it was made, and all that the table then holds."""

    at: datetime
    rows: Table


@dataclass
class Timeline:
    """All commits of all tables in their order, and for windows' ends how many of them count."""

    tables: dict[str, list[Commit]] = field(default_factory=dict[str, list[Commit]])
    cuts: dict[datetime, dict[str, int]] = field(default_factory=dict[datetime, dict[str, int]])

    def decide(self, end: datetime) -> None:
        """What a window's end means, once: for each table, how many of its commits.

        Those before the first one that was made at or after the end; never less than an earlier
        window has, never more than a later one.
        """
        if end in self.cuts:
            return
        earlier = max((at for at in self.cuts if at < end), default=None)
        later = min((at for at in self.cuts if at > end), default=None)
        self.cuts[end] = {}
        for name, commits in self.tables.items():
            count = self.count(name, earlier)
            while count < len(commits) and commits[count].at < end:
                count += 1
            self.cuts[end][name] = min(count, self.count(name, later)) if later else count

    def count(self, table: str, end: datetime | None) -> int:
        """How many commits of a table a window's end has; 0 if the table was not there yet."""
        return self.cuts[end].get(table, 0) if end else 0

    def rows(self, table: str, end: datetime) -> Table:
        """What a table holds at a window's end."""
        count = self.count(table, end)
        return self.tables[table][count - 1].rows if count else {}

    def history(self, export: str, end: datetime) -> list[tuple[str, Key, Row]]:
        """D1: all rows; of people, objects and what belongs to them, those of the moment."""
        rows = [("new", key, row) for key, row in self.rows(export, end).items()]
        if export in SPLIT:
            return [(what, key, row) for what, key, row in rows if not is_gone(row)]
        if export not in {"attributes", "object_attributes"}:
            return rows
        owners = self.rows("people" if export == "attributes" else "objects", end)
        there = {key for key, owner in owners.items() if not is_gone(owner)}
        return [
            (what, key, row)
            for what, key, row in rows
            if key[:2] in there and row["attribute_value"] is not None
        ]

    def changes(self, export: str, lower: datetime, upper: datetime) -> list[tuple[str, Key, Row]]:
        """The difference between two states; rows that were removed only where that can be said."""
        before, now = self.rows(export, lower), self.rows(export, upper)
        found = [("new", key, row) for key, row in now.items() if key not in before]
        if export not in APPENDED:
            found += [
                ("changed", key, row)
                for key, row in now.items()
                if key in before and before[key] != row
            ]
        if export in SPLIT:
            found += [
                ("removed", key, row | {"removed_at": self._removed_at(export, key, upper)})
                for key, row in before.items()
                if key not in now
            ]
        return found

    def _removed_at(self, export: str, key: Key, upper: datetime) -> datetime:
        """When the commit that removed a row was made."""
        last = self.count(export, upper) - 1
        while key not in self.tables[export][last - 1].rows:
            last -= 1
        return self.tables[export][last].at
