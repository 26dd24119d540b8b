"""Putting messages again that are missing in a bucket, or whose bytes are others there.

Only the last object of a key is one that can be damaged. It is encoded again with its plan, and is
told by its number, key and digest; metadata is put as it was, but not compared. No run may put
later messages meanwhile.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from cio_pipeline.changesets.quarantine import identities_of
from cio_pipeline.files.encode import SpooledFile
from cio_pipeline.files.message_pack import Pack
from cio_pipeline.files.spool import RESTORE
from cio_pipeline.model.errors import CioError, DigestMismatch
from cio_pipeline.model.plans import Plan, PlanState, Sent
from cio_pipeline.pipeline.feeds.messages import MESSAGES
from cio_pipeline.pipeline.heartbeat import all_claimed
from cio_pipeline.pipeline.planning.cohorts import cohorts_of
from cio_pipeline.pipeline.recovery.damaged import DamagedFile, last_of_keys
from cio_pipeline.pipeline.services import Services


def put_messages_again(
    services: Services, damaged: Iterable[DamagedFile]
) -> list[tuple[DamagedFile, CioError | None]]:
    """Each of the objects with the reason why it could not be put, None if it lies there again."""
    of_plan: dict[int, list[DamagedFile]] = {}
    for one in damaged:
        of_plan.setdefault(one.committed.sealed.plan.plan_id, []).append(one)
    done: list[tuple[DamagedFile, CioError | None]] = []
    for wanted in of_plan.values():
        put: set[int] = set()
        error: CioError | None = None
        try:
            _put(services, wanted, put)
        except CioError as failure:
            error = failure
        for one in wanted:
            there = one.file.sequence in put
            done.append((one, None if there else error or _other(one)))
    return done


def _put(services: Services, wanted: Sequence[DamagedFile], put: set[int]) -> None:
    """Put the objects of one plan; `put` gets the numbers of those that lie there again."""
    plan = wanted[0].committed.sealed.plan
    pair = (plan.sync_id, plan.export)
    with all_claimed(services, [pair]):
        _put_held(services, wanted, put)


def _put_held(services: Services, wanted: Sequence[DamagedFile], put: set[int]) -> None:
    sealed = wanted[0].committed.sealed
    plan = replace(sealed.plan, state=PlanState.OPEN, slice=0, sent=Sent())
    sync = services.ledger.registry.get(plan.sync_id).sync
    destination = services.destinations(sync)
    by_number = {one.file.sequence: one.file for one in wanted}
    # A run may have replaced some of them since they were looked at.
    last = last_of_keys(services, sync)
    replaced = {number for number, file in by_number.items() if last.get(file.key) != number}
    put.update(replaced)
    folder = f"{RESTORE}{plan.export}-{plan.plan_id}"
    try:
        encoded = _encoded(services, plan, sealed.resolved, folder)
        files = MESSAGES.name(services, plan, encoded)
        if not files:
            return
        with Pack.opened(services.spool, files) as pack:
            for one in pack:
                was = by_number.get(one.file.sequence)
                if was is None or was.sequence in replaced:
                    continue
                if (was.key, was.sha256) == (one.file.key, one.file.sha256):
                    destination.overwrite(was.key, pack.body(one), one.metadata)
                    put.add(was.sequence)
    finally:
        services.spool.discard(folder)


def _encoded(
    services: Services, plan: Plan, resolved: Sequence[str], folder: str
) -> tuple[SpooledFile, ...]:
    cohort = cohorts_of([plan])[0]
    retried = identities_of([(plan.workspace_id, identity) for identity in resolved])
    nothing = identities_of(())
    encoded = MESSAGES.encode(services, cohort, None, folder, retried=retried, asked=nothing)
    return encoded.files


def _other(one: DamagedFile) -> DigestMismatch:
    return DigestMismatch(
        f"Encoded again, {one.file.key} is not what was delivered.",
        "Run with the version of cio-pipeline that delivered it, on an unaltered source.",
    )
