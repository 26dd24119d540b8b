"""Metrics for Prometheus, read from the ledger when they are asked for.

At most so many syncs are named; all others are one series. So the number of series is bounded,
however many syncs there are.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cio_pipeline.extras import needs
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.pipeline.checking.overview import Condition, Overview, SyncRow

OTHERS = "_others"
"""The sync that stands for all that are not named."""

LEAST_SECONDS = 5.0
"""Who asks again sooner is told the same: the ledger is asked no more often."""


@dataclass(frozen=True)
class Metric:
    """What is told of each sync: a `gauge`, or a `counter` that begins anew each midnight (UTC)."""

    name: str
    kind: str
    help: str
    of: Callable[[SyncRow], float]
    together: Callable[[Iterable[float]], float] = sum


METRICS: tuple[Metric, ...] = (
    Metric(
        "cio_sync_lag_seconds",
        "gauge",
        "Seconds since the time up to which all was delivered; -1 before the first files.",
        lambda one: -1 if one.lag is None else one.lag,
        max,
    ),
    Metric(
        "cio_sync_wrong",
        "gauge",
        "1 if a breaker is open, an export fails, or it is late.",
        lambda one: float(one.condition in _WRONG),
    ),
    Metric(
        "cio_sync_failing_exports",
        "gauge",
        "Exports whose last window failed.",
        lambda one: one.failing,
    ),
    Metric(
        "cio_sync_quarantined_rows",
        "gauge",
        "Rows that are held back now.",
        lambda one: one.quarantined,
    ),
    Metric(
        "cio_sync_rows",
        "counter",
        "Rows sent in windows since midnight UTC, first files left out.",
        lambda one: one.rows,
    ),
    Metric(
        "cio_sync_bytes",
        "counter",
        "Bytes sent in windows since midnight UTC, first files left out.",
        lambda one: one.bytes,
    ),
)

_WRONG = {Condition.BREAKER, Condition.FAILING, Condition.LATE}


@dataclass(frozen=True)
class Seen:
    """What metrics are made of."""

    overview: Overview
    incidents: dict[str, int]
    targets_down: int
    disk_free: int


@dataclass(eq=False)
class LedgerCollector:
    """Gives all metrics; `look` asks the ledger. What fails is a metric, too: a scrape never does.

    `most` syncs are named, those with the first ids.
    """

    look: Callable[[], Seen]
    most: int = 200
    clock: Callable[[], float] = time.monotonic
    _last: tuple[float, Sequence[Any]] | None = field(default=None, init=False)

    def describe(self) -> Iterable[Any]:
        """Nothing beforehand: else the library would ask the ledger to learn the names."""
        return ()

    def collect(self) -> Iterable[Any]:
        """The families of metrics."""
        now = self.clock()
        if self._last is None or now - self._last[0] >= LEAST_SECONDS:
            self._last = (now, list(self._families()))
        return self._last[1]

    def _families(self) -> Iterator[Any]:
        begun = time.monotonic()
        try:
            seen = self.look()
        except Exception:  # noqa: BLE001 - such as a disk that cannot be asked
            yield _single("cio_ledger_up", "1 if the ledger answered.", 0)
            return
        yield _single("cio_ledger_up", "1 if the ledger answered.", 1)
        yield from _sums(seen)
        yield from self._of_syncs(sorted(seen.overview.syncs, key=lambda one: one.sync_id))
        told = "Seconds that reading the ledger took."
        yield _single("cio_scrape_seconds", told, time.monotonic() - begun)

    def _of_syncs(self, syncs: Sequence[SyncRow]) -> Iterator[Any]:
        named, others = syncs[: self.most], syncs[self.most :]
        for metric in METRICS:
            family = _family(metric.kind, metric.name, metric.help, ["sync", "feed"])
            for one in named:
                family.add_metric([one.sync_id, one.feed.value], metric.of(one))
            if others:
                family.add_metric([OTHERS, ""], metric.together(map(metric.of, others)))
            yield family


def _sums(seen: Seen) -> Iterator[Any]:
    conditions = _family("gauge", "cio_syncs", "Syncs, by how they do.", ["condition"])
    for condition in Condition:
        conditions.add_metric([condition.value], seen.overview.count(condition))
    yield conditions
    incidents = _family("gauge", "cio_incidents", "Incidents that are open.", ["severity"])
    for severity, number in sorted(seen.incidents.items()):
        incidents.add_metric([severity], number)
    yield incidents
    yield _single("cio_alert_targets_down", "Targets of alerts that fail.", seen.targets_down)
    yield _single("cio_runs", "Runs that hold a lease.", len(seen.overview.standing.running))
    yield _single("cio_disk_free_bytes", "Free bytes where files are encoded.", seen.disk_free)


def _family(kind: str, name: str, told: str, labels: Sequence[str] = ()) -> Any:
    library = needs("prometheus_client.core")
    families = {"gauge": library.GaugeMetricFamily, "counter": library.CounterMetricFamily}
    return families[kind](name, told, labels=labels)


def _single(name: str, told: str, value: float) -> Any:
    family = _family("gauge", name, told)
    family.add_metric([], value)
    return family


def registry(collector: LedgerCollector) -> Any:
    """A registry of these metrics alone; raises InvalidConfig without the library."""
    found = needs("prometheus_client").CollectorRegistry()
    found.register(collector)
    return found


def as_text(collector: LedgerCollector) -> str:
    """All metrics in Prometheus' text format."""
    return needs("prometheus_client").generate_latest(registry(collector)).decode()


def to_file(collector: LedgerCollector, path: Path) -> None:
    """Put them in a file, at once, for the textfile collector of node_exporter.

    Raises InvalidConfig if it cannot be written.
    """
    try:
        needs("prometheus_client").write_to_textfile(str(path), registry(collector))
    except OSError as error:
        # The error's own path is that of a part of it.
        raise InvalidConfig(
            f"{path} cannot be written: {error.strerror}.", "Name another file."
        ) from error


def serve(collector: LedgerCollector, port: int, address: str) -> tuple[Any, Any]:
    """Answer at `http://address:port/metrics` in a thread; the server, and the thread.

    Raises InvalidConfig where nobody can answer.
    """
    try:
        return needs("prometheus_client").start_http_server(port, address, registry(collector))
    except OSError as error:
        raise InvalidConfig(
            f"Nothing can answer at {address}, port {port}: {error.strerror}.",
            "Name another --port, or an --address of this machine.",
        ) from error
