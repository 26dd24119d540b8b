"""Encoding files of committed plans again, told by their digests."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from uuid import uuid4

from cio_pipeline.changesets.quarantine import identities_of
from cio_pipeline.contracts.feeds import facts_of
from cio_pipeline.files.earlier_form import in_sealed_form
from cio_pipeline.files.encode import SpooledFile
from cio_pipeline.files.spool import RESTORE, Spool, sha256_of
from cio_pipeline.model.errors import CioError
from cio_pipeline.model.plans import Mode, Plan, PlanState, SentSoFar
from cio_pipeline.model.slices import Slice
from cio_pipeline.pipeline.delivering.read_once import reading_once
from cio_pipeline.pipeline.feeds.maker import PutAgain
from cio_pipeline.pipeline.feeds.makers import MAKER_OF
from cio_pipeline.pipeline.feeds.put_files import put_from
from cio_pipeline.pipeline.planning.cohorts import Cohort, cohorts_of, rest_of
from cio_pipeline.pipeline.recovery.damaged import DamagedFile
from cio_pipeline.pipeline.services import Services


@dataclass
class Group:
    """Files of plans that one read of the source gives; `missing` are those not found yet."""

    services: Services
    cohort: Cohort[Plan]
    missing: list[DamagedFile]

    def found(self) -> Iterator[tuple[DamagedFile, PutAgain]]:
        """Each file that comes out as it was delivered, ready to be put.

        Raises the source's errors. It is to be put before the next file is asked for.
        """
        with reading_once(self.services, self.cohort.plans) as once:
            for part in rest_of(once.source, self.cohort.model):
                if not self.missing:
                    return
                yield from self._found(once, part)

    def _found(
        self, services: Services, part: Slice | None
    ) -> Iterator[tuple[DamagedFile, PutAgain]]:
        model, spool = self.cohort.model, services.spool
        # Of its own for each restore: what one has put may be another name of a file in it.
        folder = f"{RESTORE}{model.export}-{model.plan_id}-{uuid4().hex[:8]}"
        try:
            digests = {one.file.sha256 for one in self.missing}
            encoded: dict[int, list[SpooledFile]] = {}
            for file in self._encode(services, part, folder):
                mine = encoded.setdefault(file.workspace_id, [])
                mine.append(in_sealed_form(spool, file, digests))
            for plan in self.cohort.plans:
                of_plan = {one.file: one for one in self.missing if one.plan_id == plan.plan_id}
                here = encoded.get(plan.workspace_id, ())
                for file, put in MAKER_OF[plan.export].again(spool, here, of_plan):
                    self.missing.remove(of_plan[file])
                    yield of_plan[file], put
        finally:
            spool.discard(folder)

    def _encode(
        self, services: Services, part: Slice | None, folder: str
    ) -> tuple[SpooledFile, ...]:
        model = self.cohort.model
        retried = {
            (one.committed.sealed.plan.workspace_id, identity)
            for one in self.missing
            for identity in one.committed.sealed.resolved
        }
        encode = MAKER_OF[model.export].encode
        rows, nothing = identities_of(retried), identities_of(())
        return encode(services, self.cohort, part, folder, retried=rows, asked=nothing).files


def encoded_again(services: Services, damaged: Iterable[DamagedFile]) -> list[Group]:
    """The files in groups that are read together: all plans of a cohort.

    A retry is for itself, and so is a plan whose objects a run might overwrite meanwhile.
    """
    of_plan: dict[int, list[DamagedFile]] = {}
    for one in damaged:
        of_plan.setdefault(one.plan_id, []).append(one)
    plans = [_from_start(found[0].committed.sealed.plan) for found in of_plan.values()]
    together = cohorts_of([plan for plan in plans if not _alone(plan)])
    alone = [cohort for plan in plans if _alone(plan) for cohort in cohorts_of([plan])]
    return [
        Group(services, cohort, [one for p in cohort.plans for one in of_plan[p.plan_id]])
        for cohort in (*together, *alone)
    ]


def _alone(plan: Plan) -> bool:
    return plan.mode is Mode.RETRY or facts_of(plan.export).overwrites


def _from_start(plan: Plan) -> Plan:
    """The plan before any of its slices was sent."""
    return replace(plan, state=PlanState.OPEN, slice=0, sent=SentSoFar())


def spooled(spool: Spool, one: DamagedFile) -> PutAgain | None:
    """Ready to be put, if it still lies in the spool, unaltered; None if it does not."""
    if facts_of(one.committed.sealed.plan.export).overwrites:
        return None  # Of a pack, metadata and bodies belong together.
    try:
        path = spool.path(one.file.spool)
        return partial(put_from, path, one.file) if sha256_of(path) == one.file.sha256 else None
    except (CioError, OSError):
        return None
