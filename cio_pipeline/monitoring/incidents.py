"""What becomes of incidents as findings come and go, and who is told what (O3). Pure."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cio_pipeline.model.alerts import (
    LONGEST_WAIT,
    AlertsFile,
    Changes,
    KnownIncident,
    Message,
    TargetState,
)
from cio_pipeline.model.findings import Finding, Incident, Severity
from cio_pipeline.model.times import utc

CALM = timedelta(minutes=20)
"""So long something is not found any more until it is over: longer than a window, so that what
comes and goes with each stays one incident."""

PAUSE = timedelta(minutes=5)
"""Between two messages to a target: what begins meanwhile comes in one."""

FIRST_WAIT = timedelta(minutes=1)
"""Until a target that is down is tried again; the wait doubles."""

UNREACHED = "alert_target"
"""The check that names targets which are down."""

BLIND = "checks"
"""The check that names those which could not look."""

BREAKER, DELAYED = "breaker", "delayed_syncs"
"""A sync that is behind since its breaker is open is told of by the first alone."""

TRIES = 2
"""Tries in a row that a target has failed before others hear of it."""

NAMED = 3
"""Syncs named of those that the same is wrong with."""

LINES = 20
"""Things that one message tells; the command line has all."""

LONGEST = 400
"""Characters of one text in a message."""


def changes(known: Sequence[KnownIncident], findings: Iterable[Finding], now: datetime) -> Changes:
    """What the findings of one moment make of the incidents that are open."""
    found = _worst(findings)
    open_now = {one.finding.incident: one for one in known}
    seen = {key: one for key, one in open_now.items() if key in found}
    hidden = _hidden(found.values())
    unseen = [one for key, one in open_now.items() if key not in found and not hidden(one.finding)]
    return Changes(
        opened=tuple(one for key, one in found.items() if key not in open_now),
        worse={
            one.number: found[key]
            for key, one in seen.items()
            if found[key].severity is Severity.ERROR is not one.finding.severity
        },
        moved={
            one.number: replace(one.finding, owner=found[key].owner)
            for key, one in seen.items()
            if found[key].owner != one.finding.owner
        },
        gone=frozenset(one.number for one in unseen if one.gone_since is None),
        back=frozenset(one.number for one in seen.values() if one.gone_since is not None),
        closed=frozenset(
            one.number
            for one in unseen
            # Either way: a clock that was ahead once keeps nothing open.
            if one.gone_since is not None and abs(now - one.gone_since) >= CALM
        ),
    )


def _hidden(found: Collection[Finding]) -> Callable[[Finding], bool]:
    """What is not over by not being found: its check could not look, or names a breaker instead."""
    blind = {one.about for one in found if one.check == BLIND}
    broken = {one.sync_id for one in found if one.check == BREAKER}
    return lambda one: one.check in blind or (one.check == DELAYED and one.sync_id in broken)


def _worst(findings: Iterable[Finding]) -> Mapping[Incident, Finding]:
    """Of those of one incident the first of the worst."""
    found: dict[Incident, Finding] = {}
    for one in findings:
        before = found.get(one.incident)
        if before is None or one.severity is Severity.ERROR is not before.severity:
            found[one.incident] = one
    return found


def next_try(failures: int, now: datetime) -> datetime:
    """When a target is tried again that has failed so many times."""
    return now + min(FIRST_WAIT * 2 ** min(failures - 1, 10), LONGEST_WAIT)


def targets_down(states: Iterable[TargetState]) -> list[Finding]:
    """A finding for each target that could not be reached."""
    return [
        Finding(
            check=UNREACHED,
            severity=Severity.ERROR,
            says=f"Alerts to {one.target} could not be sent since {utc(one.since)}: {one.problem}",
            cause="The service behind it is down, or its URL is wrong or was withdrawn.",
            command="cio-pipeline alerts test",
            about=one.target,
        )
        for one in states
        if one.failures >= TRIES and one.since is not None
    ]


def message(
    file: AlertsFile,
    target: str,
    known: Collection[KnownIncident],
    state: TargetState | None,
    now: datetime,
) -> Message | None:
    """What a target is to be told now; None if there is nothing, or it is not its time.

    What ended before the target heard of its beginning is told in the digest only.
    """
    if state is not None and state.waits(now):
        return None
    its = [one for one in known if _concerns(file, target, one)]
    hour = _digest_due(file, target, state, now)
    if hour is not None:
        return _digest(its, hour)
    begun = [one for one in its if one.closed_at is None and _new(file, target, one)]
    over = [
        one
        # Also if the sync has another owner by now.
        for one in known
        if one.closed_at is not None
        and _enough(file, target, one)
        and target in one.told - one.told_over
    ]
    if not begun and not over:
        return None
    body = [*_section("Wrong", begun), *_section("Over", over)]
    return Message(
        _title(begun, over),
        "\n".join(body),
        frozenset(one.number for one in begun),
        frozenset(one.number for one in over),
    )


def _concerns(file: AlertsFile, target: str, one: KnownIncident) -> bool:
    """A target need not be told that it was down."""
    itself = one.finding.check == UNREACHED and one.finding.about == target
    return not itself and file.least(target, one.finding.owner) is not None


def _enough(file: AlertsFile, target: str, one: KnownIncident) -> bool:
    least = file.least(target, one.finding.owner)
    return one.finding.severity is Severity.ERROR or least is Severity.WARNING


def _new(file: AlertsFile, target: str, one: KnownIncident) -> bool:
    return _enough(file, target, one) and one.gone_since is None and target not in one.told


def _digest_due(
    file: AlertsFile, target: str, state: TargetState | None, now: datetime
) -> datetime | None:
    """The hour of a digest that a target did not get yet."""
    today = now.replace(minute=0, second=0, microsecond=0)
    for ago in range(24):
        hour = today - timedelta(hours=ago)
        if hour.hour in file.digest_hours(target):
            had = state is None or hour <= state.digest_at <= now + LONGEST_WAIT
            return None if had else hour
    return None


def _digest(its: Sequence[KnownIncident], hour: datetime) -> Message:
    still = [one for one in its if one.closed_at is None]
    day = hour - timedelta(days=1)
    over = [one for one in its if one.closed_at is not None and one.closed_at >= day]
    body = [*_section("Wrong", still), *_section("Over since yesterday", over)]
    return Message(
        f"cio-pipeline, {hour:%Y-%m-%d}: {_count(still, 'wrong')}, {_count(over, 'over')}",
        "\n".join(body) or "Nothing is wrong, and nothing was since yesterday.",
        # What it tells is told: no message of its own follows.
        frozenset(one.number for one in still),
        frozenset(one.number for one in over),
        hour,
    )


def _title(begun: Sequence[KnownIncident], over: Sequence[KnownIncident]) -> str:
    if len(begun) + len(over) == 1:
        one = (*begun, *over)[0].finding
        word = "wrong" if begun else "over"
        return f"cio-pipeline: {word}: {_about(one) or 'all'}: {one.check}"
    told = [f"{len(begun):,} wrong"] * bool(begun) + [f"{len(over):,} over"] * bool(over)
    return f"cio-pipeline: {', '.join(told)}"


def _count(some: Sequence[KnownIncident], word: str) -> str:
    return f"{len(some):,} {word}" if some else f"nothing {word}"


def _section(title: str, some: Sequence[KnownIncident]) -> list[str]:
    """Lines; what has the same check and owner is one thing, its worst and oldest shown."""
    groups: defaultdict[tuple[str, str], list[KnownIncident]] = defaultdict(list)
    for one in sorted(some, key=lambda one: (one.finding.severity.value, one.opened_at)):
        groups[one.finding.owner or "", one.finding.check].append(one)
    lines = [line for (owner, _), its in groups.items() for line in [_told(owner, its)]]
    more = len(lines) - LINES
    rest = [f"… and {more:,} more: `cio-pipeline alerts list` has all."] if more > 0 else []
    return [f"{title}:", *lines[:LINES], *rest] if lines else []


def _told(owner: str, its: Sequence[KnownIncident]) -> str:
    first = its[0]
    names = [_about(one.finding) for one in its[:NAMED]]
    more = [f"and {len(its) - NAMED:,} more"] if len(its) > NAMED else []
    of = ", ".join([name for name in names if name] + more)
    whose = f" ({owner})" if owner else ""
    head = f"- {first.finding.check}{': ' if of else ''}{of}{whose}, since {utc(first.opened_at)}"
    if first.closed_at is not None:
        return f"{head}, until {utc(first.closed_at)}"
    told = first.finding
    return f"{head}. {short(told.says)}\n  Likely: {short(told.cause)}\n  Next: {told.command}"


def _about(one: Finding) -> str:
    of = one.sync_id or one.about or ""
    return f"{of} {one.export}" if one.export else of


def named(one: Finding) -> str:
    """What is wrong with what, in a few words."""
    of = _about(one)
    return f"{one.check} of {of}" if of else one.check


def short(text: str) -> str:
    """A text as one line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
