"""A day in the Dagster UI: the graph, a launch, a broken sync, a restore, a backfill, an outage, a
retry.

`make pictures` takes the pictures of the docs anew from what it saw.

On real processes and a real clock, so the windows are those of the last hour or so. The steps
build on one another; much of their time is waiting for the daemon's half-minute ticks.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cio_pipeline.contracts.feeds import exports_of_sync
from cio_pipeline.demo.world import TINY
from cio_pipeline.demo.write import write_commit, write_history
from cio_pipeline.ledger.open import open_ledger
from cio_pipeline.model.feeds import Cadence
from cio_pipeline.model.registry import ExportSwitch
from cio_pipeline.model.windows import Window, data_out_window, last_closed_window
from cio_pipeline.pipeline.syncs.sync_file import read_sync_file
from cio_pipeline.wiring import now
from cio_pipeline_tests.alerting.servers import Hook, hook
from cio_pipeline_tests.ui.browser import Browser, opened
from cio_pipeline_tests.ui.processes import LOCATION, Processes, until

WINDOWS = 5
PATIENCE = 480
"""Seconds for a run to come and end, on a machine that others use too."""
SYNCS = """
syncs:
  - {{id: good, workspace_id: 1, destination: {{type: local, path: {home}/bucket/good}}}}
  - id: other
    workspace_id: 1
    exports: [people]
    destination: {{type: local, path: {home}/bucket/other}}
  - id: broken
    workspace_id: 2
    owner: data@beta.example
    exports: [people]
    destination: {{type: local, path: {home}/in-the-way/broken}}
"""
LATE = """
syncs:
  - id: late
    workspace_id: 2
    exports: [people]
    destination: {{type: local, path: {home}/bucket/late}}
"""
RESTORE = """
resources:
  scope:
    config: {sync_ids: [good], mode: restore}
"""
PEOPLE = "people_v5_1_1.parquet"
GRAPH = "/asset-groups?expanded=" + "%2C".join(
    f"global%40global%3A{group}" for group in ("source", "data_out")
)


def last_windows() -> list[Window]:
    found = [last_closed_window(now(), Cadence.QUARTER_HOUR)]
    while len(found) < WINDOWS:
        found.insert(0, data_out_window(found[0].start - timedelta(minutes=1)))
    return found


def simulate(home: Path, windows: list[Window]) -> None:
    """A platform whose history ends in the first window and goes on in each later one."""
    early = timedelta(minutes=5)
    uri = str(home / "source")
    state = write_history(uri, TINY, 1, windows[0].start + early, lambda *_: None)
    for window in windows[1:]:
        state = write_commit(uri, state, window.start + early, lambda *_: None)
    (home / "in-the-way").write_text("a file where a folder should be")
    register(home, SYNCS, windows[0])


def register(home: Path, syncs: str, window: Window) -> None:
    """Register syncs as if before this window: only windows that end later are theirs."""
    ledger = open_ledger(f"sqlite:///{home / 'ledger.db'}")
    for sync in read_sync_file(syncs.format(home=home)):
        switches = {name: ExportSwitch(enabled=True) for name in exports_of_sync(sync)}
        ledger.registry.put(sync, switches, window.start)
    ledger.close()


def of_window(runs: list[dict[str, Any]], window: Window, *status: str) -> list[dict[str, Any]]:
    """The runs of a window, of any status or of one."""
    found = [run for run in runs if run["tags"].get("dagster/partition") == window.key]
    return [run for run in found if not status or run["status"] in status]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    """Who is told of all that is wrong."""
    file = tmp_path / "alerts.yaml"
    file.write_text("routes: [{owner: '*', targets: [env:OPS], severity: warning}]")
    with hook() as found:
        monkeypatch.setenv("CIO_ALERTS", str(file))
        monkeypatch.setenv("OPS", found.url)
        yield found


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    found = Processes(tmp_path / "home")
    try:
        yield found
    finally:
        found.stop_all()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_day_in_the_ui(told: Hook, processes: Processes, tmp_path: Path) -> None:
    windows = last_windows()
    simulate(processes.home, windows)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    processes.start_webserver()
    processes.switch_sensor(on=False)
    processes.start_daemon()
    with opened(processes.url, pictures, tmp_path / "profile") as browser:
        sees_the_graph(browser)
        launches_a_window(browser, processes, windows[0])
        sees_the_broken_sync(browser, processes, windows[0])
        with restoring(browser, processes, windows[0]):
            backfills(browser, processes, windows[1:3])
        catches_up_after_an_outage(processes, windows[3:])
        retries_what_failed(browser, processes, windows[0])
        sees_what_is_told(browser, told)
    if kept := os.environ.get("CIO_PICTURES"):
        for old in sorted(Path(kept).glob("*.png")):
            shutil.copyfile(pictures / old.name, old)


def sees_the_graph(browser: Browser) -> None:
    """Groups, source tables, exports and the manifest; nothing in front of them."""
    browser.go("/asset-groups")
    browser.sees("Global asset lineage", "source", "data_out")
    browser.go(f"/locations/{LOCATION}/asset-groups/data_out/lineage")
    browser.sees("manifest", "inbound", "partitions")
    browser.go(GRAPH)
    browser.sees("manifest", "Delta Lake", "Parquet")
    browser.settles()
    browser.picture("1-graph")
    assert "newsletter" not in browser.text()


def launch(browser: Browser, selection: str, button: str) -> None:
    """Click a launch together, as a person does, and see what the dialog is about to do."""
    browser.go(f"/locations/{LOCATION}/jobs/data_out")
    browser.click("Materialize all")
    browser.type_partitions(selection)
    browser.sees(button)
    browser.picture(f"2-{button.replace(' ', '-').lower()}")
    browser.click("Launch ")


def launches_a_window(browser: Browser, processes: Processes, window: Window) -> None:
    launch(browser, window.key, "Launch 1 run")
    until("the launch", PATIENCE, lambda: of_window(processes.runs(), window))
    browser.rests()
    until("the launched run", PATIENCE, lambda: of_window(processes.runs(), window, "SUCCESS"))
    assert all((processes.home / "bucket" / one / PEOPLE).exists() for one in ("good", "other"))


def sees_the_broken_sync(browser: Browser, processes: Processes, window: Window) -> None:
    """O8: the partition is green, its check is red and says why."""
    check = processes.check("people")
    assert check is not None
    assert (check["status"], check["evaluation"]["partition"]) == ("FAILED", window.key)
    reason = check["evaluation"]["description"]
    assert reason.startswith("2 of 3 due syncs are in order. broken (data@beta.example): ")
    assert "folder" in reason
    assert window.key in processes.materialized("people")
    browser.go(f"/assets/people?view=partitions&partition={window.key}")
    browser.sees("Materialized", "good", "broken", "folder")
    browser.picture("3-materialisation")
    browser.go("/assets/people?view=checks")
    browser.sees("Failed", reason)
    browser.picture("4-check")
    sees_the_windows_checks(browser, processes)
    processes.cli("sync", "pause", "broken")


def sees_the_windows_checks(browser: Browser, processes: Processes) -> None:
    """O1: one check names the sync that is behind, why, and what to run next."""
    check = processes.check("manifest", "delayed_syncs")
    assert check is not None
    assert check["status"] == "FAILED"
    told = "broken (data@beta.example): people: nothing was delivered since"
    assert told in check["evaluation"]["description"]
    browser.go("/assets/manifest?view=checks&checkDetail=delayed_syncs")
    browser.sees("delayed_syncs", "missing_files", "volumes", "broken (data@beta.example)")
    browser.settles()
    browser.picture("8-checks")


@contextmanager
def restoring(browser: Browser, processes: Processes, window: Window) -> Iterator[None]:
    """Two syncs lose a file; one is restored by its scope while the block goes on."""
    lost, other = (processes.home / "bucket" / one / PEOPLE for one in ("good", "other"))
    body = lost.read_bytes()
    lost.unlink()
    other.unlink()
    browser.go(f"/locations/{LOCATION}/jobs/data_out/playground")
    browser.sees("Launch Run", "No errors")
    browser.pick_partition(window.key)
    browser.sees("partition_set: data_out_partition_set")
    browser.write_config(RESTORE)
    browser.sees("mode: restore", "No errors")
    browser.picture("5-restore")
    browser.click("Launch ")
    until("the page of the restoring run", PATIENCE, lambda: "/runs/" in browser.driver.current_url)
    run_id = browser.driver.current_url.rpartition("/")[2]
    browser.rests()
    yield
    until("the restore", PATIENCE, lambda: of_window(processes.runs(), window, "SUCCESS")[1:])
    assert lost.read_bytes() == body
    assert not other.exists(), "it is out of the run's scope"
    browser.go(f"/runs/{run_id}")
    browser.sees("Success", window.key)
    browser.rests()


def backfills(browser: Browser, processes: Processes, windows: list[Window]) -> None:
    launch(browser, f"[{windows[0].key}...{windows[-1].key}]", "Launch backfill")
    until("the launch", PATIENCE, lambda: of_window(processes.runs(), windows[0]))
    browser.rests()
    for window in windows:
        until(
            f"the backfill of {window.key}",
            PATIENCE,
            lambda window=window: of_window(processes.runs(), window, "SUCCESS"),
        )


def catches_up_after_an_outage(processes: Processes, windows: list[Window]) -> None:
    """Windows that closed while no daemon ran get a run each."""
    processes.stop("dagster-daemon")
    processes.switch_sensor(on=True)
    processes.start_daemon()
    for window in windows:
        until(
            f"the sensor's run of {window.key}",
            PATIENCE,
            lambda window=window: with_key(processes, f"tick:{window.key}:1", "SUCCESS"),
        )
    assert processes.materialized("people") >= {window.key for window in windows}
    assert "complete up to manifest" in processes.cli("verify", "good")


def retries_what_failed(browser: Browser, processes: Processes, window: Window) -> None:
    """While the source is away, one sync is mended and one is new: red, then tried again."""
    (processes.home / "in-the-way").unlink()
    source, away = processes.home / "source", processes.home / "away"
    source.rename(away)
    register(processes.home, LATE, window)
    processes.cli("sync", "resume", "broken")
    until("a failed try", PATIENCE, lambda: with_key(processes, ":broken:1", "FAILURE"))
    away.rename(source)
    until("another try", PATIENCE, lambda: with_key(processes, ":broken:", "SUCCESS"))
    for one in ("broken", "late"):
        whole = f"everything delivered to {one}"
        # Before its first manifest there is nothing to verify, and that is no pass.
        until(
            whole,
            PATIENCE,
            lambda one=one: "complete up to" in processes.cli("verify", one, check=False),
        )
    browser.go(f"/locations/{LOCATION}/sensors/export_sensor")
    browser.sees("Latest tick", "Evaluations")
    browser.picture("6-sensor")
    browser.go("/runs")
    browser.sees("Success", "cio/lane: initial")
    browser.picture("7-runs")


def sees_what_is_told(browser: Browser, told: Hook) -> None:
    """O3: somebody heard of what is wrong, and the sensor's ticks say so."""
    until("an alert", PATIENCE, lambda: told.texts)
    browser.go(f"/locations/{LOCATION}/sensors/alerts")
    browser.sees("Latest tick", "0 runs requested")
    browser.click("0 runs requested")
    browser.sees("Skip reason", "incidents are open")
    browser.settles()
    browser.picture("9-alerts")


def with_key(processes: Processes, part: str, status: str) -> bool:
    """Whether a run that the sensor asked for, under a key like this, has come to a status."""
    return any(
        part in run["tags"].get("dagster/run_key", "") and run["status"] == status
        for run in processes.runs()
    )
