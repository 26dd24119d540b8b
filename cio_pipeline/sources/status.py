"""The state of the source tables: from their logs, and a sample of their identities."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from deltalake import DeltaTable

from cio_pipeline.contracts.declare import SourceTable, TableKind
from cio_pipeline.model.errors import CioError
from cio_pipeline.sources.changed_files import is_feed_on
from cio_pipeline.sources.columns import column_problems, logical_schema
from cio_pipeline.sources.delta_files import data_files
from cio_pipeline.sources.delta_scan import scan
from cio_pipeline.sources.delta_table import DeltaTables
from cio_pipeline.sources.errors import translate

_SAMPLE = 1_000_000


@dataclass(frozen=True)
class TableStatus:
    """What a source table looks like.

    `rows` is None if the log does not count them; `oldest_version` is the first one whose changes
    the log still has; `last_change` is the time of the last commit.
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
    uri: str, tables: Iterable[SourceTable], storage_options: Mapping[str, str] | None = None
) -> list[TableStatus]:
    """The status of each table, in the given order; what fails is a problem of its table alone.

    Raises SourceGone.
    """
    folder = DeltaTables(uri, storage_options or {})
    folder.require_root()
    return [_status_or_problem(folder, table) for table in tables]


def _status_or_problem(folder: DeltaTables, table: SourceTable) -> TableStatus:
    try:
        return _status(folder, table)
    except CioError as error:
        return TableStatus(table.name, table.kind, problems=(error.message,))


def _status(folder: DeltaTables, table: SourceTable) -> TableStatus:
    found = folder.latest(table.name)
    if found is None:
        return TableStatus(table.name, table.kind, problems=("does not exist",))
    log = folder.log(table.name)
    version = found.version()
    change_feed = is_feed_on(found.metadata().configuration)
    problems = column_problems(table, logical_schema(found, table))
    if not change_feed:
        problems.append("its change feed is off: set delta.enableChangeDataFeed=true")
    if not problems:
        problems += _repeated(found, table, folder.storage_options)
    return TableStatus(
        table.name,
        table.kind,
        version,
        min(log.versions(), default=None),
        _rows(found),
        next(log.entries(version, version)).time,
        change_feed,
        tuple(problems),
    )


def _rows(found: DeltaTable) -> int | None:
    rows = 0
    for file in data_files(found, ()):
        if file.rows is None:
            return None
        rows += file.rows - (0 if file.deleted is None else len(file.deleted))
    return rows


def _repeated(found: DeltaTable, table: SourceTable, options: Mapping[str, str]) -> list[str]:
    """Whether identities occur twice among the first rows."""
    try:
        rows = scan(found, table, options)
        sample = rows.select(table.identity).head(_SAMPLE).collect()
    except Exception as error:
        known = translate(error, table.name, found.version())
        if known is None:
            raise
        return [known.message]
    twice = sample.height - sample.n_unique()
    if not twice:
        return []
    return [f"{twice} of {sample.height} sampled rows repeat an identity"]
