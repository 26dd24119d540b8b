"""Delivering sealed plans to their buckets, so that one failing sync never stops the others."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from statistics import median
from typing import TypeAlias

from cio_pipeline.contracts.feeds import facts_of
from cio_pipeline.files.spool import Spool
from cio_pipeline.ledger.plans import Plans
from cio_pipeline.model.breakers import Trip
from cio_pipeline.model.destinations import LocalDestination
from cio_pipeline.model.errors import CioError
from cio_pipeline.model.failures import Failure
from cio_pipeline.model.plans import Plan, SealedPlan
from cio_pipeline.model.registry import Lease, Outcome
from cio_pipeline.model.scope import SLICES_A_TURN, Lane
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.delivering.room import OF_FILES
from cio_pipeline.pipeline.feeds.makers import MAKER_OF
from cio_pipeline.pipeline.feeds.put_files import InFlight
from cio_pipeline.pipeline.heartbeat import HeldLease
from cio_pipeline.pipeline.in_parallel import UNEXPECTED, caught, in_parallel, together_or_alone
from cio_pipeline.pipeline.services import Services


@dataclass(frozen=True)
class Turn:
    """A sync's turn in a run: `patience` is how many seconds all others wait for its delivery.

    `slices` of a plan are sent; the next run goes on with it. Whoever is `slow` after that gets
    runs of its own. None is without end.
    """

    patience: float | None = None
    slices: int | None = None
    slow: bool = False

    def goes_on(self, slices: int) -> bool:
        """Whether another slice is sent after so many."""
        return self.slices is None or slices < self.slices


ALONE = Turn()
"""Nobody else waits for this run."""


PATIENCE = 5.0
"""Seconds from the beginning of a delivery that all others wait for it; then it is left to a run of
its own."""


def turn_in(lane: Lane) -> Turn:
    """A sync's turn in a run of a lane: ticks and initial runs are shared."""
    match lane:
        case Lane.TICK:
            # Of whom a window has more than fits in memory would hold up all others.
            return Turn(PATIENCE, slices=1, slow=True)
        case Lane.INITIAL:
            return Turn(PATIENCE, slices=SLICES_A_TURN)
        case _:
            return ALONE


BYTES_IN_FLIGHT = 256 * 1024 * 1024
"""Two full files: a create-only put to a store holds the whole body in memory."""

MANY = 8
"""Plans for which the disk is synced as a whole; for fewer that may take longer than each file."""

KEEP_EVERY = 500
"""Plans per transaction that keeps what was delivered: little to deliver again after a crash."""


def deliver(
    services: Services,
    lease: HeldLease,
    sealed: Sequence[SealedPlan],
    patience: float | None = None,
) -> tuple[Outcome, ...]:
    """Put the files of each plan, and keep which plans' files all lie in the bucket.

    A plan that fails stays sealed with its error as outcome, and is resumed by the next run. So is
    one that makes the others wait for longer than `patience` seconds (None: for ever).
    """
    # Read at once: one query each would cost as much as the puts.
    known = services.ledger.registry.all() if any(one.files for one in sealed) else ()
    syncs = {one.sync.id: one.sync for one in known}
    in_flight = InFlight(BYTES_IN_FLIGHT, synced=_synced(services.spool, syncs, sealed))
    put = partial(_put, services, lease, in_flight, syncs)
    failures, seconds = dict[int, Failure | None](), dict[int, float]()
    done, total = 0, sum(len(one.files) for one in sealed)
    longest = None if patience is None else patience_for(sealed, patience)
    ended = in_parallel(put, sealed, services.threads, longest)
    while some := list(islice(ended, KEEP_EVERY)):
        # Their names: nothing that the ledger calls delivered is lost with the power.
        if in_flight.synced:
            some = _durable(services.spool, syncs, some)
        failures |= _kept(services.ledger.plans, lease.lease, some)
        for one, failure, taken in some:
            done += len(one.files)
            if one.files and failure is None:
                seconds[one.plan.plan_id] = taken
        services.progress(f"{sealed[0].plan.export}: files", done, total)
    slow = frozenset[int]() if patience is None else slow_plans(sealed, seconds)
    found = [_outcome(services, one, failures, slow) for one in sealed]
    _clear_spool(services.spool, sealed, found)
    return tuple(found)


def _clear_spool(spool: Spool, sealed: Sequence[SealedPlan], outcomes: Sequence[Outcome]) -> None:
    """Remove spooled files, but for folders that a failed plan still needs while there is room."""
    roomy = spool.roomy(OF_FILES)
    kept: set[str] = set()
    done: set[str] = set()
    for one, outcome in zip(sealed, outcomes, strict=True):
        folders = {file.spool.partition("/")[0] for file in one.files}
        (kept if roomy and outcome.error is not None else done).update(folders)
    for folder in done - kept:
        spool.discard(folder)


def _put(
    services: Services,
    lease: HeldLease,
    in_flight: InFlight,
    syncs: Mapping[str, Sync],
    sealed: SealedPlan,
) -> Failure | None:
    plan = sealed.plan
    if not sealed.files or plan.is_delivered:
        return None
    put = MAKER_OF[plan.export].put
    failure = caught(lambda: put(services, lease, in_flight, syncs[plan.sync_id], sealed))
    if failure is not None and failure.kind == UNEXPECTED:
        return replace(failure, trip=Trip.FAILED)
    return failure


def _synced(spool: Spool, syncs: Mapping[str, Sync], sealed: Sequence[SealedPlan]) -> bool:
    """Whether the files are durable, many at once: in local folders they get other names.

    Not if that fails: then the sync of each file tells which it is that cannot be read back.
    """
    if sum(_is_put_locally(syncs, one) for one in sealed) < MANY:
        return False
    with suppress(CioError):
        return spool.sync()
    return False


def _is_put_locally(syncs: Mapping[str, Sync], sealed: SealedPlan) -> bool:
    plan = sealed.plan
    if not sealed.files or plan.is_delivered:
        return False
    return isinstance(syncs[plan.sync_id].destination, LocalDestination)


_Attempted: TypeAlias = tuple[SealedPlan, Failure | None, float]


def _durable(
    spool: Spool, syncs: Mapping[str, Sync], attempted: Sequence[_Attempted]
) -> list[_Attempted]:
    """The same, once the names in local folders are durable; if they are not, these failed."""
    lost = caught(spool.sync)
    return [
        (one, failure or (lost if _is_put_locally(syncs, one) else None), taken)
        for one, failure, taken in attempted
    ]


def _kept(plans: Plans, lease: Lease, attempted: Sequence[_Attempted]) -> dict[int, Failure | None]:
    """Keep what was delivered; of some of it another run may have taken over."""
    delivered = [sealed.plan for sealed, failure, _ in attempted if failure is None]
    late = together_or_alone(lambda some: plans.deliver(lease, some), delivered)
    failed = {plan.plan_id: failure for plan, failure in late}
    return {
        sealed.plan.plan_id: failure or failed.get(sealed.plan.plan_id)
        for sealed, failure, _ in attempted
    }


def failure_of(plan: Plan, error: CioError) -> Outcome:
    """The outcome of a plan that could not be sealed."""
    failure = Failure.of(error)
    return Outcome(plan.sync_id, plan.export, plan.workspace_id, plan.mode, error=failure)


def failed_with(outcome: Outcome, failure: Failure) -> Outcome:
    """The outcome of a plan that was delivered, and could not go on."""
    return replace(outcome, error=failure)


_LEFT_ALONE = Failure(
    "Slow", "the others were not made to wait for it; a run of its own goes on.", trip=Trip.SLOW
)


def _outcome(
    services: Services,
    sealed: SealedPlan,
    failures: Mapping[int, Failure | None],
    slow: Collection[int],
) -> Outcome:
    """What came of a plan; how many objects it replaced is told, too."""
    plan = sealed.plan
    failure = failures.get(plan.plan_id, _LEFT_ALONE)
    files = () if failure else sealed.files
    overwritten = 0
    if files and facts_of(plan.export).overwrites:
        overwritten = services.ledger.plans.overwrites(plan)
    if overwritten:
        services.notice(
            f"{plan.export} of sync '{plan.sync_id}': {overwritten} of {len(files)} objects "
            'overwrote an earlier one with the same key. Add metadata."event-id" to its '
            "key_template if they are to be kept."
        )
    return Outcome(
        sync_id=plan.sync_id,
        export=plan.export,
        workspace_id=plan.workspace_id,
        mode=plan.mode,
        rows=sum(file.rows for file in files),
        files=len(files),
        bytes=sum(file.bytes for file in files),
        quarantined=0 if failure else sum(row.count for row in sealed.quarantined),
        kinds=MAKER_OF[plan.export].kinds(files),
        error=failure,
        overwritten=overwritten,
        slow=plan.plan_id in slow,
    )


SLOW_SECONDS = 2.0
"""A delivery that takes no longer is not slow, however fast the others are."""

BYTES_PER_SECOND = 4 * 1024 * 1024
"""What large files may take on top of both."""

SLOW_TIMES = 5
"""How many times as long as half of the others a slow delivery takes."""


def patience_for(sealed: Sequence[SealedPlan], patience: float) -> float:
    """How long all others wait at most, with what the files take."""
    return patience + max((_seconds_for_bytes(one) for one in sealed), default=0.0)


def _seconds_for_bytes(sealed: SealedPlan) -> float:
    return sum(file.bytes for file in sealed.files) / BYTES_PER_SECOND


def slow_plans(sealed: Sequence[SealedPlan], seconds: Mapping[int, float]) -> frozenset[int]:
    """Plans that took much longer than most: their syncs would hold up every export of a run."""
    if not seconds:
        return frozenset()
    limit = max(SLOW_SECONDS, SLOW_TIMES * median(seconds.values()))
    return frozenset(
        one.plan.plan_id
        for one in sealed
        if seconds.get(one.plan.plan_id, 0.0) > limit + _seconds_for_bytes(one)
    )
