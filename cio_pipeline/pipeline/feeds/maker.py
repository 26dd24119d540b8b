"""What a feed must say of its files; all else (plans, leases, delivery, manifests) is shared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from cio_pipeline.files.encode import Encoded, SpooledFile
from cio_pipeline.files.spool import Spool
from cio_pipeline.model.cuts import TableSlice
from cio_pipeline.model.plans import Plan, SealedFile, SealedPlan
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.feeds.in_flight import InFlight
from cio_pipeline.pipeline.feeds.put_files import are_whole, put_files
from cio_pipeline.pipeline.heartbeat import HeldLease
from cio_pipeline.pipeline.planning.cohorts import Cohort
from cio_pipeline.pipeline.services import Services


class Encode(Protocol):
    """Rows become files."""

    def __call__(
        self,
        services: Services,
        cohort: Cohort[Plan],
        part: TableSlice | None,
        folder: str,
        *,
        retried: pl.DataFrame | None,
        asked: pl.DataFrame,
    ) -> Encoded:
        """Encode what a cohort, or a slice of it, sends into a folder of the spool.

        The same rows give the same bytes in any process. A retry sends the rows that are in
        quarantine, or `retried`. `asked` are the rows to be told of if they are delivered. Both
        are named by IDENTITY.
        Raises what `files.encode.encode` raises.
        """
        ...


class Name(Protocol):
    """Files get their keys and numbers."""

    def __call__(
        self, services: Services, plan: Plan, files: Sequence[SpooledFile]
    ) -> tuple[SealedFile, ...]:
        """The files of one plan's slice, numbered on from its earlier slices."""
        ...


class Put(Protocol):
    """Files get to the store."""

    def __call__(
        self,
        services: Services,
        lease: HeldLease,
        in_flight: InFlight,
        sync: Sync,
        sealed: SealedPlan,
    ) -> None:
        """Put the files of a plan, of which there are some; the lease is rechecked meanwhile.

        Raises LeaseLost and the destination's errors.
        """
        ...


class Whole(Protocol):
    """The spool still holds what was sealed."""

    def __call__(self, spool: Spool, files: Sequence[SealedFile]) -> bool:
        """Whether all files of a plan's slice lie in the spool, unaltered."""
        ...


@dataclass(frozen=True)
class Maker:
    """How a feed's rows become files, what these are called, and how they are put."""

    encode: Encode
    name: Name
    put: Put = put_files
    are_whole: Whole = are_whole
