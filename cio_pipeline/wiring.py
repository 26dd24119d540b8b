"""Opening the adapters that the settings name; the only place that knows them all."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.destinations.open import open_destination
from cio_pipeline.destinations.secrets import secret_of
from cio_pipeline.files.spool import Spool
from cio_pipeline.ledger.open import Ledger, Witness, has_begun, is_there, open_ledger, require_same
from cio_pipeline.model.errors import CioError, InvalidConfig
from cio_pipeline.model.windows import FIRST_WINDOW, hour_of
from cio_pipeline.pipeline.services import Services
from cio_pipeline.settings import Settings
from cio_pipeline.sources.open import (
    WhenAsked,
    is_postgres,
    open_source,
    source_uri,
    storage_options,
)

if TYPE_CHECKING:
    from cio_pipeline.ports import Source
    from cio_pipeline.sources.observed import Observed
    from cio_pipeline.sources.postgres.source import PostgresSource


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
    """The hour that the partitions begin with: that of the first sync, this one before any.

    Where the ledger cannot be asked, the first of all: no window is left out.
    """
    if settings.first_window is not None:
        return settings.first_window
    if not is_there(settings.ledger):
        return hour_of(now())
    try:
        with closing(open_ledger(settings.ledger)) as ledger:
            return ledger.first_window() or hour_of(now())
    except CioError:
        return FIRST_WINDOW


def source_place(settings: Settings) -> tuple[str, dict[str, str]]:
    """URI and storage options of the source that CIO_SOURCE names; raises InvalidConfig."""
    uri = source_uri(settings.source)
    return uri, storage_options(uri, settings.storage_options)


def open_postgres(settings: Settings) -> "PostgresSource":
    """The source in PostgreSQL. Raises InvalidConfig if it is another one, or for wrong names."""
    from cio_pipeline.sources.postgres.connect import Server  # noqa: PLC0415 - see WhenAsked
    from cio_pipeline.sources.postgres.names import Names, read_names  # noqa: PLC0415 - the same
    from cio_pipeline.sources.postgres.source import PostgresSource  # noqa: PLC0415 - the same

    if not is_postgres(settings.source):
        raise InvalidConfig(
            "The source is no PostgreSQL database.",
            "Set CIO_SOURCE=postgresql://user@host/database.",
        )
    file, reference = settings.source_names, settings.source_password
    names = Names() if file is None else read_names(file, SOURCE_TABLES)
    password = None if reference is None else lambda: secret_of(reference)
    return PostgresSource(Server(settings.source, password), names)


def _source(settings: Settings) -> "Source":
    if is_postgres(settings.source):
        return cast("Source", WhenAsked(lambda: open_postgres(settings)))
    return open_source(settings.source, settings.storage_options)


def look_at_source(
    settings: Settings, services: Services, *, sampled: bool = True
) -> tuple[str, "Sequence[Observed]"]:
    """Where the source is, and its tables; see `sources.observed`."""
    from cio_pipeline.sources.observed import known_of, observed  # noqa: PLC0415 - see WhenAsked

    if is_postgres(settings.source):
        from cio_pipeline.sources.postgres.status import table_statuses  # noqa: PLC0415 - the same

        source = open_postgres(settings)
        return str(source.server), known_of(services, table_statuses(source))
    uri, options = source_place(settings)
    return uri, observed(services, uri, options, sampled=sampled)


def open_services(settings: Settings) -> Opened:
    """Source, ledger, destinations and spool of some settings.

    Relative local destinations are relative to the working directory. Raises InvalidConfig,
    LedgerError.
    """
    base = Path.cwd()
    ledger = open_ledger(settings.ledger)
    services = Services(
        source=_source(settings),
        ledger=ledger,
        destinations=lambda sync: open_destination(sync, base, lambda: has_begun(ledger, sync)),
        lost=lambda sync: open_destination(sync, base),
        spool=Spool(settings.spool, settings.spool_bytes),
        clock=now,
        shards=settings.shards,
        secret=secret_of,
    )
    return Opened(services, ledger, Witness(settings.ledger_seen))
