"""`cio-pipeline status`: what is wrong and what runs on one screen, for people and for scripts."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from cio_pipeline.cli import context, status
from cio_pipeline.cli.app import app
from cio_pipeline.model.breakers import Breaker, BreakerState
from cio_pipeline.model.failures import Failure
from cio_pipeline.model.findings import Severity
from cio_pipeline.model.times import utc
from cio_pipeline.pipeline.alerting.findings import findings
from cio_pipeline.pipeline.scheduling.standing import standing
from cio_pipeline_tests.cli.test_held import claimed, served
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.world import World, during, window

__all__ = ["served"]


@pytest.fixture
def clocked(served: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The command line's clock is the world's; all exports were sent in its first window."""
    served.run(0)
    monkeypatch.setattr(context, "services", lambda: served.services)
    monkeypatch.setattr(status, "services", lambda: served.services)
    return served


def answer() -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(app, ["status", "--json"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, json.loads(done.stdout)


def kinds(world: World) -> list[tuple[str, str | None, tuple[str, ...]]]:
    return [(one.kind, one.sync_id, one.of) for one in standing(world.services).wrong]


def test_nothing_is_wrong_while_windows_are_under_way(clocked: World) -> None:
    clocked.now = window(1).end + timedelta(minutes=10)
    code, told = answer()
    assert (code, told["ok"], told["wrong"], told["syncs"]) == (0, True, [], 1)
    assert told["disk_free"] > 0
    shown = CliRunner().invoke(app, ["status"]).output
    assert "Nothing is wrong; 1 sync, 0 rows in quarantine" in shown
    assert "Runs now: nothing" in shown


def test_a_late_sync_is_told_with_what_it_lacks(clocked: World) -> None:
    clocked.now = window(2).end
    code, told = answer()
    assert code == 1
    (late,) = told["wrong"]
    assert (late["kind"], late["sync_id"], len(late["of"])) == ("late", "a", 15)
    assert late["since"] == window(0).end.isoformat().replace("+00:00", "Z")
    shown = CliRunner().invoke(app, ["status"])
    assert "✗ 1 thing wrong" in shown.output
    assert "a: 15 exports" in shown.output
    clocked.sync("b", 2, exports=["people"], cadence="1d", at=during(2))
    assert [one[1] for one in kinds(clocked)] == ["a"], "once a day is not late yet"


def test_paused_and_disabled_syncs_and_first_exports_under_way_are_not_late(
    clocked: World,
) -> None:
    clocked.sync("b", 2, exports=["people"])
    clocked.run(0, sync_ids=["a"])
    clocked.now = window(1).end + timedelta(minutes=1)
    assert kinds(clocked) == [("late", "b", ("people",))]
    clocked.ledger.leases.claim([("b", "people")], "run 2", clocked.now, timedelta(minutes=2))
    assert kinds(clocked) == []
    (run,) = standing(clocked.services).running
    assert (run.owner, run.syncs, run.exports) == ("run 2", ("b",), ("people",))


def test_o8_a_sync_that_fails_is_told_once_and_not_as_late(clocked: World) -> None:
    clocked.commit("people", person("ben"), at=during(1))
    folder = clocked.folder("a")
    folder.rename(folder.with_name("kept"))
    folder.write_text("in the way")
    for number in (1, 2):
        clocked.run(number)
        ((kind, sync_id, exports),) = kinds(clocked)
        assert (kind, sync_id, "people" in exports) == ("breaker", "a", True)
    assert answer()[0] == 1


def test_o8_an_error_that_has_another_cause_than_the_breaker_is_told_beside_it(
    clocked: World,
) -> None:
    clocked.commit("people", person("ben"), at=during(1))
    folder = clocked.folder("a")
    folder.rename(folder.with_name("kept"))
    folder.write_text("in the way")
    clocked.run(1)
    gone = Failure("SourceGone", "The table is gone.")
    clocked.ledger.failing.record({("a", "events"): gone}, window(1))
    assert [(kind, "events" in of) for kind, _, of in kinds(clocked)] == [
        ("breaker", False),
        ("failing", True),
    ]


def test_o8_why_a_sync_is_stopped_is_told_once_and_in_words(served: World) -> None:
    served.run(0)
    served.commit("people", person("ben"), at=during(1))
    served.commit("events", {"event_id": "e", "processed_at": during(1)}, at=during(1))
    served.commit("subjects", {"subject_name": "s", "seq_num": 5}, at=during(1))
    folder = served.folder("a")
    folder.rename(folder.with_name("kept"))
    folder.write_text("in the way")
    served.run(1)
    for verb in ("status", "sync show a", f"plan --window {during(2).isoformat()}"):
        shown = CliRunner(env={"COLUMNS": "160"}).invoke(app, verb.split()).output
        told = " ".join(re.sub("[│┃]", " ", shown).split())
        assert "'a' is a file, not a folder" in told
        assert not re.search(r"\b[A-Z][a-z]+[A-Z]\w+: ", told), "the name of a class"
        assert verb == "status" or told.count("sync resume a") == 1, told
    assert "3 exports" in told
    narrow = CliRunner(env={"COLUMNS": "80"}).invoke(app, ["sync", "show", "a"]).output
    assert re.search("│ people +│ yes +│ 2026", narrow), "an export is a line"
    assert "│ 1 │ 2026-03-01 12:15 │ held back by the breaker │" in " ".join(narrow.split())


def test_o8_a_slow_sync_is_late_like_any_other(clocked: World) -> None:
    clocked.now = window(2).end
    until = clocked.now + timedelta(hours=1)
    slow = Breaker("a", BreakerState.SLOW, 0, clocked.now, until, "run", "", "")
    clocked.ledger.breakers.put([slow])
    assert [kind for kind, _, _ in kinds(clocked)] == ["late"]


def test_o1_rows_held_back_and_breaches_are_news_for_a_day(clocked: World) -> None:
    bad = {"event_id": "e", "properties": "{", "processed_at": during(1)}
    clocked.commit("events", bad, at=during(1))
    clocked.commit("subjects", {"subject_name": "s", "seq_num": 5}, at=during(1))
    clocked.run(1)
    clocked.commit("subjects", {"subject_name": "s", "campaign_id": 9, "seq_num": 5}, at=during(2))
    clocked.run(2)
    assert kinds(clocked) == [("quarantine", "a", ("events",)), ("source", None, ("subjects",))]
    clocked.run(2 + 4 * 25)
    assert kinds(clocked) == []
    assert answer()[1]["quarantined"] == 1


def test_d6_a_table_that_cannot_be_read_is_told(clocked: World) -> None:
    log = clocked.root / "source" / "object_types" / "_delta_log"
    max(log.glob("*.json")).write_text("{broken")
    clocked.run(1, "people")
    assert ("source", None, ("object_types",)) in kinds(clocked)


def test_a_full_disk_is_told(clocked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "LITTLE", 10**18)
    code, told = answer()
    assert code == 1
    assert [one["kind"] for one in told["wrong"]] == ["disk"]


def test_what_runs_now_is_told_until_when(served: World) -> None:
    served.run(0)
    claimed(served)
    (until,) = {one.expires_at for one in served.ledger.leases.holders(datetime.now(UTC))}
    done = CliRunner().invoke(app, ["status"])
    assert "run 7" in done.output
    assert "events, people" not in done.output, "many are counted"
    assert f"{until:%Y-%m-%d}" in done.output


def test_windows_that_were_cut_by_a_clock_ahead_are_told(clocked: World) -> None:
    """What is committed then waits until the clock has come so far, and nothing else says so."""
    clocked.now = window(4).end
    clocked.run(4)
    clocked.now = window(1).end
    code, told = answer()
    (clock,) = told["wrong"]
    assert (code, clock["kind"], clock["sync_id"]) == (1, "clock", None)
    assert f"a window that ends at {utc(window(4).end)} was cut already" in clock["why"]
    (found,) = [one for one in findings(clocked.services, lambda _: None) if one.check == "clock"]
    assert found.severity is Severity.ERROR
    clocked.now = window(4).end - timedelta(seconds=30)
    assert kinds(clocked) == []
