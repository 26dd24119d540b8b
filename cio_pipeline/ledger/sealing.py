"""Sealing: what must hold of the files of plans before the first of them is put (D5)."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from itertools import groupby
from typing import TypeAlias

from sqlalchemy import Connection, delete, select, update

from cio_pipeline.contracts.feeds import facts_of
from cio_pipeline.ledger.plan_rows import is_committed
from cio_pipeline.ledger.schema import files, sequences, voids
from cio_pipeline.ledger.statements import (
    as_given,
    chunks,
    ids_given,
    insert_missing,
    of_pairs,
    rows_given,
    upsert,
)
from cio_pipeline.model.errors import DigestMismatch, LedgerError
from cio_pipeline.model.plans import Plan, SealedFile, SealedPlan, Series
from cio_pipeline.model.registry import Pair

Counted: TypeAlias = tuple[str, str, Series]
"""What is counted on its own: sync id, export, series."""


_NEXT = select(sequences).where(of_pairs(sequences))


def require_same(connection: Connection, sealed: Collection[SealedPlan]) -> None:
    """Raise DigestMismatch unless sealed plans bring the files that they were sealed with."""
    stored: dict[int, dict[tuple[str, int], str]] = {one.plan.plan_id: {} for one in sealed}
    if stored:
        rows = connection.execute(_DIGESTS, {"ids": ids_given(stored)})
        for plan_id, key, sequence, sha256 in rows:
            stored[plan_id][key, sequence] = sha256
    for one in sealed:
        before = stored[one.plan.plan_id]
        now = {(file.key, file.sequence): file.sha256 for file in one.files}
        different = sorted(k for k in before.keys() | now.keys() if before.get(k) != now.get(k))
        if different:
            raise DigestMismatch(
                f"'{one.plan.export}' of sync '{one.plan.sync_id}' was sealed with other bytes "
                f"of {different[0][0]}.",
                "Run with the versions of Polars and cio-pipeline that sealed it, or abandon the "
                "plan.",
            )


_DIGESTS = select(files.c.plan_id, files.c.key, files.c.sequence, files.c.sha256).where(
    rows_given((files.c.plan_id,), "ids"), ~is_committed()
)


def require_own_keys(connection: Connection, sealed: Collection[SealedPlan]) -> None:
    """Raise LedgerError if a file has the key of another one of its sync."""
    keys = [
        (one.plan.sync_id, file.key)
        for one in sealed
        if not facts_of(one.plan.export).overwrites
        for file in one.files
    ]
    taken = {key for key, times in Counter(keys).items() if times > 1}
    known = connection.execute(_KNOWN_KEYS, {"keys": as_given(keys)})
    taken.update((sync_id, key) for sync_id, key in known)
    if taken:
        sync_id, key = min(taken)
        raise LedgerError(
            f"The key {key} of sync '{sync_id}' is planned twice.",
            "Give each export of the sync a stem of its own.",
        )


_KNOWN_KEYS = select(files.c.sync_id, files.c.key).where(
    rows_given((files.c.sync_id, files.c.key), "keys")
)


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


def free_numbers(connection: Connection, plan: Plan) -> None:
    """Forget the files of the slice under way; their numbers, the last ones, are the next again.

    A number that earlier slices began stays used.
    """
    its = files.c.plan_id == plan.plan_id
    delivered = select(files.c.series, files.c.sequence).where(its, is_committed())
    begun = set(connection.execute(delivered).all())
    used = select(files.c.series, files.c.sequence).where(its, ~is_committed()).distinct()
    free: dict[str, int] = {}
    for series, number in set(connection.execute(used).all()) - begun:
        free[series] = min(number, free.get(series, number))
    for series, number in free.items():
        connection.execute(
            update(sequences)
            .where(
                sequences.c.sync_id == plan.sync_id,
                sequences.c.export == plan.export,
                sequences.c.series == series,
            )
            .values(next=number)
        )
    connection.execute(delete(files).where(its, ~is_committed()))


def declare_void(connection: Connection, plan: Plan, *, void: bool) -> None:
    """Declare the numbers of the slice under way void; those of committed slices are delivered.

    A number that has parts in both was delivered: its last parts never existed for readers.
    """
    numbers = select(files.c.series, files.c.sequence).where(files.c.plan_id == plan.plan_id)
    delivered = connection.execute(numbers.where(is_committed())).all()
    sealed = connection.execute(numbers.where(~is_committed()).distinct()).all()
    used = [number for number in sealed if number not in delivered]
    if used and not void:
        raise LedgerError(
            f"The plan of '{plan.export}' of sync '{plan.sync_id}' is sealed: its numbers are "
            "used.",
            "Abandon it with its numbers declared void.",
        )
    its = {"sync_id": plan.sync_id, "export": plan.export}
    rows = [{**its, "series": series, "sequence": sequence} for series, sequence in used]
    insert_missing(connection, voids, rows)
