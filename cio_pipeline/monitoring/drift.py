"""Schema drift: columns of the source that came, went or are of another type; who reads them."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from cio_pipeline.model.findings import Finding, Severity
from cio_pipeline.model.looks import Columns, SeenColumns
from cio_pipeline.model.times import utc

TOLD_FOR = timedelta(days=1)
"""So long a change of columns is told."""


def drifted(
    seen: Iterable[SeenColumns],
    at: datetime,
    declared: Mapping[str, frozenset[str]],
    exports: Mapping[str, tuple[str, ...]],
) -> Iterator[Finding]:
    """Tables whose columns changed lately, one finding each: an error if one that is read did.

    `declared` are the columns that are read, `exports` those that read a table.
    """
    for one in seen:
        if one.before is None or at - one.changed_at >= TOLD_FOR:
            continue
        read = declared.get(one.table, frozenset())
        parts = list(_changes(one.before, one.columns))
        touched = {name for name, how in parts if name in read and how != "new"}
        users = ", ".join(exports.get(one.table, ())) or "none"
        told = "; ".join(f"{name} {_told(one, name, how)}" for name, how in parts)
        yield Finding(
            "source_columns",
            Severity.ERROR if touched else Severity.WARNING,
            f"Table {one.table} since {utc(one.changed_at)}: {told}. Read by: {users}.",
            "A migration of the source. Columns that are not declared are not sent."
            if not touched
            else "A migration of the source changed what is read: these exports may stand still.",
            "cio-pipeline source status",
            window_end=at,
            about=one.table,
        )


def _changes(before: Columns, now: Columns) -> Iterator[tuple[str, str]]:
    for name in sorted(before.keys() | now.keys()):
        if name not in before:
            yield name, "new"
        elif name not in now:
            yield name, "gone"
        elif before[name] != now[name]:
            yield name, "retyped"


def _told(seen: SeenColumns, name: str, how: str) -> str:
    if how == "new":
        return f"is new ({seen.columns[name]})"
    before = (seen.before or {})[name]
    return f"is gone (was {before})" if how == "gone" else f"was {before}, is {seen.columns[name]}"
