"""The source tables as they are now, and what the ledger knows of each."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.cuts import Cut, TableCut
from cio_pipeline.model.errors import CioError
from cio_pipeline.model.times import utc
from cio_pipeline.pipeline.planning.cuts import oldest_needed
from cio_pipeline.pipeline.services import Services
from cio_pipeline.sources.status import TableStatus, table_statuses


@dataclass(frozen=True)
class Observed:
    """A table, the version that the slowest sync goes on from, and how it broke its contract."""

    status: TableStatus
    needed_from: int | None
    breaches: tuple[str, ...]


def observed(
    services: Services, uri: str, storage_options: Mapping[str, str], *, sampled: bool = True
) -> Sequence[Observed]:
    """All source tables; if `sampled`, rows are read, too, and looked through for repeats.

    What cannot be read is a problem of its table alone. Raises SourceGone.
    """
    last = services.ledger.cuts.before(services.clock())
    since = _needed(services.ledger)
    tables = SOURCE_TABLES.values()
    found = table_statuses(uri, tables, storage_options, since, sampled=sampled)
    return known_of(services, [_with_rest(services, one, last) for one in found], since)


def _needed(ledger: Ledger) -> dict[str, TableCut]:
    return {table: cut.tables[table] for table, cut in oldest_needed(ledger).items()}


def known_of(
    services: Services, found: Sequence[TableStatus], needed: Mapping[str, TableCut] | None = None
) -> Sequence[Observed]:
    """Tables as they were found, and what the ledger knows of each; `needed`, if it was asked."""
    since = _needed(services.ledger) if needed is None else needed
    breaches: defaultdict[str, list[str]] = defaultdict(list)
    for one in services.ledger.breaches.all():
        breaches[one.last.table].append(str(one))
    return [
        Observed(
            one,
            since[one.table].version if one.table in since else None,
            tuple(breaches[one.table]),
        )
        for one in found
    ]


def _with_rest(found: Services, status: TableStatus, last: Cut | None) -> TableStatus:
    """The status, with commits named as a problem that wait for a time ahead, or name one."""
    if status.version is None:
        return status
    at = found.clock()
    try:
        rest = found.source.look(SOURCE_TABLES[status.table], at, last, at).rest
    except CioError as error:
        return replace(status, problems=tuple(dict.fromkeys((*status.problems, error.message))))
    if rest is not None and rest.waiting is not None:
        return replace(status, problems=(*status.problems, str(rest.waiting)))
    if status.last_change is None or status.last_change <= at:
        return status
    told = (
        f"its writer's clock is ahead of ours: the last commit is dated "
        f"{utc(status.last_change)} and counts as committed when it was first seen"
    )
    return replace(status, problems=(*status.problems, told))
