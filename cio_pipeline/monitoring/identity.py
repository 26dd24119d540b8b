"""Identity: which share of rows tells who they are about, against what it was (O1)."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from math import sqrt
from statistics import median

from cio_pipeline.model.findings import Finding, Severity
from cio_pipeline.model.registry import Pair
from cio_pipeline.model.times import utc
from cio_pipeline.model.volumes import NOBODY, PERSON, Volumes

FEWEST_ROWS = 50
"""Of fewer rows a share tells nothing."""

FEWEST_DAYS = 3
"""So many earlier days have to be known."""

POINTS = 0.05
"""A share that is lower by less matters to nobody at once."""

_CHANCE = 4.0
"""Deviations from what is expected that chance does not explain."""

_AS_SIGMA = 1.4826


def lost_identity(
    day: datetime, volumes: Volumes, pairs: Iterable[tuple[Pair, str | None]]
) -> Iterator[Finding]:
    """Exports (with their sync's owner) of whose rows fewer tell who they are about than before.

    `day` is the end of the day that is judged, which need not be over; `volumes` hold it and
    earlier ones, with the rows of PERSON and NOBODY.
    """
    earlier = [end for end in volumes if end < day]
    for pair, owner in pairs:
        now = _share(volumes, day, pair)
        if now is None:
            continue
        before = [one[0] for end in earlier if (one := _share(volumes, end, pair))]
        if len(before) < FEWEST_DAYS:
            continue
        share, rows = now
        usual = median(before)
        mad = median(abs(one - usual) for one in before)
        by_chance = sqrt(max(usual * (1 - usual), 0.01) / rows)
        if usual - share > max(POINTS, _CHANCE * max(_AS_SIGMA * mad, by_chance)):
            says = (
                f"{share:.0%} of {rows:,} rows in the day to {utc(day)} tell who they are about; "
                f"{usual:.0%} did before."
            )
            yield _finding(pair, owner, day, says)


def _share(volumes: Volumes, end: datetime, pair: Pair) -> tuple[float, int] | None:
    """The share of rows that tell, and of how many; None of too few."""
    known, nobody = (volumes[end].get((*pair, kind)) for kind in (PERSON, NOBODY))
    told = known.rows if known else 0
    rows = told + (nobody.rows if nobody else 0)
    return (told / rows, rows) if rows >= FEWEST_ROWS else None


def _finding(pair: Pair, owner: str | None, day: datetime, says: str) -> Finding:
    sync_id, export = pair
    return Finding(
        "identity",
        Severity.WARNING,
        says,
        "What writes the source lost the ids or addresses of people, or people were removed.",
        "cio-pipeline source status",
        sync_id,
        owner,
        export,
        day,
    )
