"""Resources: the adapters by the environment's settings, and the scope of a run."""

import time
from collections.abc import Mapping
from dataclasses import replace
from enum import Enum

import dagster as dg
from pydantic import Field

from cio_pipeline.model.scope import Lane, Scope, lane_of
from cio_pipeline.model.shards import parse_shard
from cio_pipeline.pipeline.services import Services
from cio_pipeline.settings import Settings, settings
from cio_pipeline.wiring import Opened, open_services

LANE = "cio/lane"
"""Run tag that names the lane; runs without it do all kinds of work."""

SHARD = "cio/shard"
"""Run tag that names the shard (`2/4`) whose syncs are served; runs without it serve all."""


def lease_owner(run_id: str) -> str:
    """How a run names itself in leases."""
    return f"run {run_id}"


_OPENED: dict[Settings, Opened] = {}
"""One ledger connection pool per process and settings, however many steps use it."""


class PipelineResource:
    """Source, ledger, spool and destinations, as the `CIO_*` variables say.

    It has no configuration, so it is no ConfigurableResource: what stands in a run's
    configuration is stored and shown.
    """

    def services(self, run_id: str) -> Services:
        """The services for one run, which names itself in leases.

        Raises LedgerError if the ledger is not the one that was used here before.
        """
        chosen = settings()
        if chosen not in _OPENED:
            _OPENED[chosen] = open_services(chosen)
        return _OPENED[chosen].recognised().owned_by(lease_owner(run_id))


TOLD_EVERY = 2.0
"""Seconds between two lines of progress: Dagster stores each, which takes longer than some puts."""


def telling(services: Services, log: dg.DagsterLogManager) -> Services:
    """Services whose progress goes to a run's log, now and then and at its end."""
    told = time.monotonic()

    def tell(what: str, done: int, of: int) -> None:
        nonlocal told
        if done == of or time.monotonic() - told >= TOLD_EVERY:
            log.info(f"{what}: {done} of {of}")
            told = time.monotonic()

    return replace(services, progress=tell)


class Doing(Enum):
    """What a run does: `auto` sends what is outstanding, `restore` puts back what was lost."""

    auto = "auto"
    restore = "restore"


class ScopeResource(dg.ConfigurableResource[Scope]):
    """What a run does and for which syncs; settable in the launchpad and in backfills."""

    sync_ids: list[str] = Field(
        default_factory=list, description="Ids of the syncs to serve; none means all."
    )
    mode: Doing = Field(
        default=Doing.auto,
        description="`auto` sends what is outstanding; `restore` puts back files of the window "
        "that were delivered and are missing or altered in the bucket.",
    )

    @property
    def restores(self) -> bool:
        """Whether the run puts back what was lost, and sends nothing else."""
        return self.mode is Doing.restore

    def scope(self, tags: Mapping[str, str], services: Services) -> Scope:
        """The scope of a run with some tags: those chosen, else its shard's, else all."""
        chosen = tuple(self.sync_ids) or None
        if chosen is None and SHARD in tags:
            shard = parse_shard(tags[SHARD])
            ids = (one.sync.id for one in services.ledger.registry.all())
            chosen = tuple(filter(shard.holds, ids))
        return Scope(chosen, lane_of(tags.get(LANE, Lane.ALL)))
