"""`cio-pipeline sync`: the registry of syncs."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from cio_pipeline.cli.context import services
from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.cli.parameters import AsJson, SyncId
from cio_pipeline.cli.sync_condition import print_condition
from cio_pipeline.cli.sync_history import print_history
from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.ledger.registry import Registry
from cio_pipeline.model.breakers import Breaker
from cio_pipeline.model.failures import HELD_BACK, Failing
from cio_pipeline.model.manifests import CHAIN
from cio_pipeline.model.plans import Plan, Series
from cio_pipeline.model.registry import ExportState, Pair, RegisteredSync
from cio_pipeline.model.times import utc
from cio_pipeline.pipeline.checking.overview import overview

_CLOSED = "closed"

LATEST = 5
"""Lines of its history that `show` shows of a sync."""


def list_(as_json: AsJson = False) -> None:
    """List all syncs."""
    found = services()
    positions, breakers = _behind(found.ledger.registry), found.ledger.breakers.all()
    rows = [
        {
            "sync": one.sync.id,
            "workspace": one.sync.workspace_id,
            "feed": one.sync.feed,
            "version": f"v{one.sync.version}" if "version" in one.sync.feed.facts.options else None,
            "cadence": one.sync.cadence,
            "exports": "disabled" if one.disabled_at else _on(one),
            "delivered up to": positions.get(one.sync.id),
            "breaker": _breaker(breakers.get(one.sync.id), found.clock()),
            "owner": one.sync.owner,
            "destination": found.destinations(one.sync).describe(),
        }
        for one in found.ledger.registry.all()
    ]
    if as_json:
        print_json(rows)
        return
    # A breaker that is closed is nothing to be told of.
    shown = [
        one
        | {"workspace": str(one["workspace"]), "delivered up to": one["delivered up to"] or "never"}
        | {"breaker": None if one["breaker"] == _CLOSED else one["breaker"]}
        for one in rows
    ]
    columns = list(shown[0]) if shown else ()
    none = "none; add one with `cio-pipeline sync apply FILE`"
    print_table("Syncs", columns, [tuple(one.values()) for one in shown], none)


def _breaker(breaker: Breaker | None, now: datetime) -> str:
    return breaker.describe(now) if breaker is not None else _CLOSED


def _on(registered: RegisteredSync) -> int:
    return sum(switch.enabled for switch in registered.switches.values())


def _behind(registry: Registry) -> dict[str, datetime]:
    """Up to when each sync was delivered everything, of those whose exports all have begun."""
    positions: dict[str, datetime] = {}
    missing: set[str] = set()
    for state in registry.states(list(ALL_EXPORTS)):
        if not state.on:
            continue
        until = state.delivered_until(ALL_EXPORTS[state.export].source)
        if until is None:
            missing.add(state.sync.id)
        else:
            known = positions.get(state.sync.id, until)
            positions[state.sync.id] = min(known, until)
    return {sync_id: at for sync_id, at in positions.items() if sync_id not in missing}


def show(sync_id: SyncId, as_json: AsJson = False) -> None:
    """Show one sync: what is late and why, its configuration, and where each export stands."""
    found = services()
    registered = found.ledger.registry.get(sync_id)
    seen = overview(found, sync_id)
    (row,), wrong = seen.syncs, [one for one in seen.standing.wrong if one.sync_id == sync_id]
    states = found.ledger.registry.states(list(ALL_EXPORTS), [sync_id])
    breaker, failing = found.ledger.breakers.all().get(sync_id), found.ledger.failing.all()
    if as_json:
        print_json(
            {
                "condition": row,
                "wrong": wrong,
                "sync": registered.sync.model_dump(mode="json"),
                "generation": registered.generation,
                "created_at": registered.created_at,
                "breaker": breaker,
                "disabled_at": registered.disabled_at,
                "exports": [_row(state, failing) for state in states],
                "manifests_failing": failing.get((sync_id, CHAIN)),
                "history": found.ledger.registry.history(sync_id),
            }
        )
        return
    print_condition(row, wrong)
    described = {name: value for name, value in registered.sync.told.items() if value != {}}
    described |= {"generation": registered.generation, "created_at": registered.created_at}
    described["breaker"] = _breaker(breaker, found.clock())
    if breaker is not None:
        described["last error"] = breaker.message
    if registered.disabled_at is not None:
        described["disabled_at"] = registered.disabled_at
    if (sync_id, CHAIN) in failing:
        described["manifests failing"] = _why(failing[sync_id, CHAIN])
    print_table(f"Sync {sync_id}", ("setting", "value"), list(described.items()))
    columns = ("export", "on", "delivered up to", "next sequence", "open plan")
    print_table("Exports", columns, [_cells(_row(state, failing)) for state in states])
    if fails := _failing(states, failing):
        print_table("Failing", ("exports", "windows", "since", "why"), fails)
    print_history(sync_id, found.ledger.registry.history(sync_id)[-LATEST:])


def _row(state: ExportState, failing: Mapping[Pair, Failing]) -> dict[str, object]:
    plan = state.open_plan
    return {
        "export": state.export,
        "enabled": state.switch.enabled,
        "position": state.delivered_until(ALL_EXPORTS[state.export].source),
        "next_sequence": ", ".join(
            f"{series} {number}"
            for series, number in sorted(state.next_sequence.items())
            if series is Series.PLAIN or ALL_EXPORTS[state.export].split
        ),
        "open_plan": _progress(plan) if plan else None,
        "failing": failing.get((state.sync.id, state.export)),
    }


def _cells(row: dict[str, object]) -> tuple[object, ...]:
    shown = row | {"position": row["position"] or "never"}
    return tuple(value for name, value in shown.items() if name != "failing")


def _failing(
    states: Sequence[ExportState], failing: Mapping[Pair, Failing]
) -> list[tuple[object, ...]]:
    """A row for each cause, with the exports that have it."""
    groups: defaultdict[Failing, list[str]] = defaultdict(list)
    for state in states:
        if one := failing.get((state.sync.id, state.export)):
            groups[one].append(state.export)
    # Why a breaker is open stands above, once.
    return [
        (
            ", ".join(exports),
            one.windows,
            one.since,
            "held back by the breaker" if one.kind == HELD_BACK else one.message,
        )
        for one, exports in groups.items()
    ]


def _why(failing: Failing) -> str:
    windows = "1 window" if failing.windows == 1 else f"{failing.windows} windows"
    return f"{windows} since {utc(failing.since)}: {failing.message}"


def _progress(plan: Plan) -> str:
    """How far a plan has come; an initial export with what its slices delivered so far."""
    if plan.slices == 1:
        return f"{plan.mode} ({plan.state})"
    files = sum(plan.sent.files.values())
    return (
        f"{plan.mode} {plan.slice}/{plan.slices} slices, {plan.sent.rows:,} rows, {files:,} files"
    )
