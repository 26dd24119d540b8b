"""Deciding what a window's end means for each source table, once."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.cuts import Cut, Look, TableCut
from cio_pipeline.model.errors import InvalidConfig, SourceError, SourceGone, SourceUnavailable
from cio_pipeline.model.registry import ExportState
from cio_pipeline.model.times import utc
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Source


def tables_of(export: str) -> frozenset[str]:
    """The source tables that an export reads."""
    return frozenset((ALL_EXPORTS[export].source, *ALL_EXPORTS[export].joins))


def decide_cut(services: Services, at: datetime, needed: Collection[str] = ()) -> Cut:
    """The cut of the window that ends at `at`: the stored one, else decided now and stored.

    Cuts grow from window to window, also when windows are decided out of order or at a time. Tables
    that cannot be read stay undecided, and so stop nobody who does not read them. Raises
    InvalidConfig while the window is still open, and the source's errors of those `needed`, or if
    no table can be read.
    """
    cuts = services.ledger.cuts
    while True:
        before, stored, after = cuts.near(at)
        if stored is not None and stored.undecided.isdisjoint(needed):
            return stored
        found = _new_cut(services, at, before, after, needed)
        done = cuts.decide(found, before, after)
        if done is not None and done.undecided.isdisjoint(needed):
            return done


def peek_cut(services: Services, at: datetime, needed: Collection[str] = ()) -> Cut:
    """The cut that decide_cut would give, without storing it."""
    before, stored, after = services.ledger.cuts.near(at)
    if stored is not None and stored.undecided.isdisjoint(needed):
        return stored
    return _new_cut(services, at, before, after, needed)


def _new_cut(
    services: Services,
    at: datetime,
    before: Cut | None,
    after: Cut | None,
    needed: Collection[str],
) -> Cut:
    now = services.clock()
    if at > now:
        raise InvalidConfig(
            f"The window that ends at {utc(at)} is still open.",
            "Run it once it has ended; rows that are committed until then belong to it.",
        )
    looks = look_at_tables(services.source, at, before, now, needed)
    undecided = frozenset(SOURCE_TABLES.keys() - looks.keys())
    tables = {name: look.reached for name, look in looks.items() if look.reached is not None}
    rest = {name: look.rest for name, look in looks.items() if look.rest is not None}
    if after is not None:
        tables = _not_above(tables, after)
    if before is not None:
        tables |= {name: cut for name, cut in before.tables.items() if name in undecided}
        rest |= {name: more for name, more in before.rest.items() if name in undecided}
    return Cut(at, tables, rest=rest, undecided=undecided)


def look_at_tables(
    source: Source,
    at: datetime,
    before: Cut | None,
    now: datetime,
    needed: Collection[str] = (),
) -> dict[str, Look]:
    """What each source table holds before a time; those that cannot be read are left out.

    A source that does not answer is not asked for further tables. Raises the error of a table that
    is `needed`, the first one if no table can be read, and SourceGone if there is none at all.
    """
    looks: dict[str, Look] = {}
    failures: list[SourceError | SourceUnavailable] = []
    for name in sorted(SOURCE_TABLES, key=lambda name: name not in needed):
        try:
            looks[name] = _there(name, source.look(SOURCE_TABLES[name], at, before, now), before)
        except (SourceError, SourceUnavailable) as error:
            if name in needed:
                raise
            failures.append(error)
            if isinstance(error, SourceUnavailable):
                break
    if failures and not looks:
        raise failures[0]
    if not failures and all(look == Look(None) for look in looks.values()):
        raise SourceGone(
            "The source has none of the tables that are read.",
            "Create the tables with `cio-pipeline source init`, or correct CIO_SOURCE.",
        )
    return looks


def _there(table: str, look: Look, before: Cut | None) -> Look:
    """A look at a table that did not go: who joins it would send what it does not hold back."""
    if look.reached is None and before is not None and table in before.tables:
        if look.rest is not None:
            raise SourceGone(
                f"Source table {table} was made again after the window's end; what it held then is "
                "gone.",
                "The first window that ends later sends all that is outstanding.",
            )
        raise SourceGone(
            f"Source table {table} was there when the window before was cut, and is gone.",
            "Put it back, and the window is cut with it. If it is gone for good, turn the exports "
            "that read it off.",
        )
    return look


def _not_above(found: Mapping[str, TableCut], later: Cut) -> dict[str, TableCut]:
    return {
        name: later.tables[name] if _above(cut, later.decided.get(name)) else cut
        for name, cut in found.items()
        if name in later.tables or name in later.undecided
    }


def _above(cut: TableCut, later: TableCut | None) -> bool:
    return later is not None and cut.table_id == later.table_id and cut.version > later.version


def oldest_needed(ledger: Ledger) -> dict[str, Cut]:
    """Per source table, the oldest cut that is still read: versions from there on must be kept."""
    found: dict[str, Cut] = {}
    for state in ledger.registry.states(list(ALL_EXPORTS)):
        for table, cut in _still_read(state):
            if table in cut.tables:
                found[table] = min(found.get(table, cut), cut, key=lambda cut: cut.at)
    return found


def _still_read(state: ExportState) -> Iterator[tuple[str, Cut]]:
    """(table, cut) of what goes on from a position, and of what an unfinished plan reads.

    A disabled sync reads nothing of the past any more: enabled, it begins with all history.
    """
    if state.registered.disabled_at is not None:
        return
    export = ALL_EXPORTS[state.export]
    if state.position is not None:
        yield export.source, state.position
    if state.open_plan is not None:
        yield from ((table, state.open_plan.upper) for table in (export.source, *export.joins))
