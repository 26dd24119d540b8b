"""Names of events that are one name to people and two to readers: `Checkout Started` (O2)."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime

from cio_pipeline.model.event_names import slug
from cio_pipeline.model.findings import Finding, Severity
from cio_pipeline.model.volumes import EVENT, Key, Volume

NAMED = 3
"""Clashes that one finding tells."""

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def plain(name: str) -> str:
    """What a name is to people: its words; those of `checkoutStarted`, too."""
    return slug(_HUMP.sub(" ", name))


def clashing_names(
    day: datetime, volumes: Mapping[Key, Volume], owners: Mapping[str, str | None]
) -> Iterator[Finding]:
    """Syncs (by id, with owners) in whose events of a day names clash; a finding each."""
    found: defaultdict[tuple[str, str], defaultdict[str, set[str]]] = defaultdict(
        lambda: defaultdict(set)
    )
    for sync_id, export, kind in volumes:
        if kind.startswith(EVENT) and sync_id in owners:
            name = kind.removeprefix(EVENT)
            found[sync_id, export][plain(name)].add(name)
    for (sync_id, export), names in sorted(found.items()):
        clashes = [sorted(spelled) for _, spelled in sorted(names.items()) if len(spelled) > 1]
        if clashes:
            yield _finding(day, sync_id, owners[sync_id], export, clashes)


def _finding(
    day: datetime, sync_id: str, owner: str | None, export: str, clashes: list[list[str]]
) -> Finding:
    told = "; ".join(" = ".join(f"'{name}'" for name in one) for one in clashes[:NAMED])
    more = f" and {len(clashes) - NAMED} more" if len(clashes) > NAMED else ""
    return Finding(
        "event_names",
        Severity.WARNING,
        f"The same event under several names: {told}{more}.",
        "An app and a website, or two releases of one, spell it in their own ways.",
        f"cio-pipeline contract infer {sync_id}",
        sync_id,
        owner,
        export,
        day,
    )
