"""A sync's history: who did what to it, when, and what that changed. Never a secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cio_pipeline.model.registry import RegisteredSync


@dataclass(frozen=True)
class Deed:
    """What somebody does to a sync: a verb of `cio-pipeline sync`, by a person or a run."""

    who: str
    what: str


@dataclass(frozen=True)
class HistoryLine:
    """One line of a sync's history; `before` and `after` hold only what differs, as JSON values."""

    sync_id: str
    at: datetime
    who: str
    what: str
    before: Mapping[str, Any] = field(hash=False)
    after: Mapping[str, Any] = field(hash=False)


def difference(
    before: RegisteredSync | None, after: RegisteredSync
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What differs between two standings of a sync, as JSON values: from, to (null: nothing)."""
    old, new = (_described(before) if before else {}), _described(after)
    changed = [name for name in {**new, **old} if old.get(name) != new.get(name)]
    return {name: old[name] for name in changed if name in old}, {n: new.get(n) for n in changed}


def _described(registered: RegisteredSync) -> dict[str, Any]:
    # Secrets are references in a sync's configuration, so all of it may be kept.
    sync, contract = registered.sync, registered.sync.contract
    told = contract.told() if contract else {}
    own = sync.model_dump(mode="json", exclude_none=True, exclude={"contract"})
    # Of a contract, each thing that it says: of a large one, little changes.
    return (
        own
        | {f"contract, {place}": said for place, said in told.items()}
        | {
            "on": sorted(name for name, switch in registered.switches.items() if switch.enabled),
            "disabled": registered.disabled_at is not None,
            "generation": registered.generation,
            "first_manifest": registered.first_manifest,
        }
    )
