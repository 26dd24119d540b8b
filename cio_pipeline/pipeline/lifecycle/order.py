"""What a verb is asked to do, and what it tells of having done it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Order:
    """Who does something to a sync, and as of when.

    `exports` are those named, none for what the verb takes by itself. `sure` confirms what cannot
    be undone.
    """

    sync_id: str
    at: datetime
    who: str
    exports: Collection[str] = ()
    sure: bool = False


@dataclass(frozen=True)
class Report:
    """What a verb did: what changed, what to know of it, and the objects that it removed.

    Unless it was `done`, it changed nothing and tells what it would do.
    """

    sync_id: str
    verb: str
    changed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    done: bool = True
