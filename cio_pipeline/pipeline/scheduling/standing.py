"""How everything stands now: what is wrong, and what runs (`cio-pipeline status`).

Only the ledger is asked: an answer takes no time, and comes while source and buckets are down.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.breakers import Breaker, BreakerState
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.failures import HELD_BACK, Failing
from cio_pipeline.model.manifests import CHAIN
from cio_pipeline.model.registry import ExportState, LeaseHolder, Pair
from cio_pipeline.model.times import utc
from cio_pipeline.model.windows import last_closed_window
from cio_pipeline.pipeline.services import Services

GRACE = timedelta(minutes=15)
"""So long after its end a window may be under way before a sync is late."""

SKEW = timedelta(minutes=1)
"""So far the clocks of two machines may differ."""

RECENT = timedelta(days=1)
"""What the source broke before then is known by now, and no news."""


@dataclass(frozen=True)
class Wrong:
    """One thing that is wrong: of which sync and exports (or source tables), since when, and why.

    `sync_id` is None if it concerns no single one.
    """

    kind: str
    sync_id: str | None
    of: tuple[str, ...]
    since: datetime | None
    why: str
    next_step: str


@dataclass(frozen=True)
class Running:
    """What one run works on now, and until when it holds that unless it goes on."""

    owner: str
    syncs: tuple[str, ...]
    exports: tuple[str, ...]
    until: datetime


@dataclass(frozen=True)
class Standing:
    """All that is wrong, all that runs, how many syncs are served, and rows in quarantine."""

    syncs: int
    wrong: tuple[Wrong, ...]
    running: tuple[Running, ...]
    quarantined: int


def standing(services: Services) -> Standing:
    """How the syncs and the source stand, by the ledger."""
    return standing_of(services, services.ledger.registry.states(list(ALL_EXPORTS)))


def standing_of(services: Services, all_states: Sequence[ExportState]) -> Standing:
    """The same of the syncs whose states are given; and of the source."""
    ledger, now = services.ledger, services.clock()
    states = [one for one in all_states if one.on]
    failing = ledger.failing.all()
    breakers = {
        sync_id: one
        for sync_id, one in ledger.breakers.all().items()
        if one.state is not BreakerState.SLOW
    }
    holders = ledger.leases.holders(now)
    held_back = ledger.quarantine.numbers()
    last, _, ahead = ledger.cuts.near(now)
    known = {state.sync.id for state in states}
    wrong = [
        *_broken(breakers, failing, known, now),
        *_failing(breakers, failing, known),
        *_late([one for one in states if not _told(one, breakers, failing)], holders, now),
        *_quarantined(held_back, now),
        *_source(ledger, last, now),
        *_ahead(ahead, states, now),
    ]
    rows = sum(count for count, _ in held_back.values())
    return Standing(len(known), tuple(wrong), tuple(_running(holders)), rows)


def _told(
    state: ExportState, breakers: Mapping[str, Breaker], failing: Mapping[Pair, Failing]
) -> bool:
    return state.sync.id in breakers or (state.sync.id, state.export) in failing


def _broken(
    breakers: Mapping[str, Breaker],
    failing: Mapping[Pair, Failing],
    known: set[str],
    now: datetime,
) -> Iterator[Wrong]:
    """What fails for no other cause is no line of its own, but named here."""
    for sync_id, one in sorted(breakers.items()):
        if sync_id in known:
            its = (pair for pair, each in failing.items() if pair[0] == sync_id and _of(one, each))
            why = f"{one.describe(now)}: {one.message}"
            resume = f"Mend that, then `cio-pipeline sync resume {sync_id}`."
            yield Wrong("breaker", sync_id, _exports(its), one.since, why, resume)


def _of(breaker: Breaker | None, failing: Failing) -> bool:
    """Whether what fails does so for what opened the breaker, or since that is open."""
    return breaker is not None and failing.kind in {HELD_BACK, breaker.kind}


def _exports(pairs: Iterable[Pair]) -> tuple[str, ...]:
    return tuple("manifests" if export == CHAIN else export for _, export in sorted(pairs))


def _failing(
    breakers: Mapping[str, Breaker], failing: Mapping[Pair, Failing], known: set[str]
) -> Iterator[Wrong]:
    """Each error once for a sync, with the exports that have it."""
    groups: defaultdict[tuple[str, datetime, str], list[Pair]] = defaultdict(list)
    for pair, one in sorted(failing.items()):
        if pair[0] in known and not _of(breakers.get(pair[0]), one):
            groups[pair[0], one.since, one.message].append(pair)
    for (sync_id, since, message), pairs in groups.items():
        told = (
            f"Once that is mended, the next window ends it; `cio-pipeline export --now --sync "
            f"{sync_id}` tries it at once."
        )
        yield Wrong("failing", sync_id, _exports(pairs), since, message, told)


def _late(
    states: Sequence[ExportState], holders: Sequence[LeaseHolder], now: datetime
) -> Iterator[Wrong]:
    held = {(one.sync_id, one.export) for one in holders}
    groups: defaultdict[tuple[str, datetime | None, datetime], list[str]] = defaultdict(list)
    for state in states:
        due = last_closed_window(now - GRACE, state.sync.cadence, state.sync.feed).end
        until = state.delivered_until(ALL_EXPORTS[state.export].source)
        resumed = state.switch.resumed_at or state.registered.created_at
        first = until is None or (state.open_plan is not None and state.open_plan.is_first)
        first_is_under_way = first and (state.sync.id, state.export) in held
        begins = max(resumed, state.registered.created_at)
        if due > begins and not first_is_under_way and (until is None or until < due):
            groups[state.sync.id, until, due].append(state.export)
    for (sync_id, until, due), exports in groups.items():
        so_far = "nothing was delivered" if until is None else "delivered until then"
        yield Wrong(
            "late",
            sync_id,
            tuple(exports),
            until,
            f"{so_far}, due up to {utc(due)}",
            "See that Dagster's daemon and the feed's sensor run.",
        )


def _quarantined(numbers: Mapping[Pair, tuple[int, datetime]], now: datetime) -> Iterator[Wrong]:
    recent = {pair: one for pair, one in sorted(numbers.items()) if one[1] >= now - RECENT}
    for sync_id in dict.fromkeys(sync_id for sync_id, _ in recent):
        its = {export: one for (owner, export), one in recent.items() if owner == sync_id}
        rows, last = sum(one for one, _ in its.values()), max(at for _, at in its.values())
        many = f"{rows:,} rows break the contract and are held back"
        what = "1 row breaks the contract and is held back" if rows == 1 else many
        told = f"`cio-pipeline quarantine list --sync {sync_id}` tells which and why."
        yield Wrong("quarantine", sync_id, tuple(its), last, what, told)


def _source(ledger: Ledger, cut: Cut | None, now: datetime) -> Iterator[Wrong]:
    """What the last cut could not read or left waiting, and what broke its contract lately."""
    told = "`cio-pipeline source status` tells more."
    for table in sorted(cut.undecided) if cut else ():
        yield Wrong("source", None, (table,), None, "could not be read at the last cut", told)
    for table in sorted(cut.rest) if cut else ():
        waiting = cut.waiting(table) if cut else None
        if waiting is not None:
            yield Wrong("source", None, (table,), waiting.since, str(waiting), told)
    for one in ledger.breaches.all():
        if one.last_at >= now - RECENT:
            yield Wrong("source", None, (one.last.table,), one.first_at, str(one), told)


def _ahead(cut: Cut | None, states: Sequence[ExportState], now: datetime) -> Iterator[Wrong]:
    """A cut that is yet to come: what is committed from then on waits for its time, untold else."""
    if cut is not None and cut.at > now + SKEW:
        until = max([cut.at, *(state.position.at for state in states if state.position)])
        yield Wrong(
            "clock",
            None,
            (),
            None,
            f"a window that ends at {utc(until)} was cut already, by a clock that was ahead; until "
            "then, rows that were committed since wait",
            "Set this machine's clock, and that of all others that run the pipeline. Nothing is "
            "lost: the first window after that time sends what waits.",
        )


def _running(holders: Sequence[LeaseHolder]) -> Iterator[Running]:
    for owner in sorted({one.owner for one in holders}):
        its = [one for one in holders if one.owner == owner]
        yield Running(
            owner,
            tuple(sorted({one.sync_id for one in its})),
            tuple(sorted({"manifests" if one.export == CHAIN else one.export for one in its})),
            max(one.expires_at for one in its),
        )
