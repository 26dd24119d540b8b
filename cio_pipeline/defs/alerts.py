"""A sensor that tells people what is wrong (O3), and a dead man's switch that all is looked after.

A round goes on in a thread of its own: Dagster evaluates sensors in turn, and a service that takes
its time to answer must not hold up the windows.
"""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.scheduler.instigation import TickStatus

from cio_pipeline.alerting import alerts_file, one_round
from cio_pipeline.defs.feeds import SHOWN
from cio_pipeline.defs.resources import PipelineResource
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.times import EARLIEST
from cio_pipeline.settings import settings

FRESH = timedelta(minutes=5)
"""Who has not been heard of for longer does not look after the windows."""

_BRIEFLY = 5.0
"""Seconds that a tick waits for its round, to tell what came of it."""

EVERY = timedelta(minutes=5)
"""How often all is looked at: checks ask buckets, too. What is known is told every minute."""

_TICKS = 5
"""Ticks of a sensor that are looked at: the last one may not have come to its end yet."""


class Rounds:
    """One round at a time in this process."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._told: list[str] = []
        self._failed: list[BaseException] = []
        self._looked = EARLIEST

    @property
    def _under_way(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def looks(self, now: datetime) -> bool:
        """Whether all is to be looked at again by now; it is, then.

        After a round that failed it is: else the ping would go out while nobody can look.
        """
        if self._under_way or timedelta(0) <= now - self._looked < EVERY:
            return False
        self._looked = now
        return True

    def begin(self, work: Callable[[], str], patience: float = _BRIEFLY) -> str:
        """Begin a round unless one is under way; what it told, if that did not take long.

        Raises what it, or the one before, raised.
        """
        if self._under_way:
            return "The round before is still under way."
        self._raise()

        def run() -> None:
            try:
                self._told = [work()]
            except BaseException as error:  # noqa: BLE001 - raised in a tick
                self._failed, self._looked = [error], EARLIEST

        self._thread = threading.Thread(target=run, name="alerts", daemon=True)
        self._thread.start()
        self._thread.join(patience)
        self._raise()
        return "It goes on by itself." if self._thread.is_alive() else self._told[0]

    def _raise(self) -> None:
        if self._failed:
            raise self._failed.pop()


ROUNDS = Rounds()


@dg.sensor(
    name="alerts",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells the owners of syncs what is wrong, once when it begins and once when it is "
    "over, as the file says that CIO_ALERTS names; and asks for the ping_url while daemon and "
    "sensors are at work.",
)
def send_alerts(
    context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[PipelineResource]
) -> dg.SkipReason:
    """A round; it starts no run."""
    chosen = settings()
    if chosen.alerts is None:
        return dg.SkipReason("CIO_ALERTS names no file: nobody is told. See docs/alerts.md.")
    file = alerts_file(chosen)
    services = pipeline.services("alerts")
    idle = asleep(context.instance, datetime.now(UTC))
    looks = ROUNDS.looks(services.clock())
    return dg.SkipReason(ROUNDS.begin(lambda: one_round(services, file, idle, looks=looks)))


def asleep(instance: dg.DagsterInstance, now: datetime) -> str:
    """Which of the daemon's parts, or of the feeds' sensors, is not at work; nothing if all are."""
    return " ".join([*_silent_daemons(instance, now), *_silent_sensors(instance, now)])


def _silent_daemons(instance: dg.DagsterInstance, now: datetime) -> Iterator[str]:
    beats = instance.get_daemon_heartbeats()
    for kind in instance.get_required_daemon_types():
        beat = beats.get(kind)
        if beat is None or now.timestamp() - beat.timestamp > FRESH.total_seconds():
            yield f"{kind.capitalize().replace('_', ' ')} is silent."


def _silent_sensors(instance: dg.DagsterInstance, now: datetime) -> Iterator[str]:
    states = [one for one in instance.all_instigator_state() if one.name]
    since = (now - FRESH).timestamp()
    for feed in Feed:
        name = SHOWN[feed].sensor
        ticks = [
            tick
            for one in states
            if one.name == name
            for tick in instance.get_ticks(one.instigator_origin_id, one.selector_id, limit=_TICKS)
        ]
        well = {TickStatus.SUCCESS, TickStatus.SKIPPED}
        if not any(tick.status in well and tick.timestamp >= since for tick in ticks):
            yield f"The sensor {name} has not looked at the windows."
