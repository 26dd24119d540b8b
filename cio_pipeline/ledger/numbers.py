"""File numbers: the next free one per (sync, export, series), which never goes back (D5)."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import TypeAlias

from sqlalchemy import Connection, select

from cio_pipeline.ledger.bulk import chunks, pair_in, upsert
from cio_pipeline.ledger.schema import sequences
from cio_pipeline.model.errors import LedgerError
from cio_pipeline.model.plans import SealedPlan, Series
from cio_pipeline.pipeline.ports import Pair

Counted: TypeAlias = tuple[str, str, Series]
"""What is counted on its own: sync id, export, series."""


def next_numbers(connection: Connection, pairs: Collection[Pair]) -> dict[Counted, int]:
    """The lowest number never used, of both series of each pair."""
    found = {(*pair, series): 1 for pair in pairs for series in Series}
    for chunk in chunks(sorted(set(pairs))):
        query = select(sequences).where(pair_in(sequences, chunk))
        for sync_id, export, series, number in connection.execute(query):
            found[sync_id, export, Series(series)] = number
    return found


def use_numbers(connection: Connection, sealed: Sequence[SealedPlan]) -> None:
    """Move the numbers past those of sealed files.

    Raises LedgerError unless the files take the next numbers without a gap, since each number is
    delivered or declared void.
    """
    used: dict[Counted, set[int]] = defaultdict(set)
    for one in sealed:
        for file in one.files:
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
