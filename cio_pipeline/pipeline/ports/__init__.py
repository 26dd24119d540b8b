"""What the use cases need from the outside, as protocols that the adapters fulfil.

One module per port; those of the ledger are grouped by what they keep: `syncs`, `work` that is
under way, and what was `sent`. `pipeline.ports.recovery` has the one that mends losses.
"""

from cio_pipeline.pipeline.ports.destination import (
    Destination,
    Destinations,
    ObjectInfo,
    Permission,
)
from cio_pipeline.pipeline.ports.ledger import Ledger
from cio_pipeline.pipeline.ports.sent import (
    Gone,
    KnownObject,
    Manifests,
    Quarantine,
    QuarantineEntry,
)
from cio_pipeline.pipeline.ports.source import Source, TableSlice
from cio_pipeline.pipeline.ports.syncs import Breakers, Changes, History, Registry
from cio_pipeline.pipeline.ports.units import Clock, Pair
from cio_pipeline.pipeline.ports.work import Attempts, Cuts, Errors, Leases, Plans

__all__ = [
    "Attempts",
    "Breakers",
    "Changes",
    "Clock",
    "Cuts",
    "Destination",
    "Destinations",
    "Errors",
    "Gone",
    "History",
    "KnownObject",
    "Leases",
    "Ledger",
    "Manifests",
    "ObjectInfo",
    "Pair",
    "Permission",
    "Plans",
    "Quarantine",
    "QuarantineEntry",
    "Registry",
    "Source",
    "TableSlice",
]
