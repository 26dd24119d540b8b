"""The verbs in the life of a sync, declared once for the command line and for Dagster."""

from collections.abc import Callable
from dataclasses import dataclass

from cio_pipeline.pipeline.lifecycle.disable import disable, enable
from cio_pipeline.pipeline.lifecycle.order import Order, Report
from cio_pipeline.pipeline.lifecycle.purge import purge, recreate
from cio_pipeline.pipeline.lifecycle.switches import pause, resume
from cio_pipeline.pipeline.lifecycle.upgrade import upgrade
from cio_pipeline.pipeline.services import Services


@dataclass(frozen=True)
class Verb:
    """Something to be done to a sync. `exports` says what naming exports means, None for nothing.

    `removes` verbs only tell what they would remove unless the order is sure.
    """

    name: str
    summary: str
    do: Callable[[Services, Order], Report]
    exports: str | None = None
    removes: bool = False


PAUSE = Verb(
    "pause",
    "Turn exports off, all of them if none is named; resuming sends what changed meanwhile.",
    pause,
    exports="Only this export.",
)
RESUME = Verb(
    "resume",
    "Close the breaker of a sync that was stopped, or turn exports on again (default: all).",
    resume,
    exports="Only this export.",
)
DISABLE = Verb("disable", "Quit sending files altogether; what is unfinished is given up.", disable)
ENABLE = Verb(
    "enable", "Start a disabled sync anew: all history of every export is sent again.", enable
)
UPGRADE = Verb(
    "upgrade",
    "Send v5 from the next window on: shared exports go on, new ones start with their history.",
    upgrade,
    exports="Send this export again from the start.",
)
PURGE = Verb(
    "purge",
    "Remove all files of a disabled sync from its bucket: exactly those that the ledger knows.",
    purge,
    removes=True,
)
RECREATE = Verb(
    "recreate",
    "Purge a sync and start it anew with the exports of its sync file, all of their history.",
    recreate,
    removes=True,
)

VERBS = (PAUSE, RESUME, DISABLE, ENABLE, UPGRADE, PURGE, RECREATE)
