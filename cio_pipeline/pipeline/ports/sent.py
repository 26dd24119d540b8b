"""What was sent and listed, and what was held back."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import polars as pl

from cio_pipeline.model.manifests import Manifest, ManifestFile, VoidSequence


@dataclass(frozen=True)
class KnownObject:
    """An object that was put for a sync: what lies under its key with its size is ours.

    But for those that are not `committed`: a run died, or gave up, around their put.
    """

    key: str
    size: int
    sha256: str
    committed: bool = True


class Manifests(Protocol):
    """The chain of manifests per sync."""

    def pending(
        self, sync_ids: Collection[str]
    ) -> Mapping[str, tuple[Sequence[ManifestFile], Sequence[VoidSequence]]]:
        """Committed files and void numbers that no manifest lists yet, per sync that has any."""
        ...

    def to_list(self, sync_ids: Collection[str]) -> Collection[str]:
        """The syncs among some that have something that no manifest lists yet."""
        ...

    def last(self, sync_id: str) -> tuple[int, str] | None:
        """Ordinal and digest of the last stored manifest."""
        ...

    def lasts(self, sync_ids: Collection[str]) -> Mapping[str, tuple[int, str]]:
        """The same of each sync that has any."""
        ...

    def store(self, made: Collection[tuple[Manifest, bytes]]) -> None:
        """Store manifests before they are put, and mark what they list; all of them or none.

        Raises LeaseLost if an ordinal is taken.
        """
        ...

    def to_put(self, sync_ids: Collection[str]) -> Collection[str]:
        """The syncs among some that have a manifest that has not been put yet."""
        ...

    def unput(self, sync_ids: Collection[str]) -> Sequence[tuple[str, int, bytes]]:
        """(sync id, ordinal, body) of stored manifests that have not been put yet, in order."""
        ...

    def mark_put(self, put: Collection[tuple[str, int]], now: datetime) -> None:
        """The manifests, by (sync id, ordinal), lie in the bucket."""
        ...

    def bodies(self, sync_id: str) -> Sequence[tuple[int, bytes]]:
        """All stored manifests of a sync, in order."""
        ...

    def objects(self, sync_id: str) -> Sequence[KnownObject]:
        """Everything that may have been put for a sync, wherever its files went then."""
        ...

    def files(self, sync_id: str, generation: int | None = None) -> Sequence[ManifestFile]:
        """All committed files of a sync, in order of commit."""
        ...


@dataclass(frozen=True)
class QuarantineEntry:
    """A quarantined row as the ledger keeps it; `window_end` names the cut that it was read at.

    `state` is open, sent (by a retry) or superseded (a later changeset sent the row mended).
    """

    entry_id: int
    sync_id: str
    export: str
    workspace_id: int
    identity: str
    reason: str
    count: int
    window_end: datetime
    state: str


class Quarantine(Protocol):
    """Rows that were held back."""

    def entries(
        self, sync_ids: Collection[str] | None = None, state: str | None = "open"
    ) -> Sequence[QuarantineEntry]:
        """Entries by sync, export and identity."""
        ...


class Gone(Protocol):
    """Who was gone at the cuts that first files were made from (D4)."""

    def keep(
        self,
        at: datetime,
        people: Mapping[int, Collection[str]],
        export: str = "",
        part: str = "",
    ) -> None:
        """Remember who was gone at a cut, by workspace; what is remembered already stays.

        With an `export`, people whom the table people does not know, found in `part` of its rows:
        they count for that export alone.
        """
        ...

    def kept(self, wanted: Iterable[tuple[int, datetime]]) -> Collection[int]:
        """Those of the workspaces of which the gone ones among the people are remembered.

        `wanted` has each workspace once, with its cut.
        """
        ...

    def of(
        self, wanted: Iterable[tuple[int, datetime]], export: str
    ) -> Iterator[tuple[int, pl.Series]]:
        """Who was gone for an export, by workspace, each at its cut.

        They may be millions: each Series is to be done with before the next. `wanted` has each
        workspace once; it comes as often as people of it were kept, also never.
        """
        ...
