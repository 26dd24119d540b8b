"""Encoding files of committed plans again, told by their digests."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from cio_pipeline.changesets.quarantine import identities_of
from cio_pipeline.files.earlier_form import in_sealed_form
from cio_pipeline.files.encode import SpooledFile
from cio_pipeline.files.spool import RESTORE, sha256_of
from cio_pipeline.model.cuts import TableSlice
from cio_pipeline.model.errors import CioError
from cio_pipeline.model.plans import Mode, Plan, PlanState, SealedFile, Sent
from cio_pipeline.pipeline.feeds.makers import maker_of
from cio_pipeline.pipeline.planning.cohorts import Cohort, cohorts_of
from cio_pipeline.pipeline.planning.slices import rest_of
from cio_pipeline.pipeline.recovery.damaged import DamagedFile
from cio_pipeline.pipeline.services import Services


@dataclass
class Group:
    """Files of plans that one read of the source gives; `missing` are those not found yet."""

    services: Services
    cohort: Cohort[Plan]
    missing: list[DamagedFile]

    def files(self) -> Iterator[tuple[DamagedFile, Path]]:
        """Each file that comes out with the digest it was delivered with, and where it lies.

        Raises the source's errors. The path is good until the next file is asked for.
        """
        for part in rest_of(self.services, self.cohort.model):
            if not self.missing:
                return
            yield from self._found(part)

    def _found(self, part: TableSlice | None) -> Iterator[tuple[DamagedFile, Path]]:
        model = self.cohort.model
        # Of its own for each restore: what one has put may be another name of a file in it.
        folder = f"{RESTORE}{model.export}-{model.plan_id}-{uuid4().hex[:8]}"
        try:
            digests = {one.file.sha256 for one in self.missing}
            spool = self.services.spool
            encoded = (in_sealed_form(spool, file, digests) for file in self._encode(part, folder))
            paths = {(one.workspace_id, one.sha256): spool.path(one.path) for one in encoded}
            for one in list(self.missing):
                plan = one.committed.sealed.plan
                path = paths.get((plan.workspace_id, one.file.sha256))
                if path is not None:
                    self.missing.remove(one)
                    yield one, path
        finally:
            self.services.spool.discard(folder)

    def _encode(self, part: TableSlice | None, folder: str) -> tuple[SpooledFile, ...]:
        model, services = self.cohort.model, self.services
        retried = {
            (one.committed.sealed.plan.workspace_id, identity)
            for one in self.missing
            for identity in one.committed.sealed.resolved
        }
        encode = maker_of(model.export).encode
        rows, nothing = identities_of(retried), identities_of(())
        return encode(services, self.cohort, part, folder, retried=rows, asked=nothing).files


def encoded_again(services: Services, damaged: Iterable[DamagedFile]) -> list[Group]:
    """The files in groups that are read together: all plans of a cohort, a retry for itself."""
    of_plan: dict[int, list[DamagedFile]] = {}
    for one in damaged:
        of_plan.setdefault(one.committed.sealed.plan.plan_id, []).append(one)
    plans = [_from_start(found[0].committed.sealed.plan) for found in of_plan.values()]
    together = cohorts_of([plan for plan in plans if plan.mode is not Mode.RETRY])
    alone = [cohort for plan in plans if plan.mode is Mode.RETRY for cohort in cohorts_of([plan])]
    return [
        Group(services, cohort, [one for p in cohort.plans for one in of_plan[p.plan_id]])
        for cohort in (*together, *alone)
    ]


def _from_start(plan: Plan) -> Plan:
    """The plan before any of its slices was sent."""
    return replace(plan, state=PlanState.OPEN, slice=0, sent=Sent())


def spooled(services: Services, file: SealedFile) -> Path | None:
    """Where a file still lies in the spool, unaltered; None if it does not."""
    try:
        path = services.spool.path(file.spool)
        return path if sha256_of(path) == file.sha256 else None
    except (CioError, OSError):
        return None
