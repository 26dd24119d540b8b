"""Reading a changeset once: several cohorts may be served by it, and each scans it twice."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import polars as pl

from cio_pipeline.contracts.declare import SourceTable, TableKind
from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.files.failures import spool_error
from cio_pipeline.files.spool import Spool
from cio_pipeline.model.breaches import Breach, Kind
from cio_pipeline.model.changes import CHANGE, CHANGED, DELETED, GREW
from cio_pipeline.model.cuts import TableCut
from cio_pipeline.model.plans import Plan
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Source

_DELETIONS_ARE_SENT = frozenset(one.source for one in ALL_EXPORTS.values() if one.split)


@contextmanager
def reading_once(services: Services, plans: Iterable[Plan]) -> Generator[Services]:
    """The services with a source that reads and nets each changeset of the plans once.

    They are kept in the spool, in a folder that is swept with the plans' own if the run dies.
    Breaches of the source contract are told to `services.notice` and kept in the ledger.
    """
    planned = tuple(plans)
    ids = sorted((plan.plan_id, plan.export) for plan in planned)
    if not ids:
        yield services
        return
    # Of its own for each run: a zombie must not clear away what its heir reads.
    folder = f"{ids[0][1]}-{ids[0][0]}-changes-{uuid4().hex[:8]}"
    at = max(plan.upper.at for plan in planned)

    def tell(found: Sequence[Breach]) -> None:
        for breach in found:
            services.notice(str(breach))
        if found:
            services.ledger.breaches.record(at, found)

    source = _ReadOnce(services.source, services.spool, folder, tell)
    try:
        yield replace(services, source=source)
    finally:
        services.spool.discard(folder)


class _ReadOnce:
    """A source that keeps the changesets it was asked for as Parquet files."""

    def __init__(
        self,
        source: Source,
        spool: Spool,
        folder: str,
        tell: Callable[[Sequence[Breach]], None],
    ) -> None:
        self._source, self._spool, self._folder, self._tell = source, spool, folder, tell
        self._read: dict[tuple[str, TableCut, TableCut], pl.LazyFrame] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def changes(self, table: SourceTable, lower: TableCut, upper: TableCut) -> pl.LazyFrame:
        """See `ports.Source.changes`; the first call reads, later ones scan what it kept."""
        key = (table.name, lower, upper)
        if key not in self._read:
            rows = self._source.changes(table, lower, upper)
            path = self._spool.folder(self._folder) / f"{len(self._read)}.parquet"
            try:
                rows.sink_parquet(path, compression="lz4", engine="streaming")
            except Exception as error:
                raise (spool_error(error) or error) from error
            self._read[key] = pl.scan_parquet(path)
            self._tell(tuple(breaches(table, self._read[key])))
        return self._read[key]


def breaches(table: SourceTable, changes: pl.LazyFrame) -> Iterator[Breach]:
    """What in a changeset breaks the source contract, counted (docs/source-tables.md)."""
    append_only = table.kind is TableKind.APPEND_ONLY
    kind = pl.col(CHANGE)
    found = changes.select(
        changed=(kind == CHANGED).sum(),
        deleted=(kind == DELETED).sum(),
        not_grown=(~pl.col(GREW)).sum(),
        nobodys=pl.col("workspace_id").is_null().sum(),
    ).collect()
    changed, deleted, not_grown, nobodys = found.row(0)
    if changed and append_only:
        yield Breach(table.name, Kind.CHANGED, changed)
    if deleted and table.name not in _DELETIONS_ARE_SENT:
        yield Breach(table.name, Kind.DELETED, deleted)
    if not_grown:
        yield Breach(table.name, Kind.WENT_BACK, not_grown)
    if nobodys:
        yield Breach(table.name, Kind.NOBODYS, nobodys)
