"""A round: look at what is wrong, keep what came of it, and tell each target what it lacks (O3).

What was sent is written down after it was sent: who dies in between has it sent once more, and no
target is left without. A target is claimed before, so that two rounds at a time send nothing twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from cio_pipeline.ledger.alerts import Alerts
from cio_pipeline.model.alerts import AlertsFile, Message
from cio_pipeline.model.errors import CioError
from cio_pipeline.model.findings import Finding
from cio_pipeline.monitoring.incidents import (
    NAMED,
    PAUSE,
    changes,
    message,
    named,
    next_try,
    targets_down,
)
from cio_pipeline.pipeline.in_parallel import caught, in_parallel

Send: TypeAlias = Callable[[str, Message], None]
"""Sends a message to the target behind a reference; raises AlertNotTaken or SecretMissing."""

CLAIM = timedelta(minutes=2)
"""So long nobody else sends to a target that a round is about to send to."""

PATIENCE = 30.0
"""Seconds after which a target that does not answer is given up."""

AT_A_TIME = 16
"""Targets that are spoken to at a time."""


@dataclass(frozen=True)
class Round:
    """What came of a round: open incidents, targets that were told, and those that could not be."""

    open: tuple[str, ...]
    told: tuple[str, ...]
    not_told: tuple[str, ...]

    def __str__(self) -> str:
        missed = f", {len(self.not_told)} could not be reached" if self.not_told else ""
        more = [f"{len(self.open) - NAMED:,} more"] if len(self.open) > NAMED else []
        names = f" ({', '.join([*self.open[:NAMED], *more])})" if self.open else ""
        told = f"{len(self.told)} targets were told{missed}."
        return f"{len(self.open):,} incidents are open{names}; {told}"


def look(alerts: Alerts, found: Sequence[Finding], targets: Sequence[str], now: datetime) -> int:
    """Bring the incidents up to date with what was found; how many are open."""
    states = alerts.targets()
    if missing := set(targets) - states.keys():
        alerts.see_to(missing, now)
    down = targets_down(states[one] for one in targets if one in states)
    known = [one for one in alerts.known(now) if one.closed_at is None]
    changed = changes(known, [*found, *down], now)
    if changed:
        alerts.keep(changed, now)
    return len(known) + len(changed.opened) - len(changed.closed)


def tell(alerts: Alerts, file: AlertsFile, send: Send, now: datetime) -> Round:
    """Send each target what it does not know yet; none holds up another."""
    known, states = alerts.known(now), alerts.targets()
    due = [
        (target, found)
        for target in file.targets
        for found in [message(file, target, known, states.get(target), now)]
        if found is not None and alerts.claim(target, now, now + CLAIM)
    ]
    problems = dict.fromkeys((target for target, _ in due), "it did not answer")
    for (target, _), problem, _ in in_parallel(
        lambda one: _sent(send, *one), due, AT_A_TIME, PATIENCE
    ):
        problems[target] = problem
    for target, found in due:
        _keep(alerts, target, found, problems[target], now)
    told = tuple(target for target, _ in due if not problems[target])
    missed = tuple(target for target, _ in due if problems[target])
    still = tuple(named(one.finding) for one in known if one.closed_at is None)
    return Round(still, told, missed)


def _sent(send: Send, target: str, found: Message) -> str:
    """What was wrong; nothing if the target took it."""
    failure = caught(lambda: send(target, found))
    return "" if failure is None else failure.message.rstrip(".")


def _keep(alerts: Alerts, target: str, found: Message, problem: str, now: datetime) -> None:
    if not problem:
        alerts.sent(target, found, now, now + PAUSE)
        return
    failures = alerts.targets()[target].failures + 1
    alerts.failed(target, problem, now, next_try(failures, now))


PING = "ping"
"""Stands for the target where the ping of the daemon is meant."""


def ping(alerts: Alerts, ask: Callable[[], None], now: datetime) -> str:
    """Tell the dead man's switch that all is looked after; what was wrong, or nothing."""
    problem = ""
    try:
        ask()
    except CioError as error:
        problem = error.message.rstrip(".")
    state = alerts.targets().get(PING)
    if problem and state is None:
        alerts.see_to([PING], now)
    if problem:
        alerts.failed(PING, problem, now, now)
    elif state is not None and state.failures:
        alerts.sent(PING, Message("", ""), now, now)
    return problem
