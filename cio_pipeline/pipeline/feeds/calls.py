"""Files of calls: one for each type of each position (C1)."""

from collections.abc import Iterable, Sequence

import polars as pl

from cio_pipeline.contracts.exports.calls import CALLS as EXPORT
from cio_pipeline.contracts.tables.feeds import ARRIVAL
from cio_pipeline.files.call_names import CallFileName, parse_call_name, render_call_name
from cio_pipeline.files.encode import Encoded, SpooledFile
from cio_pipeline.files.encode_calls import COLUMNS, CallFormat, encode_calls
from cio_pipeline.ledger.registry import Registry
from cio_pipeline.model.changeset import VERSION
from cio_pipeline.model.plans import Plan, SealedFile, Series
from cio_pipeline.model.slices import Slice
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.feeds.erasing import erase_call_file, told_by_call_file
from cio_pipeline.pipeline.feeds.maker import Maker, Numbers
from cio_pipeline.pipeline.planning.cohorts import Cohort
from cio_pipeline.pipeline.planning.rows import forwarded_rows, in_force
from cio_pipeline.pipeline.services import Services
from cio_pipeline.verification.of_calls import call_name_of


def encode_of_calls(
    services: Services,
    cohort: Cohort[Plan],
    part: Slice | None,
    folder: str,
    *,
    retried: pl.DataFrame | None,
    asked: pl.DataFrame,
) -> Encoded:
    """See `maker.Encode`; the syncs of a cohort agree in format, since their fingerprint does."""
    model = cohort.model
    rows = forwarded_rows(services.source, services.ledger, cohort, part, retried)
    syncs = [services.ledger.registry.get(plan.sync_id).sync for plan in cohort.plans]
    how = CallFormat(
        syncs[0].format or "json", model.timestamp_unit, model.rows_per_file, model.producer
    )
    return encode_calls(
        in_order(rows),
        how,
        spool=services.spool,
        folder=folder,
        asked=frozenset(asked.iter_rows()),
        filled={sync.workspace_id for sync in syncs if sync.write_empty},
        terms=in_force(services, model) if model.contract else None,
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
    registry: Registry, plan: Plan, files: Sequence[SpooledFile]
) -> tuple[SealedFile, ...]:
    """Keys and positions: the files of one index share a position."""
    sync = registry.get(plan.sync_id).sync
    integration, action = map(int, plan.stem.split("."))
    first = plan.first[Series.PLAIN] + plan.sent.numbers.get(Series.PLAIN, 0)
    named: list[SealedFile] = []
    for file in files:
        if file.rows or sync.write_empty:
            position = first + file.index
            name = CallFileName(integration, action, position, file.kind, sync.format or "json")
            named.append(file.sealed(render_call_name(name), position))
    return tuple(named)


def numbers_of_calls(sync: Sync, keys: Iterable[str]) -> Numbers:
    """See `maker.Maker`."""
    named = filter(None, map(call_name_of, keys))
    ours = {one.position for one in named if (one.integration_id, one.action_id) == sync.file_ids}
    return {(EXPORT.name, Series.PLAIN): ours}


def kinds_of(files: Iterable[SealedFile]) -> tuple[tuple[str, int, int], ...]:
    """See `maker.Maker`."""
    return tuple((parse_call_name(file.key).type, file.rows, file.bytes) for file in files)


CALLS = Maker(
    encode_of_calls,
    name_calls,
    numbers_of_calls,
    lambda _: (),
    erase_call_file,
    told_by_call_file,
    (EXPORT.name,),
    kinds=kinds_of,
)
