"""File numbers: the next free one per (sync, export, series), which never goes back (D5)."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import groupby
from typing import TypeAlias

from sqlalchemy import Connection, select

from cio_pipeline.ledger.bulk import chunks, upsert
from cio_pipeline.ledger.given import as_given, of_pairs
from cio_pipeline.ledger.schema import sequences
from cio_pipeline.model.errors import LedgerError
from cio_pipeline.model.plans import Plan, SealedFile, SealedPlan, Series
from cio_pipeline.model.registry import Pair

Counted: TypeAlias = tuple[str, str, Series]
"""What is counted on its own: sync id, export, series."""


_NEXT = select(sequences).where(of_pairs(sequences))


def next_numbers(connection: Connection, pairs: Collection[Pair]) -> dict[Counted, int]:
    """The lowest number never used, of both series of each pair."""
    found = {(*pair, series): 1 for pair in pairs for series in Series}
    for sync_id, export, series, number in connection.execute(_NEXT, {"pairs": as_given(pairs)}):
        found[sync_id, export, Series(series)] = number
    return found


def use_numbers(connection: Connection, sealed: Sequence[SealedPlan]) -> None:
    """Move the numbers past those of sealed files.

    Raises LedgerError unless the files take the next numbers without a gap, since each number is
    delivered or declared void. Parts go on within the number of the slices before.
    """
    used: dict[Counted, set[int]] = defaultdict(set)
    for one in sealed:
        _require_next_parts(one)
        for file in one.files:
            if not _goes_on(one.plan, file):
                used[one.plan.sync_id, one.plan.export, file.series].add(file.sequence)
    numbers = next_numbers(connection, {(sync_id, export) for sync_id, export, _ in used})
    for (sync_id, export, series), taken in sorted(used.items()):
        first = numbers[sync_id, export, series]
        if taken != set(range(first, first + len(taken))):
            raise LedgerError(
                f"The files of '{export}' of sync '{sync_id}' ({series.value}) take numbers "
                f"{min(taken)} to {max(taken)}, the next free one is {first}.",
                "Report a bug: numbers are counted without gaps.",
            )
    rows = [
        {"sync_id": s, "export": e, "series": series.value, "next": max(taken) + 1}
        for (s, e, series), taken in used.items()
    ]
    for chunk in chunks(rows):
        upsert(connection, sequences, chunk, only_if_grows="next")


def _goes_on(plan: Plan, file: SealedFile) -> bool:
    """Whether a file is a further part of the number that earlier slices began."""
    begun = plan.sent.files.get(file.series, 0) > 0
    return begun and file.part is not None and file.sequence == plan.first[file.series]


def _require_next_parts(sealed: SealedPlan) -> None:
    plan = sealed.plan
    parts = sorted((file.series, file.part) for file in sealed.files if file.part is not None)
    for series, group in groupby(parts, key=lambda part: part[0]):
        found = [part for _, part in group]
        first = plan.sent.files.get(series, 0) + 1
        if found != list(range(first, first + len(found))):
            raise LedgerError(
                f"The files of '{plan.export}' of sync '{plan.sync_id}' have parts {found[0]} to "
                f"{found[-1]}, the next one is {first}.",
                "Report a bug: parts are counted without gaps.",
            )
