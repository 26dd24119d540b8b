"""Metrics for Prometheus: right numbers, bounded series, no scrape that fails; the dashboard."""

import json
import re
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from cio_pipeline.cli import metrics
from cio_pipeline.cli.app import app
from cio_pipeline.exposition import METRICS, OTHERS, LedgerCollector, Seen, as_text, serve
from cio_pipeline.model.errors import InvalidConfig, LedgerBusy
from cio_pipeline.pipeline.checking.overview import overview
from cio_pipeline_tests.cli.test_top import two_syncs
from cio_pipeline_tests.world import World

DASHBOARD = Path(__file__).parents[2] / "deploy/grafana.json"


def seen(world: World) -> Callable[[], Seen]:
    return lambda: Seen(overview(world.services), {"error": 1, "warning": 0}, 0, 10**10)


def values(text: str) -> dict[str, dict[str, float]]:
    """By name and sync (or other label)."""
    return {
        sample.name: values_of
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        for values_of in [
            {
                one.labels.get("sync") or "".join(one.labels.values()): one.value
                for one in family.samples
                if one.name == sample.name
            }
        ]
    }


def test_metrics_tell_lag_rows_and_who_is_late(world: World) -> None:
    two_syncs(world)
    found = values(as_text(LedgerCollector(seen(world))))
    assert found["cio_sync_lag_seconds"] == {"late": 8100.0, "well": 0.0}
    assert found["cio_sync_wrong"] == {"late": 1.0, "well": 0.0}
    assert found["cio_sync_rows_total"] == {"late": 0.0, "well": 3.0}
    assert found["cio_sync_bytes_total"]["well"] > 100
    assert found["cio_syncs"]["late"] == 1
    assert found["cio_incidents"] == {"error": 1.0, "warning": 0.0}
    assert found["cio_ledger_up"] == {"": 1.0}


def test_so_many_syncs_are_named_and_the_others_summed(world: World) -> None:
    two_syncs(world)
    (late, well) = sorted(overview(world.services).syncs, key=lambda one: one.sync_id)
    many = [replace(well, sync_id=f"z{number:04}") for number in range(1000)]
    base = seen(world)()
    crowd = replace(base, overview=replace(base.overview, syncs=(late, well, *many)))
    text = as_text(LedgerCollector(lambda: crowd, most=2))
    found = values(text)
    assert found["cio_sync_rows_total"] == {"late": 0.0, "well": 3.0, OTHERS: 3000.0}
    assert found["cio_sync_lag_seconds"][OTHERS] == 0.0, "the one furthest behind"
    assert len([line for line in text.splitlines() if not line.startswith("#")]) < 60


def test_a_ledger_that_does_not_answer_is_a_metric(world: World) -> None:
    def look() -> Seen:
        raise LedgerBusy("No.")

    assert values(as_text(LedgerCollector(look))) == {"cio_ledger_up": {"": 0.0}}

    def breaks() -> Seen:
        raise OSError("no such device")

    assert values(as_text(LedgerCollector(breaks))) == {"cio_ledger_up": {"": 0.0}}


def test_the_ledger_is_asked_once_in_five_seconds(world: World) -> None:
    times = iter([0.0, 4.0, 6.0])
    asked: list[int] = []

    def look() -> Seen:
        asked.append(1)
        return seen(world)()

    collector = LedgerCollector(look, clock=lambda: next(times))
    for _ in range(3):
        collector.collect()
    assert len(asked) == 2


def test_they_are_served_printed_and_put_into_a_file(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_syncs(world)
    monkeypatch.setattr(metrics, "services", lambda: world.services)
    server, thread = serve(LedgerCollector(seen(world)), 0, "127.0.0.1")
    try:
        url = f"http://127.0.0.1:{server.server_port}/metrics"
        with urllib.request.urlopen(url, timeout=20) as answer:
            assert "cio_sync_lag_seconds" in answer.read().decode()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert 'cio_sync_wrong{feed="data-out",sync="late"} 1.0' in (
        CliRunner().invoke(app, ["metrics"]).stdout
    )
    path = tmp_path / "cio.prom"
    CliRunner().invoke(app, ["metrics", "--file", str(path)])
    assert "cio_disk_free_bytes" in path.read_text()


@pytest.mark.parametrize(
    ("address", "why"),
    [("127.0.0.1", "Address already in use"), ("no.host.invalid", "Name or service not known")],
)
def test_where_nobody_can_answer_it_is_said(world: World, address: str, why: str) -> None:
    def collector() -> LedgerCollector:
        return LedgerCollector(lambda: Seen(overview(world.services), {}, 0, 0))

    server, thread = serve(collector(), 0, "127.0.0.1")
    try:
        with pytest.raises(InvalidConfig, match=why):
            serve(collector(), server.server_port, address)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_dashboard_asks_for_what_there_is_and_for_all_of_it(world: World) -> None:
    two_syncs(world)
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    asked = "\n".join(one["expr"] for panel in dashboard["panels"] for one in panel["targets"])
    there = set(values(as_text(LedgerCollector(seen(world)))))
    assert set(re.findall(r"\bcio_\w+", asked)) == there
    labels = {"sync", "feed", "severity", "condition"}
    assert set(re.findall(r"(\w+)=~", asked)) <= labels
    assert {f"{one.name}{'_total' * (one.kind == 'counter')}" for one in METRICS} <= there
    boxes = [panel["gridPos"] for panel in dashboard["panels"]]
    assert all(one["x"] + one["w"] <= 24 for one in boxes)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(boxes)
