"""What a verification finds: problems by kind, and how far a sync is proven whole (D10)."""

from dataclasses import dataclass
from enum import StrEnum

from cio_pipeline.model.errors import CioError, ObjectMissing

RESTORE = "Put it back with `cio-pipeline export --restore`."
RESTORE_MANIFESTS = (
    "Put the manifests back with `cio-pipeline export --restore`, then verify again."
)
RESTORE_ALL = (
    "Put manifests and files back with `cio-pipeline export --restore`; if it stays so, do not "
    "load it, and report a bug."
)


class ProblemKind(StrEnum):
    """What can be wrong with a sync's objects."""

    NO_MANIFEST = "no manifest"
    MANIFEST_MISSING = "manifest missing"
    MANIFEST_BROKEN = "manifest broken"
    CHAIN_BROKEN = "chain broken"
    MISSING = "file missing"
    ALTERED = "file altered"
    UNREADABLE = "unreadable"
    MISNAMED = "misnamed"
    LISTED_TWICE = "listed twice"
    GAP = "sequence gap"
    REUSED = "sequence doubled"
    DOUBLED = "file doubled"
    CONTRACT = "other content"
    FOREIGN = "foreign workspace"
    UNLISTED = "unlisted"
    STRANGE = "foreign file"
    ARCHIVED = "archived"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and the key that it was found at.

    `message` tells people what is wrong and what to do next.
    """

    kind: ProblemKind
    key: str
    message: str


@dataclass(frozen=True)
class Finding:
    """A problem, and the manifest that is not whole because of it (None: none is touched)."""

    problem: Problem
    ordinal: int | None


@dataclass(frozen=True)
class VerifyReport:
    """What was proven. `manifests` is the largest ordinal found or known, 0 if there is none.

    `complete_up_to` is the largest manifest that is whole with everything before it. `files`,
    `rows` and `bytes` count what is there and whole; `expired` counts files that readers were to
    delete. `warnings` are no proof of harm: files that a running window may be about to list, or
    whose names and sizes are right, but whose bytes cannot be read where they are archived.
    `from_ledger` says that the manifests were not read from the bucket. `first` is the ordinal
    that the chain begins with here: what came before was purged or lies elsewhere. Of the files up
    to manifest `proven_before` only names and sizes were looked at: they were read earlier.
    """

    sync_id: str | None
    workspace_id: int | None
    manifests: int
    complete_up_to: int
    files: int
    rows: int
    bytes: int
    expired: int
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    from_ledger: bool = False
    first: int = 1
    proven_before: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def empty(self) -> bool:
        """Whether there is nothing to prove anything by, and nothing that is wrong."""
        return self.ok and not self.manifests


def said(error: CioError) -> str:
    """What a store's error says of an object, and what to do next."""
    if isinstance(error, ObjectMissing):
        return "It vanished while it was read. Verify again."
    return f"{error.message} {error.next_step or 'Mend that, then verify again.'}"
