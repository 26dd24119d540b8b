"""What tests of the calls feed do: commit calls, run windows, read what landed."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cio_pipeline.contracts.exports.calls import CALLS
from cio_pipeline.files.call_names import CallFileName, parse_call_name
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.registry import Outcome
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.windows import Window, window_holding
from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline.pipeline.services import Services
from cio_pipeline_tests.world import NOON, World

TEN_MINUTES = timedelta(minutes=10)


def window(number: int) -> Window:
    """The windows of calls: 0 starts at noon."""
    return window_holding(NOON + number * TEN_MINUTES, Feed.CALLS)


def call_row(
    kind: str | None, payload: Mapping[str, Any] | str, at: datetime = NOON, workspace: int = 1
) -> dict[str, Any]:
    """A row of the source table; its id is made from the payload."""
    text = payload if isinstance(payload, str) else json.dumps(payload)
    call_id = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]
    return {
        "workspace_id": workspace,
        "call_id": call_id,
        "type": kind,
        "received_at": at,
        "payload": text,
    }


def commit(world: World, *rows: Mapping[str, Any], at: datetime) -> int:
    """Commit calls at a time."""
    return world.commit("calls", *rows, at=at)


def calls_sync(world: World, sync_id: str = "a", workspace: int = 1, /, **fields: Any) -> Sync:
    """A sync of the calls feed with the seed's ids."""
    ids = {"integration_id": 2184, "action_id": 13699}
    return world.sync(sync_id, workspace, **{"feed": "calls", **ids, **fields})


def run(world: World, number: int, services: Services | None = None) -> tuple[Outcome, ...]:
    """Run a window just after it closed, then the manifests."""
    at = window(number)
    world.now = max(world.now, at.end + timedelta(seconds=1))
    chosen = services or world.services
    outcomes = run_export(chosen, CALLS.name, at, Scope())
    commit_window(chosen, at, feed=Feed.CALLS)
    return outcomes


def names(world: World, sync_id: str = "a") -> list[str]:
    """The files of a sync, without its manifests."""
    folder = world.folder(sync_id)
    return sorted(path.name for path in folder.glob("*.*") if path.is_file())


def paths(world: World, kind: str, sync_id: str = "a") -> list[Path]:
    """The files of a type in the order of their positions."""
    found: list[CallFileName] = [parse_call_name(name) for name in names(world, sync_id)]
    ordered = sorted((one for one in found if one.type == kind), key=lambda one: one.position)
    return [world.folder(sync_id) / _text(one) for one in ordered]


def _text(name: CallFileName) -> str:
    numbers = f"{name.integration_id}.{name.action_id}.{name.position}"
    return f"{numbers}.{name.type}.{name.format}"
