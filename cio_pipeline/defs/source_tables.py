"""The source tables as external assets, so that the graph starts where the data does."""

import dagster as dg

from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.defs.shown_tables import source_columns

GROUP = "source"


def source_key(table: str) -> dg.AssetKey:
    """The asset key of a source table."""
    return dg.AssetKey(["source", table])


def source_spec(table: SourceTable) -> dg.AssetSpec:
    """A source table: written by somebody else, read here."""
    return dg.AssetSpec(
        source_key(table.name),
        description=f"{table.description} ({table.kind}; see docs/source-tables.md)",
        group_name=GROUP,
        kinds={"deltalake"},
        metadata={"dagster/column_schema": source_columns(table), "kind": table.kind.value},
    )


SOURCE_SPECS = [source_spec(table) for table in SOURCE_TABLES.values()]
