"""Reading a changeset once: several cohorts may be served by it, and each scans it twice.

What slices read of it is shared out in one pass: to read all changes for each of them would cost
the square of a large window.
"""

from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias, cast
from uuid import uuid4

import polars as pl

from cio_pipeline.changesets.netting import net
from cio_pipeline.changesets.parts import belongs, key_of
from cio_pipeline.contracts.declare import SourceTable, TableKind
from cio_pipeline.contracts.feeds import ALL_EXPORTS, feed_of
from cio_pipeline.files.spool import Spool
from cio_pipeline.files.system_errors import spool_error
from cio_pipeline.model.breaches import Breach, BreachKind
from cio_pipeline.model.changeset import AGAIN, CHANGE, CHANGED, DELETED, GREW
from cio_pipeline.model.cuts import TableCut
from cio_pipeline.model.plans import Plan
from cio_pipeline.model.slices import HashBucket, Part, Stretch
from cio_pipeline.pipeline.delivering.room import OF_CHANGES
from cio_pipeline.pipeline.planning.cohorts import cohorts_of, range_of, reads_changes, rest_of
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Source

_KEY = "_key"


@dataclass(frozen=True)
class Share:
    """The changes of some workspaces that one slice reads."""

    part: Part
    workspaces: frozenset[int]

    def is_in(self, other: "Share") -> bool:
        """Whether another one holds all of it."""
        return self.part == other.part and self.workspaces <= other.workspaces


def share_out(
    batches: Iterable[pl.DataFrame],
    shares: Sequence[Share],
    folder: Path,
    fits: Callable[[], bool] = lambda: True,
) -> dict[Share, list[Path]]:
    """Write what each share has of the batches of a feed, into files with the feed's columns.

    Each has one at least. Once it no longer `fits`, the last shares are left out. Raises what
    reading does, and what Polars does when it cannot write.
    """
    found: dict[Share, list[Path]] = {share: [] for share in shares}
    for batch in batches:
        keyed = _keyed(batch, shares)
        for place, share in enumerate(shares):
            rows = keyed.filter(_is_of(share)).select(batch.columns)
            paths = found.get(share)
            if paths is not None and (rows.height or not paths):
                # Files of their own: as many could not be open at a time.
                path = folder / f"share-{place}-{len(paths)}.arrow"
                rows.write_ipc(path, compression="lz4")
                paths.append(path)
                _leave_out(found, fits)
        if not found:
            break
    return found


def _leave_out(found: dict[Share, list[Path]], fits: Callable[[], bool]) -> None:
    while found and not fits():
        _, paths = found.popitem()
        for path in paths:
            path.unlink()


def _keyed(batch: pl.DataFrame, shares: Iterable[Share]) -> pl.DataFrame:
    """The rows with the key that tells their bucket, made once for all shares."""
    by = next((one.part.by for one in shares if isinstance(one.part, HashBucket)), None)
    return batch if by is None else batch.with_columns(key_of(by).alias(_KEY))


def _is_of(share: Share) -> pl.Expr:
    served = pl.col("workspace_id").is_in(sorted(share.workspaces))
    if isinstance(share.part, HashBucket):
        return served & (pl.col(_KEY) % share.part.of == share.part.number)
    return served & belongs(share.part)


_DELETIONS_ARE_SENT = frozenset(one.source for one in ALL_EXPORTS.values() if one.split)

# A message may come again with another payload: it is put in place of itself.
_MAY_COME_AGAIN = frozenset(
    one.source for one in ALL_EXPORTS.values() if feed_of(one.name).facts.overwrites
)

Range: TypeAlias = tuple[str, TableCut, TableCut]
Found: TypeAlias = Counter[tuple[str, BreachKind]]


@contextmanager
def reading_once(
    services: Services, plans: Iterable[Plan], slices: int | None = None
) -> Generator[Services]:
    """The services with a source that reads and nets each changeset of the plans once.

    Of a plan in slices, so many of them (None: all) are kept; what is read beyond is read again.

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
    source = _ReadOnce(services.source, services.spool, folder)
    shared = cast("Source", source)
    source.shared = lambda: _shares(shared, planned, slices)
    try:
        yield replace(services, source=shared)
        told = [Breach(of, kind, rows) for (of, kind), rows in source.found.items() if rows]
        for breach in told:
            services.notice(str(breach))
        if told:
            services.ledger.breaches.record(max(plan.upper.at for plan in planned), told)
    finally:
        services.spool.discard(folder)


def _shares(
    source: Source, plans: Iterable[Plan], slices: int | None
) -> Mapping[Range, list[Share]]:
    """What the next slices of some plans read, of each range of changes."""
    found: dict[Range, list[Share]] = {}
    for cohort in cohorts_of(filter(reads_changes, plans)):
        table, lower, upper = range_of(cohort.model)
        for part in rest_of(source, cohort.model)[:slices]:
            if isinstance(part, HashBucket | Stretch):
                share = Share(part, cohort.workspaces)
                found.setdefault((table.name, lower, upper), []).append(share)
    return {of: list(dict.fromkeys(shares)) for of, shares in found.items()}


class _ReadOnce:
    """A source that keeps the changesets it was asked for as Parquet files.

    `shared` tells what the slices of the run's plans read; `found` counts breaches of the contract.
    """

    def __init__(self, source: Source, spool: Spool, folder: str) -> None:
        self._source, self._spool, self._folder = source, spool, folder
        self._fits = partial(spool.roomy, OF_CHANGES)
        self._read: dict[tuple[Range, Share | None], pl.LazyFrame] = {}
        self._unread: dict[Range, dict[Share, list[Path]]] = {}
        self._left: dict[Range, list[Share]] = {}
        self._paths: dict[tuple[Range, Share | None], Path] = {}
        self._judged: set[tuple[Range, Share | None]] = set()
        self._names = count()
        self._blocks: dict[tuple[Range, int], pl.DataFrame] = {}
        self.shared: Callable[[], Mapping[Range, list[Share]]] = dict
        self.found: Found = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def blocks(
        self, table: SourceTable, lower: TableCut, upper: TableCut, rows: int
    ) -> pl.DataFrame:
        """See `ports.Source.blocks`; counted once."""
        key = (table.name, lower, upper), rows
        if key not in self._blocks:
            self._blocks[key] = self._source.blocks(table, lower, upper, rows)
        return self._blocks[key]

    def changes(
        self,
        table: SourceTable,
        lower: TableCut,
        upper: TableCut,
        part: Part | None = None,
        workspaces: Collection[int] | None = None,
    ) -> pl.LazyFrame:
        """See `ports.Source.changes`; the first call reads, later ones scan what it kept."""
        of: Range = (table.name, lower, upper)
        if part is None or workspaces is None:
            return self._kept(table, of, None)
        share = self._share(table, of, Share(part, frozenset(workspaces)))
        if share is None:
            return self._source.changes(table, lower, upper, part, workspaces)
        rows = self._kept(table, of, share)
        return rows.filter(pl.col("workspace_id").is_in(sorted(workspaces)))

    def _share(self, table: SourceTable, of: Range, wanted: Share) -> Share | None:
        """What of the changes was shared out holds some of them.

        The first time all is, as far as there is room; what was left out when it is asked for. None
        if they are of several shares: what is left of cohorts may be read together.
        """
        if of not in self._left:
            self._left[of], self._unread[of] = self.shared()[of], {}
        if any(map(wanted.is_in, self._left[of])):
            batches = self._source.feed(table, *of[1:])
            # Of its own each time: what another one shared out may still be unread.
            folder = self._spool.folder(f"{self._folder}/{next(self._names)}")
            with _told():
                found = share_out(batches, self._left[of], folder, self._fits)
            self._left[of] = [one for one in self._left[of] if one not in found]
            self._unread[of] |= found
        return next(filter(wanted.is_in, self._unread[of]), None)

    def _kept(self, table: SourceTable, of: Range, share: Share | None) -> pl.LazyFrame:
        key = of, share
        if key not in self._read:
            if share is None:
                found = self._source.changes(table, *of[1:])
            else:
                found = net(pl.scan_ipc(self._unread[of][share]), table.identity, table.grows)
            # What was read before is forgotten if there is too much of it: it can be read again.
            for before, its in [] if self._fits() else list(self._read):
                self._paths.pop((before, its)).unlink()
                del self._read[before, its]
                if its is not None:
                    self._unread[before].pop(its)
                    self._left[before].append(its)
            # Made late: whoever sleeps past its lease meanwhile finds its folder swept away.
            path = self._spool.folder(self._folder) / f"{next(self._names)}.parquet"
            with _told():
                found.sink_parquet(path, compression="lz4", engine="streaming")
            if share is not None:
                for read in self._unread[of][share]:
                    read.unlink()
            self._read[key], self._paths[key] = pl.scan_parquet(path), path
            if key not in self._judged:
                self._judged.add(key)
                self.found.update(breaches(table, self._read[key]))
        return self._read[key]


@contextmanager
def _told() -> Generator[None]:
    try:
        yield
    except Exception as error:
        raise (spool_error(error) or error) from error


def breaches(table: SourceTable, changes: pl.LazyFrame) -> Found:
    """How many rows of a changeset break the source contract (docs/source-tables.md)."""
    kind = pl.col(CHANGE)
    found = changes.select(
        changed=(kind == CHANGED).sum(),
        deleted=(kind == DELETED).sum(),
        not_grown=(~pl.col(GREW)).sum(),
        again=pl.col(AGAIN).sum(),
        nobodys=pl.col("workspace_id").is_null().sum(),
    ).collect()
    changed, deleted, not_grown, again, nobodys = found.row(0)
    append_only = table.kind is TableKind.APPEND_ONLY
    return Counter(
        {
            (table.name, BreachKind.CHANGED): changed if append_only else 0,
            (table.name, BreachKind.DELETED): 0 if table.name in _DELETIONS_ARE_SENT else deleted,
            (table.name, BreachKind.WENT_BACK): not_grown,
            (table.name, BreachKind.REPEATED): 0 if table.name in _MAY_COME_AGAIN else again,
            (table.name, BreachKind.NOBODYS): nobodys,
        }
    )
