"""The IO manager: encodes a planned batch and delivers it to each sync."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import dagster as dg
from pydantic import PrivateAttr

from cio_pipeline.contracts.exports.calls import CALL_TYPES
from cio_pipeline.defs.resources import PipelineResource, telling
from cio_pipeline.defs.shown_tables import table
from cio_pipeline.model.registry import LeaseHolder, Outcome
from cio_pipeline.pipeline.planning.plan_export import Batch
from cio_pipeline.pipeline.run_export import deliver_export, every_sync_failed
from cio_pipeline.pipeline.services import Services

LARGEST = 20
"""Syncs shown in a materialisation's table, beside every failed one."""


@dataclass(frozen=True)
class OfType:
    """A batch of calls as the asset of one type has it: all types are sent together (C1)."""

    batch: Batch
    kind: str


@dataclass(frozen=True)
class Sent:
    """A batch that was sent: what came of each sync, and what was noticed.

    It took so many `seconds`, and was done so many after the window's end (`lag`).
    """

    batch: Batch
    outcomes: Sequence[Outcome]
    notices: Sequence[str]
    seconds: float = 0.0
    lag: float = 0.0


class ExportIOManager(dg.ConfigurableIOManager):
    """Turns a batch into files in the workspaces' buckets; nothing is read back from there."""

    pipeline: dg.ResourceDependency[PipelineResource]
    _last: Sent | None = PrivateAttr(default=None)

    def handle_output(self, context: dg.OutputContext, obj: Batch | OfType) -> None:
        """Seal and deliver; fails only if every sync failed or the source is down.

        What several assets share is sent with the first of them.
        """
        batch, kind = (obj.batch, obj.kind) if isinstance(obj, OfType) else (obj, None)
        if self._last is None or self._last.batch is not batch:
            self._last = sent(self.pipeline.services(context.run_id), context.log, batch)
        own = {} if kind is None else of_type(self._last.outcomes, kind)
        context.add_output_metadata({**describe(self._last), **own})
        require_served(self._last)

    def load_input(self, context: dg.InputContext) -> None:
        """Files are for readers outside; assets downstream read the ledger."""
        raise dg.DagsterInvariantViolationError(
            f"{context.asset_key.to_user_string()} cannot be loaded: its files belong to the "
            "workspaces. Read the ledger, or a workspace's manifests."
        )


def sent(services: Services, log: dg.DagsterLogManager, batch: Batch) -> Sent:
    """Seal and deliver a batch; notices are logged, too."""
    notices, begun = [*batch.notices], time.monotonic()
    outcomes = deliver_export(replace(telling(services, log), notice=notices.append), batch)
    for notice in notices:
        log.warning(notice)
    for holder in batch.busy:
        log.warning(
            f"{holder.export} of sync {holder.sync_id} is left to {holder.owner}, which "
            f"holds it until {holder.expires_at:%H:%M:%S} UTC."
        )
    seconds, lag = time.monotonic() - begun, services.clock() - batch.window.end
    return Sent(batch, outcomes, notices, seconds, lag.total_seconds())


def require_served(sent: Sent) -> None:
    """Fail the step if every sync failed."""
    outcomes, batch = sent.outcomes, sent.batch
    # Syncs without changes were served: beside them a broken one does not make the step red.
    if every_sync_failed(outcomes) and not batch.advanced:
        raise dg.Failure(
            f"none of {len(outcomes)} syncs could be served. "
            f"First: {outcomes[0].sync_id}: {outcomes[0].told}"
        )


def of_type(outcomes: Sequence[Outcome], kind: str) -> dict[str, dg.MetadataValue]:
    """The numbers of one type of call; rows held back are of none, and told with the first."""
    own = [file for one in outcomes for file in one.kinds if file[0] == kind]
    rows = sum(rows for _, rows, _ in own)
    numbers = {"files": len(own), "rows": rows, "bytes": sum(size for _, _, size in own)}
    held_back = {} if kind == CALL_TYPES[0] else {"rows_quarantined": 0}
    told = {**numbers, **held_back, "dagster/row_count": rows}
    return {name: dg.MetadataValue.int(value) for name, value in told.items()}


def describe(sent: Sent) -> dict[str, dg.MetadataValue]:
    """A materialisation's metadata: totals, plotted by Dagster, a table of syncs, notices."""
    batch, outcomes, notices = sent.batch, sent.outcomes, sent.notices
    failed = [one for one in outcomes if one.error is not None]
    served = [one for one in outcomes if one.files]
    overwritten = sum(one.overwritten for one in outcomes)
    totals = {
        "rows": sum(one.rows for one in outcomes),
        "files": sum(one.files for one in outcomes),
        "bytes": sum(one.bytes for one in outcomes),
        "syncs_sent": len(served),
        "syncs_without_changes": batch.advanced + len(outcomes) - len(served) - len(failed),
        "syncs_failed": len(failed),
        "syncs_busy": len(batch.busy),
        **({"objects_overwritten": overwritten} if overwritten else {}),
        "rows_quarantined": sum(one.quarantined for one in outcomes),
    }
    largest = sorted(served, key=lambda one: one.rows, reverse=True)[:LARGEST]
    window = batch.window
    return {
        "window": dg.MetadataValue.text(f"{window.key}, up to {window.end:%H:%M} UTC"),
        "syncs": outcome_table([*failed, *largest]),
        **{name: dg.MetadataValue.int(value) for name, value in totals.items()},
        **timed(sent.seconds, sent.lag),
        "dagster/row_count": dg.MetadataValue.int(totals["rows"]),
        **({"held": _held(batch.busy)} if batch.busy else {}),
        **({"source_notices": dg.MetadataValue.md("\n".join(notices))} if notices else {}),
    }


def timed(seconds: float, lag: float) -> dict[str, dg.MetadataValue]:
    """How long a step took, and how long after its window's end it was done."""
    return {
        "seconds": dg.MetadataValue.float(round(seconds, 3)),
        "lag_seconds": dg.MetadataValue.float(round(lag, 3)),
    }


def _held(busy: Sequence[LeaseHolder]) -> dg.MetadataValue:
    """What was left to other runs, and until when they hold it unless they go on."""
    names: tuple[str, ...] = ("sync_id", "export", "owner", "until")
    rows = [(one.sync_id, one.export, one.owner, f"{one.expires_at:%H:%M:%S}") for one in busy]
    return table(dict.fromkeys(names, "string"), rows)


def outcome_table(outcomes: Sequence[Outcome]) -> dg.MetadataValue:
    """A row per sync, in the order given."""
    return table(
        {
            "sync": "string",
            "workspace": "int",
            "mode": "string",
            "rows": "int",
            "files": "int",
            "bytes": "int",
            "quarantined": "int",
            "error": "string",
        },
        [
            (
                one.sync_id,
                one.workspace_id,
                str(one.mode or ""),
                one.rows,
                one.files,
                one.bytes,
                one.quarantined,
                str(one.error or ""),
            )
            for one in outcomes
        ],
    )
