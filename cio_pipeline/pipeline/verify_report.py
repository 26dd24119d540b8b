"""What a verification finds: problems by kind, and how far a sync is proven whole (D10)."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
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
    DOUBLED = "sequence doubled"
    CONTRACT = "other content"
    FOREIGN = "foreign workspace"
    UNLISTED = "unlisted"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, the key that it was found at, and a sentence for people."""

    kind: Kind
    key: str
    message: str


@dataclass(frozen=True)
class Finding:
    """A problem, and the manifest that is not whole because of it (None: none is touched)."""

    problem: Problem
    ordinal: int | None


@dataclass(frozen=True)
class VerifyReport:
    """What was proven. `manifests` is the largest ordinal found, 0 if there is none.

    `complete_up_to` is the largest manifest that is whole with everything before it. `files`,
    `rows` and `bytes` count what is there and whole; `expired` counts files that readers were to
    delete. `warnings` are no proof of harm: files that a running window may be about to list.
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

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems
