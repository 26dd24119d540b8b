"""Delivering sealed plans and committing them, so that one failing sync never stops the others."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from cio_pipeline.model.errors import CioError
from cio_pipeline.model.plans import Plan, SealedPlan
from cio_pipeline.model.registry import Outcome
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.heartbeat import HeldLease
from cio_pipeline.pipeline.in_flight import InFlight
from cio_pipeline.pipeline.services import Services

THREADS = 8
"""Syncs that are delivered to at a time."""

BYTES_IN_FLIGHT = 256 * 1024 * 1024
"""Two full files: a create-only put to a store holds the whole body in memory."""

COMMIT_EVERY = 200
"""Plans per commit: few transactions, and little to deliver again after a crash."""


@dataclass(frozen=True)
class Failure:
    """Why a plan was not delivered; its text carries no secret and no row's values."""

    kind: str
    message: str


def deliver(
    services: Services, lease: HeldLease, sealed: Sequence[SealedPlan]
) -> tuple[Outcome, ...]:
    """Put the files of each plan and commit the plans whose files all lie in the bucket.

    A plan that fails stays sealed with its error as outcome, and is resumed by the next run.
    """
    outcomes: list[Outcome] = []
    in_flight = InFlight(BYTES_IN_FLIGHT)
    put = partial(_try, services, lease, in_flight, _syncs(services, sealed))
    with ThreadPoolExecutor(THREADS, thread_name_prefix="deliver") as pool:
        for start in range(0, len(sealed), COMMIT_EVERY):
            chunk = sealed[start : start + COMMIT_EVERY]
            failures = list(pool.map(put, chunk))
            outcomes += _commit(services, lease, list(zip(chunk, failures, strict=True)))
            _tell(services, sealed, len(outcomes))
    _clear_spool(services, sealed, outcomes)
    return tuple(outcomes)


def _tell(services: Services, sealed: Sequence[SealedPlan], plans: int) -> None:
    export = sealed[0].plan.export
    done, of = (sum(len(one.files) for one in some) for some in (sealed[:plans], sealed))
    services.progress(f"{export}: files", done, of)


def _clear_spool(
    services: Services, sealed: Sequence[SealedPlan], outcomes: Sequence[Outcome]
) -> None:
    """Remove spooled files, but for folders that a failed plan still needs."""
    kept: set[str] = set()
    done: set[str] = set()
    for one, outcome in zip(sealed, outcomes, strict=True):
        folders = {file.spool.partition("/")[0] for file in one.files}
        (done if outcome.error is None else kept).update(folders)
    for folder in done - kept:
        services.spool.discard(folder)


def _syncs(services: Services, sealed: Sequence[SealedPlan]) -> Mapping[str, Sync]:
    """The syncs that get files, read at once: one query each would cost as much as the puts."""
    wanted = {one.plan.sync_id for one in sealed if one.files}
    known = services.ledger.registry.all() if wanted else ()
    return {one.sync.id: one.sync for one in known if one.sync.id in wanted}


def _try(
    services: Services,
    lease: HeldLease,
    in_flight: InFlight,
    syncs: Mapping[str, Sync],
    sealed: SealedPlan,
) -> Failure | None:
    return attempt(lambda: _put_all(services, lease, in_flight, syncs, sealed))


def attempt(work: Callable[[], None]) -> Failure | None:
    """Run some work for one sync and turn its error into a value."""
    try:
        work()
    except CioError as error:
        return Failure(type(error).__name__, str(error))
    except Exception as error:  # noqa: BLE001 - O8: no error of one sync may reach the others
        # The text of an unforeseen error may carry a credential or a row: only its type is kept.
        return Failure("Unexpected", f"Unexpected {type(error).__name__}; see docs/operations.md.")
    return None


def _put_all(
    services: Services,
    lease: HeldLease,
    in_flight: InFlight,
    syncs: Mapping[str, Sync],
    sealed: SealedPlan,
) -> None:
    if not sealed.files:
        return
    plan = sealed.plan
    destination = services.destinations(syncs[plan.sync_id])
    for file in sealed.files:
        lease.check((plan.sync_id, plan.export))
        with in_flight.holding(file.bytes):
            destination.put(file.key, services.spool.path(file.spool), file.sha256)


def _commit(
    services: Services,
    lease: HeldLease,
    attempted: Iterable[tuple[SealedPlan, Failure | None]],
) -> list[Outcome]:
    pairs = list(attempted)
    delivered = [sealed for sealed, failure in pairs if failure is None]
    late = _commit_delivered(services, lease, delivered)
    return [_outcome(sealed, failure or late.get(sealed.plan.plan_id)) for sealed, failure in pairs]


def _commit_delivered(
    services: Services, lease: HeldLease, delivered: Sequence[SealedPlan]
) -> dict[int, Failure]:
    """Commit all together, or one by one if another run took over some of them."""
    together = attempt(lambda: _commit_plans(services, lease, delivered))
    if together is None:
        return {}
    found: dict[int, Failure] = {}
    for sealed in delivered:
        failure = attempt(lambda one=sealed: _commit_plans(services, lease, [one]))
        if failure is not None:
            found[sealed.plan.plan_id] = failure
    return found


def _commit_plans(services: Services, lease: HeldLease, sealed: Sequence[SealedPlan]) -> None:
    plans = [one.plan for one in sealed]
    services.ledger.plans.commit(lease.lease, plans, services.clock())


def failure_of(plan: Plan, error: CioError) -> Outcome:
    """The outcome of a plan that could not be sealed."""
    message = f"{type(error).__name__}: {error}"
    return Outcome(plan.sync_id, plan.export, plan.workspace_id, plan.mode, error=message)


def _outcome(sealed: SealedPlan, failure: Failure | None) -> Outcome:
    plan = sealed.plan
    files = () if failure else sealed.files
    return Outcome(
        sync_id=plan.sync_id,
        export=plan.export,
        workspace_id=plan.workspace_id,
        mode=plan.mode,
        rows=sum(file.rows for file in files),
        files=len(files),
        bytes=sum(file.bytes for file in files),
        quarantined=0 if failure else sum(row.count for row in sealed.quarantined),
        error=f"{failure.kind}: {failure.message}" if failure else None,
    )
