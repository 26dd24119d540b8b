"""Removing what crashed runs left in the spool: folders of closed plans, and of old restores."""

import re
from datetime import timedelta

from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.files.spool import RESTORE
from cio_pipeline.pipeline.services import Services

RESTORE_TAKES = timedelta(days=1)
"""A restore that encodes nothing new for so long has died."""

_OF_PLAN = re.compile(r"([a-z_]+)-([0-9]+)")


def sweep_spool(services: Services, *, idle: bool = False) -> None:
    """Discard folders that neither an unfinished plan, a run under way nor a restore needs.

    A run that dies between delivering and the clearing of its spool leaves them. Folders are
    listed before plans are read: whatever another run is encoding has its plan in the ledger. All
    that a run reads together lies in a folder of one plan, which may be delivered before others.
    With `idle` plans that no run works on lose their files, too: these are encoded again.
    """
    folders = services.spool.folders()
    for name in folders:
        if name.startswith(RESTORE) and services.spool.idle(name) > RESTORE_TAKES:
            services.spool.discard(name)
    found = {name: _OF_PLAN.match(name) for name in folders}
    plans = {name: (m[1], int(m[2])) for name, m in found.items() if m and m[1] in ALL_EXPORTS}
    if not plans:
        return
    states = services.ledger.registry.states({export for export, _ in plans.values()})
    plans_of = [state.open_plan for state in states if state.open_plan]
    holders = services.ledger.leases.holders(services.clock())
    held = {(one.sync_id, one.export) for one in holders}
    unfinished = [
        plan
        for plan in plans_of
        if (plan.sync_id, plan.export) in held or not (plan.is_delivered or idle)
    ]
    needed = {(plan.export, plan.plan_id) for plan in unfinished}
    sealed = services.ledger.plans.sealed(unfinished)
    spooled = {file.spool.partition("/")[0] for files in sealed.values() for file in files}
    swept = [name for name, plan in plans.items() if plan not in needed and name not in spooled]
    for name in swept:
        services.spool.discard(name)
