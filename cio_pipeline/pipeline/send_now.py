"""Sending all that was committed up to now, without waiting for the window's end (D6).

The cut is one more between two windows' ends. Positions are what counts: the window that is open
sends the rest when it ends, and nothing is lost or doubled.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cio_pipeline.contracts.feeds import FEEDS
from cio_pipeline.ledger.registry import Registry
from cio_pipeline.model.errors import SourceError, SourceUnavailable
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.registry import Outcome
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.windows import Window, window_until
from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline.pipeline.committing.put_manifests import Continued
from cio_pipeline.pipeline.planning.plan_export import Batch
from cio_pipeline.pipeline.run_export import deliver_export, plan_export
from cio_pipeline.pipeline.services import Services


@dataclass(frozen=True)
class SentExport:
    """What came of one export; without a batch its source could not be read: see `error`."""

    export: str
    batch: Batch | None = None
    outcomes: tuple[Outcome, ...] = ()
    notices: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class SentNow:
    """What one feed was sent, export by export, and which manifests tell of it."""

    window: Window
    exports: tuple[SentExport, ...]
    written: tuple[Continued, ...]

    @property
    def errors(self) -> Iterator[str]:
        """The tables that could not be read, with the export that needed them."""
        return (f"{one.export}: {one.error}" for one in self.exports if one.error)


def feeds_with_syncs(registry: Registry, scope: Scope) -> list[Feed]:
    """The feeds of the scope's syncs."""
    return sorted({one.sync.feed for one in registry.all(scope.sync_ids)})


def send_now(services: Services, feed: Feed, scope: Scope) -> SentNow:
    """Send a feed's syncs all that was committed up to now, whatever their cadence, and list it.

    A table that cannot be read stops only the exports that read it. Raises LedgerError.
    """
    window = window_until(services.clock(), feed)
    exports = tuple(_sent(services, export, window, scope) for export in FEEDS[feed])
    written = commit_window(services, window, scope.sync_ids, scope.lane, feed)
    return SentNow(window, exports, written)


def _sent(services: Services, export: str, window: Window, scope: Scope) -> SentExport:
    notices: list[str] = []
    telling = replace(services, notice=notices.append)
    try:
        batch = plan_export(telling, export, window, scope)
        outcomes = deliver_export(telling, batch)
    except (SourceError, SourceUnavailable) as error:
        return SentExport(export, error=str(error))
    return SentExport(export, batch, outcomes, (*batch.notices, *notices))
