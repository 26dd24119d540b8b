"""A stretch of a fault day that Dagster's own processes serve, of which one is killed under load.

Daemon, code server, runs and PostgreSQL are real, and so is `kill -9`; only our clock is made: a
file holds it (`made_clock.py`). Dagster's own stays the machine's, so that ten minutes of silence
are told to it.
"""

import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from cio_pipeline.defs.runs import unfinished_runs
from cio_pipeline.model.windows import Window
from cio_pipeline_tests.deploy.machine import Machine
from cio_pipeline_tests.faults.made_clock import CLOCK
from cio_pipeline_tests.waiting import until
from cio_pipeline_tests.workers.silence import silent_for_long
from cio_pipeline_tests.world import QUARTER, World

SLOW_MACHINE = 600.0
SECOND = timedelta(seconds=1)
ALERTS_EVERY = 60.0
"""Seconds between two looks of the sensor that tells what is wrong."""
PLACES = {"cio_pipeline.definitions": "cio_pipeline_tests.faults.made_clock"}


@dataclass(frozen=True)
class Stretch:
    """Code server and daemon at work on a world."""

    machine: Machine

    @property
    def world(self) -> World:
        return self.machine.world

    def comes_to(self, moment: datetime) -> None:
        """All clocks of ours are at a moment."""
        self.world.now = max(self.world.now, moment)
        file = Path(os.environ[CLOCK])
        fresh = file.with_suffix(".new")
        fresh.write_text(self.world.now.isoformat())
        fresh.replace(file)

    def in_the_middle(self, closed: Window, local: str) -> None:
        """Wait until a run has delivered something of a window, and has not come to its end."""
        before = set(self.world.names(local))
        self.comes_to(closed.end + timedelta(seconds=1))
        until("files", SLOW_MACHINE, lambda: set(self.world.names(local)) - before)
        assert not self.settled(closed)

    def settled(self, closed: Window) -> bool:
        states = self.world.ledger.registry.states(["people", "metrics"])
        at = [
            one.position.at if one.position else datetime.min.replace(tzinfo=UTC)
            for one in states
            if one.switch.enabled
        ]
        return min(at) >= closed.end and not self.world.ledger.manifests.waiting().unput

    def under_way(self) -> Sequence[str]:
        """The runs that have a process now."""
        with dg.DagsterInstance.get() as instance:
            return [run.run_id for run in unfinished_runs(instance)]

    def ends(self, closed: Window, dead: Collection[str] = ()) -> None:
        """Wait until all is sent up to a window, and no run is left.

        Our clock goes on meanwhile, else nothing that failed would be tried again. That of Dagster
        stays behind it, so we say for it that `dead` runs have been silent for long.
        """
        last = closed.end + QUARTER - timedelta(seconds=1)

        def ended() -> bool:
            self.machine.keep_up()
            self.comes_to(min(self.world.now + SECOND, last))
            with dg.DagsterInstance.get() as instance:
                silent_for_long(instance, self.world.ledger, dead)
                time.sleep(SECOND.total_seconds())
                return self.settled(closed) and not unfinished_runs(instance)

        until("all syncs", SLOW_MACHINE, ended)


@contextmanager
def served(machine: Machine) -> Iterator[Stretch]:
    found = Stretch(machine)
    found.comes_to(machine.world.now)
    for unit in ("code", "daemon"):
        machine.start(unit)
    try:
        yield found
    finally:
        for unit in list(machine.running):
            machine.kill(unit)


def down(kill: Callable[[], None]) -> None:
    """Kill something, and leave it so until all sensors are due again."""
    kill()
    time.sleep(ALERTS_EVERY)
