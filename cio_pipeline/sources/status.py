"""The state of the source tables: from their logs, and a sample of their identities."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from cio_pipeline.contracts.declare import SourceTable, TableKind
from cio_pipeline.contracts.feeds import ALL_EXPORTS, facts_of
from cio_pipeline.model.cuts import TableCut
from cio_pipeline.sources.change_feed import changed_files, is_feed_on
from cio_pipeline.sources.delta_errors import translate
from cio_pipeline.sources.delta_scan import data_files, scan, vectors_of
from cio_pipeline.sources.delta_table import DeltaTables, OpenTable
from cio_pipeline.sources.tables import BEFORE_ALL_ROWS

_SAMPLE = 1_000_000


@dataclass(frozen=True)
class TableStatus:
    """What a source table looks like.

    `rows` is None if the log does not count them; `oldest_version` is the first one whose changes
    the log still has; `last_change` is the time of the last commit, None if none
    brought rows.
    """

    table: str
    kind: TableKind
    version: int | None = None
    oldest_version: int | None = None
    rows: int | None = None
    last_change: datetime | None = None
    change_feed: bool = False
    problems: tuple[str, ...] = ()


def table_statuses(
    uri: str,
    tables: Iterable[SourceTable],
    storage_options: Mapping[str, str] | None = None,
    needed: Mapping[str, TableCut] | None = None,
    *,
    sampled: bool = True,
) -> list[TableStatus]:
    """The status of each table, in the given order; what fails is a problem of its table alone.

    `needed` are the oldest positions that syncs go on from: what changed since is looked up in the
    log, so that it shows here whether it can be read. If `sampled`, rows are read as well. Raises
    SourceGone.
    """
    folder = DeltaTables(uri, storage_options or {})
    folder.require_root()
    since = needed or {}
    return [_status(folder, table, since.get(table.name), sampled=sampled) for table in tables]


def _status(
    folder: DeltaTables, table: SourceTable, needed: TableCut | None, *, sampled: bool
) -> TableStatus:
    problems = _Problems(table.name)
    found = problems.met(lambda: folder.latest(table))
    if found is None:
        told = tuple(problems.told) or ("does not exist",)
        return TableStatus(table.name, table.kind, problems=told)
    log, version = found.log, found.cut.version
    change_feed = is_feed_on(found.delta.metadata().configuration)
    status = TableStatus(
        table.name,
        table.kind,
        version,
        problems.met(lambda: min(log.versions(), default=None)),
        problems.met(lambda: _rows(found)),
        _changed(problems.met(lambda: next(log.entries(version, version)).time)),
        change_feed,
    )
    problems.met(found.require_readable)
    problems.told += problems.met(found.problems) or []
    if not change_feed:
        problems.told.append("its change feed is off: set delta.enableChangeDataFeed=true")
    elif needed is not None:
        problems.met(lambda: changed_files(found, needed, lambda: folder.at(table, needed)))
    if sampled and not problems.told:
        problems.told += problems.met(lambda: _repeated(found)) or []
    return replace(status, problems=tuple(dict.fromkeys(problems.told)))


def _changed(at: datetime | None) -> datetime | None:
    """The time of a last commit; None if that one only made the table."""
    return None if at == BEFORE_ALL_ROWS else at


_T = TypeVar("_T")


@dataclass
class _Problems:
    """What was met while a table was looked at, none of which ends the look."""

    table: str
    told: list[str] = field(default_factory=list[str])

    def met(self, look: Callable[[], _T]) -> _T | None:
        """What `look` gives; None for an error of the source, which is a problem then."""
        try:
            return look()
        except Exception as error:
            known = translate(error, self.table, None)
            if known is None:
                raise
            self.told.append(known.message)
            return None


def _rows(found: OpenTable) -> int | None:
    rows = 0
    for file in data_files(found, (), vectors_of(found)):
        if file.rows is None:
            return None
        rows += file.rows - int((file.vector or {}).get("cardinality", 0))
    return rows


def _repeated(found: OpenTable) -> list[str]:
    """Whether identities occur twice among the first rows; messages may: the last state counts."""
    table = found.declared
    if table.name in ALL_EXPORTS and facts_of(table.name).overwrites:
        return []
    sample = scan(found).select(table.identity).head(_SAMPLE).collect()
    twice = sample.height - sample.n_unique()
    if not twice:
        return []
    return [f"{twice} of {sample.height} sampled rows repeat an identity"]
