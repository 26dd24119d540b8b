"""`doctor` and the checks of the UI tell the same."""

import inspect
import json
import re
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from cio_pipeline.cli import doctor
from cio_pipeline.cli.app import app
from cio_pipeline.defs.checks import DELIVERY_CHECKS
from cio_pipeline.defs.feeds import SHOWN
from cio_pipeline.model.errors import LedgerBusy
from cio_pipeline.model.feeds import Feed
from cio_pipeline.monitoring.incidents import BLIND, UNREACHED
from cio_pipeline.pipeline.alerting import findings as made_of
from cio_pipeline.pipeline.checking.checks import CHECKS
from cio_pipeline_tests.defs.running import check, dagster_on
from cio_pipeline_tests.world import World, during, window


@pytest.fixture
def asked(world: World, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setattr(doctor, "services", lambda: world.services)
    return CliRunner()


def test_o1_doctor_and_the_checks_of_a_window_name_who_is_late_why_and_what_to_do(
    world: World, asked: CliRunner
) -> None:
    world.sync("bad", 1, owner="data@acme.example")
    world.sync("good", 2)
    for one in (1, 2):
        row = {"internal_customer_id": "x", "workspace_id": one}
        world.commit("people", row, at=during(0))
    with dagster_on(world) as dagster:
        dagster.run(0, "people", "events")
        world.folder("bad").rename(world.root / "moved")
        world.folder("bad").write_text("in the way")
        world.commit("people", {"internal_customer_id": "y", "workspace_id": 1}, at=during(1))
        result = dagster.run(1, "people", "events")
        seen = check(result, "manifest", "delayed_syncs")
        records = dagster.instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(SHOWN[Feed.DATA_OUT].manifest, "delayed_syncs"), limit=9
        )
    told = asked.invoke(app, ["doctor", "--window", window(1).key])
    as_json = asked.invoke(app, ["doctor", "bad", "--window", window(1).key, "--json"])

    assert not seen.passed
    assert seen.severity is dg.AssetCheckSeverity.WARN
    assert {one.partition for one in records} == {window(0).key, window(1).key}
    assert "data@acme.example" in str(seen.metadata["what"].value)
    assert told.exit_code == as_json.exit_code == 0
    assert "delayed_syncs" in told.stdout
    assert "cio-pipeline sync resume" in " ".join(told.stdout.split())
    (one,) = json.loads(as_json.stdout)["findings"]
    assert (one["sync_id"], one["check"]) == ("bad", "delayed_syncs")
    assert one["command"] == "cio-pipeline sync resume bad"
    assert "is a file, not a folder" in one["cause"]
    assert asked.invoke(app, ["doctor", "good", "--window", window(1).key]).exit_code == 0


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (LedgerBusy("The ledger does not answer.", "It is tried again."), "does not answer."),
        (ValueError("a row"), "Unexpected ValueError"),
    ],
)
def test_o1_a_check_that_cannot_look_is_yellow_and_the_run_stays_green(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def away(*_: object) -> None:
        raise error

    world.sync("a", 1)
    monkeypatch.setattr("cio_pipeline.ledger.looks.Looks.buckets", away)
    with dagster_on(world) as dagster:
        result = dagster.run(0, "people")
        yellow = check(result, "manifest", "missing_files")
        others = check(result, "manifest", "source_columns")

    assert result.success
    assert (yellow.passed, yellow.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert told in str(yellow.description)
    assert "a row" not in str(yellow.description)
    assert others.passed


DOCS = Path(__file__).parents[2] / "docs"


def test_o1_every_check_and_alert_is_described_in_the_operations_page() -> None:
    """Whatever is declared: the checks of Dagster, and what alerts tell besides."""
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    shown = {key.name for one in DELIVERY_CHECKS for key in one.check_keys}
    alerts = {UNREACHED, BLIND, *re.findall(r'check="(\w+)"', inspect.getsource(made_of))}
    alerts |= set(vars(made_of)["_CAUSES"])

    assert {one.name for one in CHECKS} <= shown
    assert len(alerts) == 8
    wanted = [f"### Check `{one}`" for one in shown] + [f"### Alert `{one}`" for one in alerts]
    assert [one for one in wanted if one not in page] == []


def test_the_pictures_of_the_operations_page_are_there_small_and_tell_no_more_than_they_show() -> (
    None
):
    linked = re.findall(r"\]\((pictures/[^)]+)\)", (DOCS / "operations.md").read_text("utf-8"))
    assert {*linked} == {f"pictures/{path.name}" for path in (DOCS / "pictures").iterdir()}
    for one in linked:
        body = (DOCS / one).read_bytes()
        assert body.startswith(b"\x89PNG")
        assert len(body) < 150_000
        assert not any(kind in body for kind in (b"tEXt", b"iTXt", b"zTXt", b"eXIf"))
