"""Readers that should tell what they have loaded, and are behind with that."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cio_pipeline.model.findings import Finding, Severity
from cio_pipeline.model.manifests import ACKNOWLEDGED
from cio_pipeline.model.sync import Sync, days
from cio_pipeline.model.times import utc

NAME = "unacknowledged_backlog"


@dataclass(frozen=True)
class Backlog:
    """What a reader has told (None: nothing yet), and what was put after it: how many, since when.

    `wrong` is why it could not be read.
    """

    told: int | None
    waiting: int
    since: datetime | None
    wrong: str = ""


def unacknowledged(
    backlogs: Mapping[str, Backlog], syncs: Mapping[str, Sync], now: datetime
) -> Iterator[Finding]:
    """The syncs whose reader has not told in time that it has loaded what was put."""
    for sync_id, backlog in sorted(backlogs.items()):
        sync = syncs[sync_id]
        within = sync.acknowledge_within
        if backlog.wrong:
            yield _finding(sync, f"What its reader has loaded cannot be told: {backlog.wrong}")
        elif within and backlog.since and backlog.since < now - timedelta(days=days(within)):
            after = f"manifest {backlog.told}" if backlog.told else "the beginning"
            yield _finding(
                sync,
                f"{backlog.waiting} manifests after {after} are not acknowledged, the first since "
                f"{utc(backlog.since)}; {within} are allowed.",
            )


def _finding(sync: Sync, says: str) -> Finding:
    return Finding(
        check=NAME,
        severity=Severity.WARNING,
        says=says,
        cause=f"The reader has stopped, or does not write `{ACKNOWLEDGED}`.",
        command=f"cio-pipeline verify {sync.id}",
        sync_id=sync.id,
        owner=sync.owner,
    )
