"""Opening the adapters that the settings name; the only place that knows them all."""

from datetime import UTC, datetime
from pathlib import Path

from cio_pipeline.destinations.open import open_destination
from cio_pipeline.files.spool import Spool
from cio_pipeline.ledger.open import open_ledger
from cio_pipeline.pipeline.services import Services
from cio_pipeline.settings import Settings
from cio_pipeline.sources.open import open_source


def now() -> datetime:
    """The machine's clock, UTC."""
    return datetime.now(UTC)


def open_services(settings: Settings) -> Services:
    """Source, ledger, destinations and spool of some settings.

    Relative local destinations are relative to the working directory. Raises InvalidConfig,
    LedgerError.
    """
    base = Path.cwd()
    return Services(
        source=open_source(settings.source, settings.storage_options),
        ledger=open_ledger(settings.ledger),
        destinations=lambda sync: open_destination(sync, base),
        spool=Spool(settings.spool),
        clock=now,
    )
