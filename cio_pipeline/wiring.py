"""Opening the adapters that the settings name; the only place that knows them all."""

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cio_pipeline.destinations.open import open_destination
from cio_pipeline.files.spool import Spool
from cio_pipeline.ledger.identity import Witness, require_same
from cio_pipeline.ledger.open import Ledger, is_there, open_ledger
from cio_pipeline.model.errors import CioError
from cio_pipeline.model.windows import FIRST_WINDOW, midnight
from cio_pipeline.pipeline.services import Services
from cio_pipeline.settings import Settings
from cio_pipeline.sources.open import open_source, source_uri, storage_options


def now() -> datetime:
    """The machine's clock, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Opened:
    """Services, and the ledger behind them as the database that it is."""

    services: Services
    ledger: Ledger
    witness: Witness

    def recognised(self, *, older: bool = False) -> Services:
        """The services, if the ledger is the one that was used here before.

        Raises LedgerError if it was emptied, exchanged or set back; `older` takes one that was set
        back, too.
        """
        # In this order: what others commit and remember meanwhile is no reason to doubt the ledger.
        last = self.witness.seen()
        mark = self.ledger.mark()
        if last is not None:
            require_same(last, mark, older=older)
        if last is None or mark.commits > last.commits:
            self.witness.remember(mark)
        return self.services

    def accepted(self) -> Services:
        """The services with the ledger as it is, from now on the one that is used here."""
        self.witness.remember(self.ledger.mark())
        return self.services


def first_window(settings: Settings) -> datetime:
    """The day that the partitions begin with: that of the first sync, today before there is any.

    Where the ledger cannot be asked, the first of all: no window is left out.
    """
    if settings.first_window is not None:
        return settings.first_window
    if not is_there(settings.ledger):
        return midnight(now())
    try:
        with closing(open_ledger(settings.ledger)) as ledger:
            return ledger.first_window() or midnight(now())
    except CioError:
        return FIRST_WINDOW


def source_place(settings: Settings) -> tuple[str, dict[str, str]]:
    """URI and storage options of the source that CIO_SOURCE names; raises InvalidConfig."""
    uri = source_uri(settings.source)
    return uri, storage_options(uri, settings.storage_options)


def open_services(settings: Settings) -> Opened:
    """Source, ledger, destinations and spool of some settings.

    Relative local destinations are relative to the working directory. Raises InvalidConfig,
    LedgerError.
    """
    base = Path.cwd()
    ledger = open_ledger(settings.ledger)
    services = Services(
        source=open_source(settings.source, settings.storage_options),
        ledger=ledger,
        destinations=lambda sync: open_destination(sync, base),
        spool=Spool(settings.spool, settings.spool_bytes),
        clock=now,
        shards=settings.shards,
    )
    return Opened(services, ledger, Witness(settings.ledger_seen))
