"""Which quarantined rows were delivered meanwhile, as a bucket tells.

Files of data-out tell it themselves. Those of feeds that forward do not name their rows: what their
plans sent is encoded again.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from cio_pipeline.changesets.quarantine import identities_of, identity_expr
from cio_pipeline.contracts.feeds import ALL_EXPORTS, facts_of
from cio_pipeline.files.spool import Spool
from cio_pipeline.model.errors import ObjectArchived, ObjectMissing, VersionGone
from cio_pipeline.model.plans import Plan, PlanState
from cio_pipeline.model.recovery import ListedPlan
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.feeds.makers import MAKER_OF
from cio_pipeline.pipeline.planning.cohorts import Cohort
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Destination


def delivered_identities(
    services: Services, sync: Sync, plans: Iterable[ListedPlan]
) -> dict[str, tuple[str, ...]]:
    """Identities by export that the ledger has in quarantine and that files of plans deliver.

    Only files of exports with rows in quarantine are read. A file that is gone, or cannot be
    encoded again, may have held any of them: all of its export count as delivered, since sending a
    row twice would be wrong.
    """
    quarantine = services.ledger.quarantine
    wanted = {
        export: quarantine.held([sync.id], export)["identity"].unique().sort().to_list()
        for _, export in quarantine.pairs([sync.id])
    }
    destination = services.destinations(sync)
    found: dict[str, set[str]] = {}
    for plan in plans:
        export = plan.draft.export
        if export in wanted:
            rows = wanted[export]
            here = (
                _encoded_again(services, plan, rows)
                if facts_of(export).forwards
                else _in_files(services.spool, sync, destination, plan, rows)
            )
            found.setdefault(export, set()).update(here)
    return {export: tuple(sorted(identities)) for export, identities in found.items()}


def _in_files(
    spool: Spool,
    sync: Sync,
    destination: Destination,
    plan: ListedPlan,
    wanted: Sequence[str],
) -> set[str]:
    folder = f"delivered-{sync.id}"
    found: set[str] = set()
    try:
        copy = spool.folder(folder) / "copy.parquet"
        for file in plan.files:
            try:
                destination.download(file.key, copy)
            except (ObjectArchived, ObjectMissing):
                return set(wanted)
            found |= _identities(copy, plan, wanted)
    finally:
        spool.discard(folder)
    return found


def _identities(copy: Path, plan: ListedPlan, wanted: Sequence[str]) -> set[str]:
    export = ALL_EXPORTS[plan.draft.export]
    identity = identity_expr(export, plan.draft.timestamp_unit).alias("identity")
    rows = pl.scan_parquet(copy).select(identity).filter(pl.col("identity").is_in(wanted))
    return set(rows.collect()["identity"])


def _encoded_again(services: Services, listed: ListedPlan, wanted: Sequence[str]) -> set[str]:
    plan = Plan(**vars(listed.draft), plan_id=0, state=PlanState.OPEN)
    export = ALL_EXPORTS[plan.export]
    asked = identities_of([(plan.workspace_id, row) for row in wanted])
    folder = f"delivered-{plan.sync_id}"
    try:
        encoded = MAKER_OF[plan.export].encode(
            services, Cohort(export, (plan,)), None, folder, retried=asked, asked=asked
        )
    except VersionGone:
        return set(wanted)
    finally:
        services.spool.discard(folder)
    return {identity for _, identity in encoded.delivered}
