"""The calls feed as six assets, one a type, which share the position of each sync (C1)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from cio_pipeline.contracts.exports.calls import CALL_TYPES, CALLS, type_export
from cio_pipeline.defs.exports import planned
from cio_pipeline.defs.feeds import SHOWN, call_key
from cio_pipeline.defs.io_manager import describe, require_served, sent
from cio_pipeline.defs.partitions import WINDOWS_OF
from cio_pipeline.defs.resources import PipelineResource, ScopeResource
from cio_pipeline.defs.shown_tables import export_columns
from cio_pipeline.defs.source_tables import source_key
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.registry import Outcome
from cio_pipeline.pipeline.planning.plan_export import Batch

SENDS = SHOWN[Feed.CALLS]


def _spec(kind: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        call_key(kind),
        deps=[source_key(CALLS.source)],
        group_name=SENDS.group,
        owners=[SENDS.owner],
        kinds={"polars"},
        description=f"The `{kind}` calls of a window, a file for each sync that has any: "
        f"`<integration id>.<action id>.<position>.{kind}.<csv|json|parquet>`.\n\nThe six types "
        "share the position, so they run together.",
        metadata={"dagster/column_schema": export_columns(type_export(kind))},
        partitions_def=WINDOWS_OF[Feed.CALLS],
    )


@dg.multi_asset(name="send_calls", specs=[_spec(kind) for kind in CALL_TYPES], can_subset=False)
def calls(
    context: dg.AssetExecutionContext,
    pipeline: dg.ResourceParam[PipelineResource],
    scope: ScopeResource,
) -> Iterator[dg.MaterializeResult[Any]]:
    """Send a window's calls; fails only if every sync failed or the source is down."""
    batch = planned(context, pipeline, scope, CALLS.name)
    outcomes, notices = sent(pipeline.services(context.run.run_id), context.log, batch)
    yield from _results(batch, outcomes, notices)
    require_served(batch, outcomes)


@dataclass(frozen=True)
class OfType:
    """What was sent of one type of call, over all syncs."""

    files: int = 0
    rows: int = 0
    bytes: int = 0


def sent_by_type(outcomes: Iterable[Outcome]) -> Mapping[str, OfType]:
    """What was sent of each type of call; nothing for those that had none."""
    found: dict[str, OfType] = {}
    for kind, rows, size in (file for one in outcomes for file in one.kinds):
        before = found.get(kind, OfType())
        found[kind] = OfType(before.files + 1, before.rows + rows, before.bytes + size)
    return found


def _results(
    batch: Batch, outcomes: Sequence[Outcome], notices: Sequence[str]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Numbers by type; rows held back, which are of none, are told with the first."""
    by_type, shared = sent_by_type(outcomes), describe(batch, outcomes, notices)
    for kind in CALL_TYPES:
        own = by_type.get(kind, OfType())
        numbers = {"files": own.files, "rows": own.rows, "bytes": own.bytes}
        held_back = {} if kind == CALL_TYPES[0] else {"rows_quarantined": 0}
        yield dg.MaterializeResult(
            asset_key=call_key(kind),
            metadata={**shared, **numbers, **held_back, "dagster/row_count": own.rows},
        )
