"""Deciding what a window's end means for each source table, once."""

from collections.abc import Iterator
from datetime import datetime

from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.cuts import Cut, TableCut
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.registry import ExportState
from cio_pipeline.pipeline.ports import Ledger
from cio_pipeline.pipeline.services import Services


def decide_cut(services: Services, at: datetime) -> Cut:
    """The cut of the window that ends at `at`: the stored one, else decided now and stored.

    Cuts grow from window to window, also when windows are decided out of order. Raises
    InvalidConfig while the window is still open, and the source's errors.
    """
    cuts = services.ledger.cuts
    return cuts.get(at) or cuts.store(_new_cut(services, at))


def peek_cut(services: Services, at: datetime) -> Cut:
    """The cut that decide_cut would give, without storing it."""
    return services.ledger.cuts.get(at) or _new_cut(services, at)


def _new_cut(services: Services, at: datetime) -> Cut:
    if at > services.clock():
        raise InvalidConfig(
            f"The window that ends at {at:%Y-%m-%d %H:%M} UTC is still open.",
            "Run it once it has ended; rows that are committed until then belong to it.",
        )
    cuts = services.ledger.cuts
    found = services.source.cut(at, SOURCE_TABLES.values(), cuts.before(at))
    later = cuts.after(at)
    return found if later is None else Cut(at, _not_above(found, later))


def _not_above(found: Cut, later: Cut) -> dict[str, TableCut]:
    return {
        name: later.tables[name] if _above(cut, later.tables[name]) else cut
        for name, cut in found.tables.items()
        if name in later.tables
    }


def _above(cut: TableCut, later: TableCut) -> bool:
    return cut.table_id == later.table_id and cut.version > later.version


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
