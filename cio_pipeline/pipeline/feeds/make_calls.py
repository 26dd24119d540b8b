"""Files of calls: one for each type of each position (C1)."""

from collections.abc import Sequence

import polars as pl

from cio_pipeline.contracts.tables.feeds import ARRIVAL
from cio_pipeline.files.call_names import CallFileName, render
from cio_pipeline.files.encode import Encoded, SpooledFile
from cio_pipeline.files.encode_calls import COLUMNS, CallFormat, encode_calls
from cio_pipeline.model.changes import VERSION
from cio_pipeline.model.cuts import TableSlice
from cio_pipeline.model.plans import Plan, SealedFile, Series
from cio_pipeline.pipeline.feeds.make_exports import sealed_file
from cio_pipeline.pipeline.feeds.maker import Maker
from cio_pipeline.pipeline.planning.cohorts import Cohort, forwarded_rows
from cio_pipeline.pipeline.services import Services


def encode_of_calls(
    services: Services,
    cohort: Cohort[Plan],
    part: TableSlice | None,
    folder: str,
    *,
    retried: pl.DataFrame | None,
    asked: pl.DataFrame,
) -> Encoded:
    """See `maker.Encode`; the syncs of a cohort agree in format, since their fingerprint does."""
    model = cohort.model
    rows = forwarded_rows(services.source, services.ledger, cohort, part, retried)
    syncs = [services.ledger.registry.get(plan.sync_id).sync for plan in cohort.plans]
    how = CallFormat(syncs[0].format or "json", model.timestamp_unit, model.rows_per_file)
    return encode_calls(
        in_order(rows),
        how,
        spool=services.spool,
        folder=folder,
        asked=frozenset(asked.iter_rows()),
        filled={sync.workspace_id for sync in syncs if sync.write_empty},
    )


def in_order(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows workspace by workspace, as they were committed and arrived (C3).

    Rows that are not read as changes do not tell their commit (VERSION is 0): the time of receipt
    comes before the place in a commit then. Without either it tells what came first.
    """
    received = pl.when(pl.col(VERSION) == 0).then("received_at")
    order = ("workspace_id", VERSION, received, ARRIVAL, "received_at", "call_id", "payload")
    return rows.sort(*order, nulls_last=True).select(COLUMNS)


def name_calls(
    services: Services, plan: Plan, files: Sequence[SpooledFile]
) -> tuple[SealedFile, ...]:
    """Keys and positions: the files of one index share a position."""
    sync = services.ledger.registry.get(plan.sync_id).sync
    integration, action = map(int, plan.stem.split("."))
    first = plan.first[Series.PLAIN] + plan.sent.numbers.get(Series.PLAIN, 0)
    named: list[SealedFile] = []
    for file in files:
        if file.rows or sync.write_empty:
            position = first + file.index
            name = CallFileName(integration, action, position, file.kind, sync.format or "json")
            named.append(sealed_file(file, render(name), position))
    return tuple(named)


CALL_FILES = Maker(encode_of_calls, name_calls)
