"""`cio-pipeline source`: the tables that exports are computed from."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from cio_pipeline.cli.context import services, source_place
from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.errors import CioError
from cio_pipeline.model.times import utc
from cio_pipeline.pipeline.planning.cuts import oldest_needed
from cio_pipeline.pipeline.services import Services
from cio_pipeline.sources.status import TableStatus, table_statuses
from cio_pipeline.sources.tables import create_tables, take_over


def init(as_json: AsJson = False) -> None:  # noqa: FBT002 - typer's way to declare a flag
    """Create the source tables that do not exist yet, and add columns that came later to others."""
    uri, options = source_place()
    added = take_over(uri, SOURCE_TABLES.values(), options)
    created = create_tables(uri, SOURCE_TABLES.values(), options)
    if as_json:
        print_json({"source": uri, "created": created, "added": added})
        return
    print_table("Created", ("table",), [(name,) for name in created], "all tables exist already")
    if added:
        print_table("Added", ("column",), [(name,) for name in added])


def status(as_json: AsJson = False) -> None:  # noqa: FBT002 - typer's way to declare a flag
    """Show versions, rows, last change, change feed and problems of each table.

    `needed from` is the version that the slowest sync goes on from: keep it and all later ones.
    """
    uri, options = source_place()
    product = services()
    last = product.ledger.cuts.before(product.clock())
    since = {table: cut.table(table) for table, cut in oldest_needed(product.ledger).items()}
    needed = {table: cut.version for table, cut in since.items()}
    statuses = table_statuses(uri, SOURCE_TABLES.values(), options, since)
    found = [_with_rest(product, one, last) for one in statuses]
    breaches: defaultdict[str, list[str]] = defaultdict(list)
    for one in product.ledger.breaches.all():
        breaches[one.last.table].append(str(one))
    if as_json:
        print_json([_as_json(one, needed, breaches[one.table]) for one in found])
        return
    columns = (
        "table",
        "kind",
        "version",
        "oldest",
        "needed from",
        "rows",
        "last change",
        "change feed",
        "problems",
        "broke its contract",
    )
    rows = [
        (
            one.table,
            one.kind.value,
            one.version,
            one.oldest_version,
            needed.get(one.table),
            one.rows,
            one.last_change or ("never" if one.version is not None else None),
            None if one.change_feed or one.version is None else "off",
            "; ".join(one.problems),
            "; ".join(breaches[one.table]),
        )
        for one in found
    ]
    print_table(f"Source {uri}", columns, rows)


def _as_json(
    status: TableStatus, needed: Mapping[str, int], breaches: Sequence[str]
) -> dict[str, object]:
    return {**asdict(status), "needed_from": needed.get(status.table), "breaches": breaches}


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
