"""Small values for the ledger's tests: cuts, syncs, drafts, sealed plans."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import update

from cio_pipeline.ledger.open import Ledger
from cio_pipeline.ledger.schema import syncs
from cio_pipeline.model.cuts import Cut, TableCut
from cio_pipeline.model.destinations import LocalDestination
from cio_pipeline.model.manifests import Manifest, digest, parse_manifest
from cio_pipeline.model.plans import (
    Mode,
    Plan,
    PlanDraft,
    QuarantinedRow,
    SealedFile,
    SealedPlan,
    Series,
)
from cio_pipeline.model.registry import ExportState, ExportSwitch, Lease, Pair
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.windows import Window, data_out_window

T0 = datetime(2026, 3, 1, tzinfo=UTC)
TTL = timedelta(minutes=5)
WINDOW = data_out_window(T0)
PEOPLE: Pair = ("acme", "people")


def at(step: int) -> datetime:
    return T0 + timedelta(minutes=15 * step)


def window(step: int) -> Window:
    """The one that ends at that step."""
    return Window(at(step - 1), at(step))


def cut(step: int) -> Cut:
    return Cut(at(step), {"people": TableCut("id-people", step), "events": TableCut("id-e", step)})


def sync(sync_id: str, workspace_id: int = 1) -> Sync:
    place = LocalDestination(type="local", path=f"bucket/{sync_id}")
    return Sync(id=sync_id, workspace_id=workspace_id, destination=place)


def register(
    ledger: Ledger, *sync_ids: str, exports: Collection[str] = ("people", "events")
) -> None:
    for number, sync_id in enumerate(sync_ids, start=1):
        switches = {export: ExportSwitch(enabled=True) for export in exports}
        ledger.registry.put(sync(sync_id, number), switches, T0)


def state(ledger: Ledger, pair: Pair = PEOPLE) -> ExportState:
    return ledger.registry.states([pair[1]], [pair[0]])[0]


def claim(ledger: Ledger, *pairs: Pair, owner: str = "run-1", now: datetime = T0) -> Lease:
    lease, _ = ledger.leases.claim(pairs or (PEOPLE,), owner, now, TTL)
    return lease


def draft(known: ExportState, upper: Cut, mode: Mode | None = None) -> PlanDraft:
    return PlanDraft(
        sync_id=known.sync.id,
        workspace_id=known.sync.workspace_id,
        export=known.export,
        version=known.sync.version,
        timestamp_unit=known.sync.timestamp_unit,
        stem=known.export,
        generation=known.registered.generation,
        mode=mode or (Mode.CHANGES if known.position else Mode.INITIAL),
        lower=known.position,
        upper=upper,
        floor=at(-1000),
        first=known.next_sequence,
        rows_per_file=1_000,
        fingerprint="f" * 64,
    )


def file(plan: Plan, offset: int = 0, series: Series = Series.PLAIN, salt: str = "") -> SealedFile:
    number = plan.first[series] + offset
    key = f"{plan.stem}_v5_{series.value}_{plan.workspace_id}_{number}.parquet"
    return SealedFile(
        key=key,
        series=series,
        sequence=number,
        part=None,
        rows=10,
        bytes=1_000,
        sha256=digest((key + salt).encode()),
        min_time=at(0),
        max_time=None,
        spool=f"spool/{plan.plan_id}/{number}",
    )


def sealed(
    plan: Plan,
    count: int = 1,
    quarantined: tuple[QuarantinedRow, ...] = (),
    resolved: tuple[str, ...] = (),
) -> SealedPlan:
    files = tuple(file(plan, offset) for offset in range(count))
    return SealedPlan(plan, files, quarantined, resolved)


def open_plan(ledger: Ledger, lease: Lease, step: int, pair: Pair = PEOPLE) -> Plan:
    upper = ledger.cuts.store(cut(step))
    return ledger.plans.open(lease, [draft(state(ledger, pair), upper)], at(step))[0]


def seal_and_deliver(ledger: Ledger, lease: Lease, *full: SealedPlan, step: int = 0) -> None:
    ledger.plans.seal(lease, full, at(step))
    ledger.plans.deliver(lease, [one.plan for one in full])


def commit(ledger: Ledger, lease: Lease, *plans: Plan, step: int = 0) -> Mapping[str, int]:
    return ledger.plans.commit(lease, plans, WINDOW, at(step))


def deliver(
    ledger: Ledger, lease: Lease, step: int, pair: Pair = PEOPLE, count: int = 1
) -> SealedPlan:
    """A plan from its beginning to its commit."""
    plan = open_plan(ledger, lease, step, pair)
    full = sealed(plan, count)
    seal_and_deliver(ledger, lease, full, step=step)
    commit(ledger, lease, plan, step=step)
    return full


def list_voids(ledger: Ledger, sync_id: str = "acme") -> None:
    """The next manifest, if there are numbers that none lists."""
    nothing = claim(ledger, (sync_id, "nothing"))
    ledger.plans.commit(nothing, [], WINDOW, T0, listing=[sync_id])


def manifests(ledger: Ledger, sync_id: str = "acme") -> list[Manifest]:
    return [parse_manifest(body) for _, body in ledger.manifests.bodies(sync_id)]


def new_generation(ledger: Ledger, sync_id: str = "acme") -> None:
    """What enabling a disabled sync again will do (D6)."""
    statement = update(syncs).where(syncs.c.id == sync_id)
    ledger.database.write(
        lambda connection: connection.execute(statement.values(generation=syncs.c.generation + 1))
    )
