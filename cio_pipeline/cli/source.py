"""`cio-pipeline source`: the tables that exports are computed from."""

from dataclasses import asdict

from cio_pipeline.cli.context import services
from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.settings import settings
from cio_pipeline.sources.tables import create_tables, take_over
from cio_pipeline.wiring import look_at_source, source_place


def init(as_json: AsJson = False) -> None:
    """Create the source tables that do not exist yet, and add columns that came later to others."""
    uri, options = source_place(settings())
    added = take_over(uri, SOURCE_TABLES.values(), options)
    created = create_tables(uri, SOURCE_TABLES.values(), options)
    if as_json:
        print_json({"source": uri, "created": created, "added": added})
        return
    print_table("Created", ("table",), [(name,) for name in created], "all tables exist already")
    if added:
        print_table("Added", ("column",), [(name,) for name in added])


def status(as_json: AsJson = False) -> None:
    """Show versions, rows, last change, change feed and problems of each table.

    `needed from` is the version that the slowest sync goes on from: keep it and all later ones.
    """
    name, found = look_at_source(settings(), services())
    if as_json:
        print_json(
            [
                {**asdict(one.status), "needed_from": one.needed_from, "breaches": one.breaches}
                for one in found
            ]
        )
        return
    columns = (
        *("table", "kind", "version", "oldest", "needed from", "rows", "last change"),
        *("change feed", "problems", "broke its contract"),
    )
    rows = [
        (
            one.status.table,
            one.status.kind.value,
            one.status.version,
            one.status.oldest_version,
            one.needed_from,
            one.status.rows,
            one.status.last_change or ("never" if one.status.version is not None else None),
            None if one.status.change_feed or one.status.version is None else "off",
            "; ".join(one.status.problems),
            "; ".join(one.breaches),
        )
        for one in found
    ]
    print_table(f"Source {name}", columns, rows)
