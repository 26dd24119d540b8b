"""The effects that a use case works with, in one value."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from cio_pipeline.files.spool import Spool
from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.errors import SecretMissing
from cio_pipeline.model.findings import Finding
from cio_pipeline.model.recovery import Looked
from cio_pipeline.model.times import Clock
from cio_pipeline.model.windows import Window
from cio_pipeline.ports import Destinations, Source

Progress: TypeAlias = Callable[[str, int, int], None]
"""Is told what is being counted, how many are done, and of how many."""


Secret: TypeAlias = Callable[[str], str]
"""Reads what a reference leads to; raises SecretMissing."""

THREADS = 64
"""Destinations that are spoken to at a time: most of the time is waiting for their answers."""


def silent(_what: str, _done: int, _of: int) -> None:
    """Progress that nobody looks at."""


def unheard(_text: str) -> None:
    """A notice that nobody reads."""


def no_secrets(reference: str) -> str:
    """Where no secret can be read."""
    raise SecretMissing(f"The secret {reference} cannot be read here.")


@dataclass(frozen=True)
class Services:
    """Source, ledger, destinations, spool and clock; `owner` names the run in leases.

    `notice` is told what in the source breaks its contract, counted and without values.
    `slice_rows` is how many rows a slice holds (None: what fills a file, or fits in memory),
    `threads` how many destinations are spoken to at a time. `announced` remembers which run a
    sync's destination was last told of, `looked` what a restoring run saw of a sync, `checked` what
    steady checks found in the last window of a feed. Windows are served in so many `shards`.
    `secret` reads what a reference leads to. `lost` opens destinations that are taken for
    empty, and made anew, if they are gone, where `destinations` would not.
    """

    source: Source
    ledger: Ledger
    destinations: Destinations
    spool: Spool
    clock: Clock
    owner: str = "nobody"
    progress: Progress = silent
    notice: Callable[[str], None] = unheard
    slice_rows: int | None = None
    threads: int = THREADS
    shards: int = 1
    secret: Secret = no_secrets
    lost: Destinations | None = None
    announced: dict[str, str] = field(default_factory=dict[str, str], compare=False)
    checked: dict[tuple[str, str], tuple[Window, tuple[Finding, ...]]] = field(
        default_factory=dict[tuple[str, str], tuple[Window, tuple[Finding, ...]]], compare=False
    )
    looked: dict[str, tuple[object, Looked]] = field(
        default_factory=dict[str, tuple[object, Looked]], compare=False
    )

    def with_lost(self) -> "Services":
        """The same, to which a place that is gone is an empty one: all of it is missing."""
        return replace(self, destinations=self.lost or self.destinations)

    def owned_by(self, owner: str) -> "Services":
        """The same for another run."""
        return replace(self, owner=owner)
