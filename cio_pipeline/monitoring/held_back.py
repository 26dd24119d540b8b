"""Rows that are held back: whether they grow, which share of what is sent they are, and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cio_pipeline.model.findings import Finding, Severity
from cio_pipeline.model.registry import Pair
from cio_pipeline.model.times import utc

NAMED = 3
"""Reasons that a finding tells."""

MUCH = 0.01
"""The share of a day's rows that is much."""


@dataclass(frozen=True)
class Held:
    """Rows of a (sync, export) that are in quarantine, by reason, of one window's end or later."""

    pair: Pair
    reasons: Mapping[str, int]
    last: datetime

    @property
    def rows(self) -> int:
        """All of them."""
        return sum(self.reasons.values())


def _cause(reason: str) -> str:
    """What the most frequent reason comes from."""
    if reason.startswith("the key "):
        return "The sync's key_template gives these messages no key that every store takes."
    return "What writes the source breaks the contract of these columns."


def held_back(
    window_end: datetime,
    lately: Sequence[Held],
    sent: Mapping[Pair, int],
    owners: Mapping[str, str | None],
) -> Iterator[Finding]:
    """Pairs of which rows were held back since a day, most first within a sync.

    `sent` are the rows that were sent in that time. Reasons name columns, never values.
    """
    for one in sorted(lately, key=lambda held: (held.pair[0], -held.rows)):
        sync_id, export = one.pair
        if sync_id not in owners:
            continue
        whole = one.rows + sent.get(one.pair, 0)
        share = one.rows / whole
        most = sorted(one.reasons.items(), key=lambda item: (-item[1], item[0]))
        why = "; ".join(f"{reason} ({rows:,})" for reason, rows in most[:NAMED])
        more = f"; and {len(most) - NAMED} other reasons" if len(most) > NAMED else ""
        were = "row was" if one.rows == 1 else "rows were"
        much = "much more than a stray row" if share >= MUCH else "few"
        yield Finding(
            "quarantine",
            Severity.WARNING,
            f"{one.rows:,} {were} held back in the last day, {share:.1%} of all ({much}), last at "
            f"{utc(one.last)}: {why}{more}.",
            _cause(most[0][0]),
            f"cio-pipeline quarantine list --sync {sync_id}",
            sync_id,
            owners[sync_id],
            export,
            window_end,
        )
