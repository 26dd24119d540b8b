"""What a feed must say of its files; all else (plans, leases, delivery, manifests) is shared."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from cio_pipeline.files.encode import Encoded, SpooledFile
from cio_pipeline.model.plans import Plan, SealedFile
from cio_pipeline.pipeline.cohorts import Cohort
from cio_pipeline.pipeline.ports import TableSlice
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
        retried: Collection[tuple[int, str]] | None,
        asked: Collection[tuple[int, str]],
    ) -> Encoded:
        """Encode what a cohort, or a slice of it, sends into a folder of the spool.

        The same rows give the same bytes in any process. A retry sends the rows that are in
        quarantine, or `retried`. `asked` are the identities to be told of if they are delivered.
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


@dataclass(frozen=True)
class Maker:
    """How a feed's rows become files, and what these are called."""

    encode: Encode
    name: Name
