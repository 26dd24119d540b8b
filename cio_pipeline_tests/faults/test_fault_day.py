"""O1, O3, O8: a day on which everything fails once. It ends whole, and each fault was named once.

The clock is made; ledger (PostgreSQL), stores (S3 behind a proxy that fails, folders) and source
are real. So are daemon, code server, runs and PostgreSQL's server where one of them is killed
(`real_processes.py`). `CIO_FAULT_WINDOWS` sets how many windows lie between two faults: 3 in
`make test-deep`; 14 make two days of it, 196 windows in some forty minutes.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from deltalake import DeltaTable, Field
from deltalake.schema import PrimitiveType

from cio_pipeline.alerting import send
from cio_pipeline.destinations.open import credentials_until
from cio_pipeline.model.errors import CioError
from cio_pipeline.pipeline.alerting.findings import findings
from cio_pipeline.pipeline.alerting.read_file import read_alerts_file
from cio_pipeline.pipeline.alerting.rounds import look, tell
from cio_pipeline.pipeline.lifecycle.order import Order
from cio_pipeline.pipeline.lifecycle.verbs import RESUME
from cio_pipeline.pipeline.services import Services
from cio_pipeline.reader.feed import Feed
from cio_pipeline_tests.alerting.servers import hook
from cio_pipeline_tests.crashes import Crash, watched
from cio_pipeline_tests.deploy.machine import ALERTS, Machine, configured, make_databases
from cio_pipeline_tests.destinations.fault_proxy import Fault, FaultProxy, proxy_before
from cio_pipeline_tests.destinations.servers import KEY_ID, SECRET, S3Server, moto_server
from cio_pipeline_tests.faults.child import Full
from cio_pipeline_tests.faults.made_clock import CLOCK
from cio_pipeline_tests.faults.real_processes import PLACES, down, served
from cio_pipeline_tests.postgres import Cluster, running_cluster
from cio_pipeline_tests.world import QUARTER, World, during, window

BETWEEN = int(os.environ.get("CIO_FAULT_WINDOWS", "3"))
EXPORTS = ("people", "metrics")
LOCAL, CUT, SLOW, GONE = "local", "cut", "slow", "gone"
SYNCS = {LOCAL: 1, CUT: 2, SLOW: 3, GONE: 4}
XML = "<Error><Code>{}</Code><Message>no</Message></Error>"


@dataclass
class Day:
    """A world of four syncs, the window that it has come to, and what alerts have told of it."""

    world: World
    cluster: Cluster
    proxies: dict[str, FaultProxy]
    machine: Machine
    number: int = 0
    room: int = 10**12
    incidents: dict[int, tuple[str, str | None]] = field(
        default_factory=dict[int, tuple[str, str | None]]
    )
    sent: dict[int, dict[str, tuple[int, str]]] = field(
        default_factory=dict[int, dict[str, tuple[int, str]]]
    )

    def write(self) -> None:
        """Somebody new and something that happens in each workspace; an old row changes."""
        for workspace in SYNCS.values():
            rows = self.sent.setdefault(workspace, {})
            rows[f"e{self.number}"] = (1, "sent")
            rows["e0"] = (self.number + 1, f"change {self.number}")
            self.world.commit(
                "metrics",
                *(
                    {"workspace_id": workspace, "event_id": event, "seq_num": seq, "metric": name}
                    for event, (seq, name) in rows.items()
                    if event in {"e0", f"e{self.number}"}
                ),
                at=during(self.number),
            )
            self.world.commit(
                "people",
                {"workspace_id": workspace, "internal_customer_id": f"p{self.number}"},
                at=during(self.number),
            )

    def quarter(self, services: Services | None = None) -> None:
        """A window is written, run and looked at, whatever becomes of the run."""
        self.write()
        with suppress(Crash, CioError):
            self.world.run(self.number, *EXPORTS, services=services)
        self.look()
        self.number += 1

    def look(self) -> None:
        """What the sensor of alerts does."""
        self.world.now = max(self.world.now, window(self.number).end + 2 * QUARTER / 3)
        found = findings(self.world.services, credentials_until, lambda _: self.room)
        alerts, file = self.world.ledger.alerts, read_alerts_file(ALERTS)
        look(alerts, found, file.targets, self.world.now)
        tell(alerts, file, send, self.world.now)

    def calm(self) -> None:
        """Nothing fails for some windows."""
        for _ in range(BETWEEN):
            self.quarter()

        known = self.world.ledger.alerts.known(self.world.now)
        self.incidents |= {one.number: (one.finding.check, one.finding.sync_id) for one in known}

    def place(self, name: str) -> Any:
        """Where a sync's reader looks."""
        sync = self.world.ledger.registry.get(name).sync
        if name == LOCAL:
            return str(self.world.folder(LOCAL))
        return sync.destination.model_dump(mode="json", exclude_none=True)


@pytest.fixture
def day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Day]:
    monkeypatch.setenv("S3_KEY_ID", KEY_ID)
    monkeypatch.setenv("S3_SECRET", SECRET)
    monkeypatch.setenv(CLOCK, str(tmp_path / "clock"))
    with running_cluster() as cluster, moto_server() as server, hook() as alerted:
        make_databases(cluster)
        world = World(tmp_path / "world", ledger_url=cluster.new_schema())
        with (
            proxy_before(server.url) as a,
            proxy_before(server.url) as b,
            proxy_before(server.url) as c,
        ):
            proxies: dict[str, FaultProxy] = {CUT: a, SLOW: b, GONE: c}
            place = {"type": "local", "path": str(world.folder(LOCAL))}
            world.sync(LOCAL, 1, exports=EXPORTS, owner="growth", destination=place)
            for name, proxy in proxies.items():
                world.sync(name, SYNCS[name], exports=EXPORTS, destination=_s3(server, proxy))
            machine = configured(tmp_path / "machine", cluster, world, alerted, PLACES)
            for name, value in machine.environment.items():
                monkeypatch.setenv(name, value)
            yield Day(world, cluster, proxies, machine)
        world.ledger.close()


def _s3(server: S3Server, proxy: FaultProxy) -> dict[str, Any]:
    options = server.options(server.bucket(), url=proxy.url)
    return options.model_dump(mode="json", exclude_none=True)


@dataclass
class At:
    """Does something before the first effect of a name."""

    name: str
    act: Callable[[], None]
    done: bool = False

    def burn(self, name: str, effect: Callable[[], Any]) -> Any:
        if name == self.name and not self.done:
            self.done = True
            self.act()
        return effect()


def dies(day: Day) -> None:
    """The run's process dies before its last delivery is told, and nobody starts another."""

    def die() -> None:
        raise Crash("plans.deliver")

    day.quarter(watched(day.world.services, At("plans.deliver", die), "run that dies"))
    for _ in range(2):
        day.write()
        day.look()
        day.number += 1


def daemon_killed(day: Day) -> None:
    """Runs go on, and nobody asks for others."""
    killed(day, lambda: day.machine.kill("daemon"), lambda: day.machine.start("daemon"), runs=False)


def code_server_killed(day: Day) -> None:
    """Its runs die with it."""
    killed(day, lambda: day.machine.kill("code"), lambda: day.machine.start("code"))


def database_server_killed(day: Day) -> None:
    """Ledger and Dagster's storage are gone, as they were at the last commit."""
    killed(day, day.cluster.kill, day.cluster.start_again)


def killed(
    day: Day, kill: Callable[[], None], again: Callable[[], None], *, runs: bool = True
) -> None:
    """In the middle of a run that Dagster started, and three windows pass until somebody comes.

    `runs`: with it, the runs that are under way.
    """
    with served(day.machine) as stretch:
        day.write()
        for proxy in day.proxies.values():
            proxy.lasting = Fault(delay=0.5)
        stretch.in_the_middle(window(day.number), LOCAL)
        dead = stretch.under_way() if runs else ()
        down(kill)
        for proxy in day.proxies.values():
            proxy.lasting = None
        for _ in range(3):
            day.number += 1
            day.write()
        stretch.comes_to(window(day.number).end + 2 * QUARTER / 3)
        again()
        stretch.ends(window(day.number), dead)
        day.number += 1


def connections_broken(day: Day) -> None:
    """All connections to the ledger break while a run works: it opens others and goes on."""

    def kill() -> None:
        with psycopg.connect(day.cluster.url("postgres"), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )

    killing = At("plans.seal", kill)
    day.quarter(watched(day.world.services, killing, "run that loses its ledger"))
    assert killing.done


def disk_full(day: Day) -> None:
    """No file grows while changes are encoded, and little room is left."""
    day.room = 10**8
    day.quarter(watched(day.world.services, Full(("encode",)), "run without room"))
    day.room = 10**12


def cut_off(day: Day) -> None:
    """Connections to a store break."""
    fails(day, CUT, Fault(reset=True))


def throttled(day: Day) -> None:
    """A store wants fewer requests than none."""
    fails(day, SLOW, Fault(answer=(503, XML.format("SlowDown"))))


def store_gone(day: Day) -> None:
    """A bucket is not there any more; once it is, somebody says so, as the alert asks for."""
    fails(day, GONE, Fault(answer=(404, XML.format("NoSuchBucket"))))
    RESUME.do(day.world.services, Order(GONE, day.world.now, "ann", ()))


def fails(day: Day, sync_id: str, fault: Fault) -> None:
    day.proxies[sync_id].lasting = fault
    for _ in range(3):
        day.quarter()
    day.proxies[sync_id].lasting = None


def clock_jumps(day: Day) -> None:
    """A run believes that it is tomorrow."""
    ahead = replace(day.world.services, clock=lambda: day.world.now + timedelta(days=1))
    day.quarter(ahead)


def column_comes(day: Day) -> None:
    """The writer of people adds a column."""
    table = DeltaTable(f"{day.world.source_uri}/people")
    table.alter.add_columns([Field("favourite_colour", PrimitiveType("string"))])
    day.quarter()


FAULTS = {
    dies: {("delayed_syncs", one) for one in SYNCS},
    daemon_killed: {("delayed_syncs", one) for one in SYNCS},
    code_server_killed: {("delayed_syncs", one) for one in SYNCS},
    database_server_killed: {("delayed_syncs", one) for one in SYNCS},
    connections_broken: set(),
    disk_full: {("disk", None)},
    cut_off: {("breaker", CUT)},
    throttled: {("breaker", SLOW)},
    store_gone: {("breaker", GONE)},
    clock_jumps: set[tuple[str, str | None]](),
    column_comes: {("source_columns", None)},
}
"""What happens, and the incidents that tell of it. What the next run, or the same, heals before
anything is late is no incident: lost connections, a clock that jumps."""


@pytest.mark.deep
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_o8_a_day_of_faults_ends_whole_and_each_was_named_once(day: Day) -> None:
    day.calm()
    expected: Counter[tuple[str, str | None]] = Counter()
    for fault, told in FAULTS.items():
        fault(day)
        day.calm()
        expected.update(told)
        assert Counter(day.incidents.values()) == expected, fault.__name__
    known = day.world.ledger.alerts.known(day.world.now)
    assert {one.finding.check for one in known if one.closed_at is None} <= {"source_columns"}
    for name, workspace in SYNCS.items():
        assert day.world.verify(name).ok
        feed = Feed(day.place(name))
        metrics = feed.table("metrics").select("event_id", "seq_num", "metric").collect()
        assert {event: (seq, metric) for event, seq, metric in metrics.rows()} == day.sent[
            workspace
        ]
        people = feed.table("people").collect()["internal_customer_id"]
        assert sorted(people) == sorted(f"p{n}" for n in range(day.number))
