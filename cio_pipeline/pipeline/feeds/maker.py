"""What a feed says of its files; all else (plans, leases, delivery, manifests) is shared.

Plain facts of a feed are in `model/feeds.py`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import polars as pl

from cio_pipeline.files.encode import Encoded, SpooledFile
from cio_pipeline.files.spool import Spool
from cio_pipeline.ledger.registry import Registry
from cio_pipeline.model.erasure import Traces
from cio_pipeline.model.plans import Plan, SealedFile, SealedPlan, Series
from cio_pipeline.model.slices import Slice
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.feeds.erasing import told_by_nothing
from cio_pipeline.pipeline.feeds.put_files import InFlight, are_whole, files_again, put_files
from cio_pipeline.pipeline.heartbeat import HeldLease
from cio_pipeline.pipeline.planning.cohorts import Cohort
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Destination


class Encode(Protocol):
    """Rows become files."""

    def __call__(
        self,
        services: Services,
        cohort: Cohort[Plan],
        part: Slice | None,
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
        self, registry: Registry, plan: Plan, files: Sequence[SpooledFile]
    ) -> tuple[SealedFile, ...]:
        """The files of one plan's slice, numbered on from its earlier slices."""
        ...


class PutFiles(Protocol):
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


PutAgain: TypeAlias = Callable[[Destination], None]
"""Puts an object where it is missing, or whose place was made free."""


class Again(Protocol):
    """Files that were encoded again are told from others."""

    def __call__(
        self, spool: Spool, encoded: Sequence[SpooledFile], wanted: Collection[SealedFile]
    ) -> Iterator[tuple[SealedFile, PutAgain]]:
        """Those of the `wanted` that are among a workspace's `encoded` ones, ready to be put.

        Each is to be put before the next is asked for.
        """
        ...


class Erase(Protocol):
    """A person is taken out of a delivered file."""

    def __call__(self, copy: Path, to: Path, plan: Plan, key: str, traces: Traces) -> int | None:
        """Write `copy`, which lies under `key`, to `to` without what is personal; its rows.

        None if nothing in it is about the person. Raises what Polars and the disk raise.
        """
        ...


class Told(Protocol):
    """A delivered file tells what others name a person by."""

    def __call__(self, copy: Path, plan: Plan, key: str, traces: Traces) -> Traces:
        """What was known of the person, with what their rows in this file tell."""
        ...


Numbers: TypeAlias = Mapping[tuple[str, Series], set[int]]
"""Numbers of files, by export and series."""


@dataclass(frozen=True)
class Maker:
    """A feed: how its rows become files, how these are put, and how they are told `again`.

    `numbers` are those of all keys that are named like files of a sync. `check_sync` raises
    InvalidConfig or UnknownExport for what a sync of this feed cannot have, and returns warnings.
    `erase` takes somebody out of a file; the exports `telling` are those whose files tell more of
    them (`told`). `kinds` tells of each file its type, rows and bytes, in feeds that have types.
    """

    encode: Encode
    name: Name
    numbers: Callable[[Sync, Iterable[str]], Numbers]
    check_sync: Callable[[Sync], tuple[str, ...]]
    erase: Erase
    told: Told = told_by_nothing
    telling: Collection[str] = ()
    put: PutFiles = put_files
    are_whole: Whole = are_whole
    again: Again = files_again
    kinds: Callable[[Iterable[SealedFile]], tuple[tuple[str, int, int], ...]] = lambda _: ()
