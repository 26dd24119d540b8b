"""`cio-pipeline source …` for tables in PostgreSQL: what is installed there, and what it holds."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer

from cio_pipeline.cli.context import services
from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.cuts import TableCut
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.pipeline.planning.cuts import oldest_needed
from cio_pipeline.pipeline.services import Services
from cio_pipeline.settings import settings
from cio_pipeline.sources.postgres.install import Step, installing, removing
from cio_pipeline.sources.postgres.source import PostgresSource
from cio_pipeline.sources.postgres.upkeep import carry_out, found, prune_earlier, rights
from cio_pipeline.wiring import now, open_postgres

Apply = Annotated[
    bool, typer.Option("--apply", help="Do it, as the user of CIO_SOURCE; else it is printed.")
]
Tables = Annotated[
    list[str] | None, typer.Argument(help="Names of source tables; default: all that exist.")
]
_KEPT = timedelta(days=1)


def install(tables: Tables = None, apply: Apply = False) -> None:
    """Print what makes tables of a PostgreSQL database a source, or do it; what is there is left.

    A column `change_xid`, its index, triggers, and a table of earlier rows in the schema `cio`.
    Nothing is locked for long; run it again where it stopped.
    """
    source = _source()
    where, there = found(source.server, source.names, _chosen(source, tables))
    _told_or_done(source, list(installing(where, there)), apply=apply)


def uninstall(tables: Tables = None, apply: Apply = False) -> None:
    """Print what removes all that `source install` made, or do it: positions end with it."""
    source = _source()
    chosen = _chosen(source, tables)
    where, there = found(source.server, source.names, chosen)
    last = len(chosen) == len(source.tables)
    _told_or_done(source, list(removing(where, there, last=last)), apply=apply)


def role(name: Annotated[str, typer.Argument(help="Name of the role.")]) -> None:
    """Print the statements that make a role which may read the source, and nothing else."""
    source = _source()
    _, there = found(source.server, source.names, list(source.tables.values()))
    for statement in rights(source.server.database, name, there):
        typer.echo(f"{statement.as_string()};")
    typer.echo(f"-- Give it a password: \\password {name}")


def prune(as_json: AsJson = False) -> None:
    """Delete earlier rows that no sync needs any more, as the user of CIO_SOURCE.

    Positions older than a day, and than the oldest one that a sync goes on from, cannot be read
    afterwards.
    """
    source = _source()
    _, there = found(source.server, source.names, list(source.tables.values()))
    deleted = prune_earlier(source.server, there, _oldest(services()))
    if as_json:
        print_json(deleted)
        return
    print_table("Pruned", ("table", "earlier rows"), sorted(deleted.items()))


def _oldest(product: Services) -> dict[str, TableCut]:
    """What must stay readable: a window of yesterday may yet be run."""
    yesterday = product.ledger.cuts.before(product.clock() - _KEPT)
    if yesterday is None:
        return {}
    needed = {table: cut.tables[table] for table, cut in oldest_needed(product.ledger).items()}
    return {
        table: min(cut, needed.get(table, cut), key=lambda one: one.version)
        for table, cut in yesterday.tables.items()
    }


def _source() -> PostgresSource:
    return open_postgres(settings())


def _chosen(source: PostgresSource, tables: Sequence[str] | None) -> list[SourceTable]:
    unknown = sorted(set(tables or ()) - source.tables.keys())
    if unknown:
        raise InvalidConfig(
            f"There is no source table {unknown[0]}.", f"The tables are {', '.join(SOURCE_TABLES)}."
        )
    return [table for name, table in source.tables.items() if not tables or name in tables]


def _told_or_done(source: PostgresSource, steps: Sequence[Step], *, apply: bool) -> None:
    if not steps:
        typer.echo("-- Nothing is to be done.")
    elif apply:
        carry_out(source.server, steps, lambda step: typer.echo(f"✓ {step.why}"))
    else:
        typer.echo(f"-- {now():%Y-%m-%d %H:%M} UTC; psql runs this, or --apply.")
        for step in steps:
            typer.echo(f"\n{step}")
