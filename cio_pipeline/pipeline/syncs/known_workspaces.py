"""Which workspaces the source has rows of, so that a mistyped number is noticed at once."""

from collections.abc import Collection
from datetime import datetime

import polars as pl

from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.errors import CioError, SourceError, SourceUnavailable
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Source


def unknown_workspaces(services: Services, workspaces: Collection[int]) -> set[int]:
    """Those of the workspaces that no source table has a row of by now.

    Reads the one column `workspace_id`, table by table until all are found. Raises the error of a
    table that cannot be read, if that one might have them.
    """
    missing, now = set(workspaces), services.clock()
    failures: list[CioError] = []
    for table in SOURCE_TABLES.values():
        if not missing:
            break
        try:
            missing -= _found_in(services.source, table, missing, now)
        except (SourceError, SourceUnavailable) as error:
            failures.append(error)
            if isinstance(error, SourceUnavailable):
                break
    if missing and failures:
        raise failures[0]
    return missing


def _found_in(
    source: Source, table: SourceTable, wanted: Collection[int], now: datetime
) -> set[int]:
    at = source.look(table, now, None, now).reached
    if at is None:
        return set()
    owner = pl.col("workspace_id")
    rows = source.snapshot(table, at).select(owner)
    found = rows.filter(owner.is_in(sorted(wanted))).unique().collect(engine="streaming")
    return set(found["workspace_id"])
