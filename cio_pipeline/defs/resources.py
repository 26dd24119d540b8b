"""Resources: the adapters by the environment's settings, and the scope of a run."""

import dagster as dg
from pydantic import Field

from cio_pipeline.model.scope import Lane, Scope
from cio_pipeline.pipeline.services import Services
from cio_pipeline.settings import Settings, settings
from cio_pipeline.wiring import open_services

LANE = "cio/lane"
"""Run tag that names the lane; runs without it do all kinds of work."""


_OPENED: dict[Settings, Services] = {}
"""One ledger connection pool per process and settings, however many steps use it."""


class PipelineResource(dg.ConfigurableResource[Services]):
    """Source, ledger, spool and destinations, as the `CIO_*` variables say.

    It has no configuration of its own: what stands in a run's configuration is stored and shown.
    """

    def services(self, run_id: str) -> Services:
        """The services for one run, which names itself in leases."""
        chosen = settings()
        if chosen not in _OPENED:
            _OPENED[chosen] = open_services(chosen)
        return _OPENED[chosen].owned_by(f"run {run_id}")


class ScopeResource(dg.ConfigurableResource[Scope]):
    """Which syncs a run serves; settable in the launchpad and in backfills."""

    sync_ids: list[str] = Field(
        default_factory=list, description="Ids of the syncs to serve; none means all."
    )

    def scope(self, lane: str | None) -> Scope:
        """The scope of a run in a lane (None: all kinds of work)."""
        return Scope(tuple(self.sync_ids) or None, Lane(lane) if lane else Lane.ALL)
