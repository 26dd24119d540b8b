"""Dagster on a made world: its job in this process, its sensor, its events."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

import dagster as dg

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.definitions import build_defs
from cio_pipeline.defs.feeds import SHOWN
from cio_pipeline.defs.resources import PipelineResource, lease_owner
from cio_pipeline.defs.sensors import SENSORS, scope_config
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.services import Services
from cio_pipeline_tests.world import World, window

MANIFEST = SHOWN[Feed.DATA_OUT].manifest
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class Made(PipelineResource):
    """The services of a made world, whatever the environment says."""

    made: Services | None = None

    def services(self, run_id: str) -> Services:
        assert self.made is not None
        return self.made.owned_by(lease_owner(run_id))


SHARED = Made()
"""The services of whoever asked for definitions last."""


@cache
def _shared_defs() -> dg.Definitions:
    return build_defs(SHARED)


def defs_on(services: Services) -> dg.Definitions:
    """All definitions, on some services until others are asked for.

    Dagster works out for a tenth of a second what follows from them, so that is done once.
    """
    SHARED.made = services
    return _shared_defs()


def job_on(services: Services, name: str = "data_out") -> dg.JobDefinition:
    """A job, on some services until others are asked for."""
    return defs_on(services).resolve_job_def(name)


@dataclass
class Dagster:
    """A world with Dagster on it. `services` may be changed to break something."""

    world: World
    instance: dg.DagsterInstance
    services: Services = field(init=False)

    def __post_init__(self) -> None:
        self.services = self.world.services

    def run(
        self, number: int, *exports: str, sync_ids: Sequence[str] = (), **tags: str
    ) -> dg.ExecuteInProcessResult:
        """Run some exports of a window (default: all), the manifest and the checks."""
        at = window(number)
        self.world.now = max(self.world.now, at.end + timedelta(seconds=1))
        return self.execute(at, [dg.AssetKey(one) for one in exports], sync_ids, tags)

    def execute(
        self,
        at: Window,
        exports: Sequence[dg.AssetKey],
        sync_ids: Sequence[str],
        tags: Mapping[str, str],
    ) -> dg.ExecuteInProcessResult:
        job = job_on(self.services)
        chosen = [*exports, MANIFEST] if exports else None
        return job.execute_in_process(
            instance=self.instance,
            partition_key=at.key,
            asset_selection=chosen,
            run_config={**scope_config(sync_ids), **QUIET},
            tags=dict(tags),
            raise_on_error=False,
        )

    def requested(self, request: dg.RunRequest, *exports: str) -> dg.ExecuteInProcessResult:
        """What the daemon does with a run request, at once, for some of its exports."""
        job = job_on(self.services)
        chosen = [*map(dg.AssetKey, exports), MANIFEST] if exports else request.asset_selection
        return job.execute_in_process(
            instance=self.instance,
            partition_key=request.partition_key,
            asset_selection=list(chosen) if chosen else None,
            run_config={**request.run_config, **QUIET},
            tags=dict(request.tags),
            raise_on_error=False,
        )

    def sense(self) -> tuple[list[dg.RunRequest], str | None]:
        """The run requests of one evaluation of the sensor, or why there are none."""
        definitions = defs_on(self.services)
        with dg.build_sensor_context(
            instance=self.instance, definitions=definitions, resources={"pipeline": SHARED}
        ) as context:
            found = SENSORS[Feed.DATA_OUT].evaluate_tick(context)
        return list(found.run_requests or []), found.skip_message

    def unfinished(self, request: dg.RunRequest, status: dg.DagsterRunStatus) -> dg.DagsterRun:
        """A run of a request that is in a status and in no process."""
        job = job_on(self.services)
        return self.instance.create_run_for_job(
            job,
            run_config=dict(request.run_config),
            tags={**request.tags, "dagster/partition": str(request.partition_key)},
            status=status,
        )


@contextmanager
def dagster_on(world: World) -> Iterator[Dagster]:
    """Dagster with an instance of its own that forgets."""
    with dg.DagsterInstance.ephemeral() as instance:
        _keep_connected(instance.event_log_storage, "_connect")
        _keep_connected(instance.run_storage, "connect")
        yield Dagster(world, instance)


def _keep_connected(storage: Any, name: str) -> None:
    """Take the connection that holds what is in memory for the statements of this thread, too.

    Dagster opens one for each of the hundred that a run stores, which is a fifth of its time.
    """
    opened, this = getattr(storage, name), threading.get_ident()

    @contextmanager
    def connect() -> Iterator[Any]:
        if threading.get_ident() != this:
            with opened() as other:
                yield other
        else:
            with storage._held_conn.begin():
                yield storage._held_conn

    setattr(storage, name, connect)


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    """The metadata of an asset's materialisation in a run."""
    (event,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in event.metadata.items()}


def table(value: Any) -> list[dict[str, Any]]:
    """The rows of a table in metadata."""
    return [dict(record.data) for record in value]


DELIVERY = {"delivered_to_every_due_sync", "manifest_lies_in_every_bucket"}
"""The checks of what a run has delivered; the others are of the window as a whole."""


def check(
    result: dg.ExecuteInProcessResult, asset: str, name: str | None = None
) -> dg.AssetCheckEvaluation:
    """The evaluation of an asset's check in a run: of the one of its delivery, or a named one."""
    (found,) = [
        one
        for one in result.get_asset_check_evaluations()
        if one.asset_key == dg.AssetKey(asset)
        and (one.check_name == name if name else one.check_name in DELIVERY)
    ]
    return found


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    """The assets that a run materialised."""
    events = result.get_asset_materialization_events()
    return {
        event.step_materialization_data.materialization.asset_key.to_user_string()
        for event in events
    }


EVERYTHING = {*EXPORTS, "manifest"}
"""The assets that are materialised."""
