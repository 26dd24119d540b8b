"""Which workspaces the source has rows of, so that a mistyped number is noticed at once."""

from collections.abc import Collection

import polars as pl

from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.pipeline.services import Services


def unknown_workspaces(services: Services, workspaces: Collection[int]) -> set[int]:
    """Those of the workspaces that no source table has a row of by now.

    Reads the one column `workspace_id`, table by table until all are found. Raises the source's
    errors.
    """
    missing = set(workspaces)
    cut = services.source.cut(services.clock(), SOURCE_TABLES.values(), None)
    for name, at in cut.tables.items():
        if not missing:
            break
        owner = pl.col("workspace_id")
        rows = services.source.snapshot(SOURCE_TABLES[name], at).select(owner)
        found = rows.filter(owner.is_in(sorted(missing))).unique().collect(engine="streaming")
        missing -= set(found["workspace_id"])
    return missing
