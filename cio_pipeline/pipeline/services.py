"""The effects that a use case works with, in one value."""

from dataclasses import dataclass, replace

from cio_pipeline.files.spool import Spool
from cio_pipeline.pipeline.ports import Clock, Destinations, Ledger, Source


@dataclass(frozen=True)
class Services:
    """Source, ledger, destinations, spool and clock; `owner` names the run in leases."""

    source: Source
    ledger: Ledger
    destinations: Destinations
    spool: Spool
    clock: Clock
    owner: str = "nobody"

    def owned_by(self, owner: str) -> "Services":
        """The same for another run."""
        return replace(self, owner=owner)
