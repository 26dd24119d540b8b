"""O3: what is found and told: failures, floods, keys that end, full disks, checks that break."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cio_pipeline.destinations.open import credentials_until
from cio_pipeline.model.errors import SourceUnavailable
from cio_pipeline.model.findings import Severity
from cio_pipeline.pipeline.alerting import findings as made_of
from cio_pipeline.pipeline.alerting.findings import findings
from cio_pipeline.pipeline.checking.checks import CHECKS, Check
from cio_pipeline_tests.alerting.servers import SECRET
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.world import NOON, World, during, window


def told_of(world: World, number: int) -> list[str]:
    """What the alerts would say after a window."""
    world.now = window(number).end + timedelta(minutes=1)
    return [f"{one.check} {one.severity} {one.sync_id}" for one in findings_of(world)]


def findings_of(world: World, room: int = 10**12) -> list[Any]:
    return findings(world.services, credentials_until, lambda _: room)


def test_o3_a_sync_that_fails_is_one_incident_and_worse_the_longer_it_lasts(world: World) -> None:
    world.sync("a", owner="growth")
    world.run(0)
    assert told_of(world, 0) == []
    world.commit("people", person("ben"), at=during(1))
    folder = world.folder("a")
    folder.parent.mkdir()
    folder.write_text("in the way")
    world.run(1)
    first = told_of(world, 1)
    assert len(first) == 1, "not also one for each export that fails"
    assert first[0].startswith("breaker ")
    (one,) = findings_of(world)
    assert (one.owner, one.cause != "", "sync resume a" in one.command) == ("growth", True, True)


@pytest.mark.parametrize(
    "error", [SourceUnavailable("The source does not answer."), ValueError(SECRET)]
)
def test_o3_a_check_that_breaks_is_told_and_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def breaks(_scene: Any) -> Any:
        raise error
        yield

    broken = Check("broken", "Breaks.", breaks)
    monkeypatch.setattr(made_of, "CHECKS", (broken, *CHECKS))
    world.sync("a", exports=["people"], owner="growth")
    world.run(0, "people")
    world.now = window(9).end
    told = {one.check: one for one in findings_of(world)}
    assert {"checks", "delayed_syncs"} <= told.keys()
    assert "broken" in told["checks"].says
    assert SECRET not in told["checks"].says


def test_o3_a_flood_into_quarantine_wants_somebody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sync("a", exports=["events"], owner="growth")
    world.run(0, "events")
    bad = {"event_id": "e", "properties": "{", "processed_at": during(1)}
    world.commit("events", bad, bad | {"event_id": "f"}, at=during(1))
    world.run(1, "events")
    assert [(one.check, one.severity) for one in findings_of(world)] == [
        ("quarantine", Severity.WARNING)
    ]
    monkeypatch.setattr(made_of, "FLOOD", 2)
    world.now += timedelta(days=2)
    world.commit("events", bad | {"event_id": "g"}, at=during(1 + 4 * 48))
    world.run(1 + 4 * 48, "events")
    assert [one.check for one in findings_of(world)] == ["quarantine"], "one in the last day"
    world.now -= timedelta(days=2)
    grown = [one for one in findings_of(world) if one.check == "quarantine_grows"]
    assert [(one.severity, one.sync_id, one.owner) for one in grown] == [
        (Severity.ERROR, "a", "growth")
    ]


def test_o3_keys_that_end_soon_and_a_disk_that_fills_are_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = (NOON + timedelta(days=13)).strftime("%Y-%m-%dT%H:%M:%SZ")
    sas = "https://acme.blob.core.windows.net/feed?sv=2022-11-02&sr=c&sp=racwdl&se={}&sig=a"
    monkeypatch.setenv("SAS", sas.format(ends))
    world.sync("a", exports=["people"])
    azure = {"type": "azure", "sas_url": "env:SAS"}
    world.sync("b", 2, exports=["people"], owner="shop", destination=azure)
    (one,) = findings_of(world)
    assert (one.check, one.sync_id, one.owner, one.severity) == (
        "key_ends",
        "b",
        "shop",
        Severity.ERROR,
    )
    assert "ends on 2026-03-14 12:00 UTC" in one.says
    monkeypatch.setenv("SAS", sas.format("2030-01-01"))
    assert findings_of(world) == []
    assert [one.severity for one in findings_of(world, 4 * 10**9)] == [Severity.WARNING]
    assert [one.severity for one in findings_of(world, 10**8)] == [Severity.ERROR]


@pytest.mark.parametrize(("cadence", "number"), [("1h", 12), ("1d", 4 * 36)])
def test_o3_a_sync_that_is_served_seldom_is_late_without_a_break(
    world: World, cadence: str, number: int
) -> None:
    """Its windows are few: between them it is late, too, and no alert says that it is over."""
    world.sync("a", exports=["people"], cadence=cadence)
    world.run(3 if cadence == "1h" else 4 * 12 - 1, "people")
    world.now = window(number).end + timedelta(minutes=20)
    for _ in range(5):
        assert [one.check for one in findings_of(world)] == ["delayed_syncs"]
        world.now += timedelta(minutes=15)


def test_o3_a_disk_that_cannot_be_asked_stops_nothing(world: World) -> None:
    def unasked(_folder: Path) -> int:
        raise OSError("no such device")

    world.sync("a", exports=["people"], owner="growth")
    world.run(0, "people")
    world.now = window(9).end
    assert {one.check for one in findings(world.services, credentials_until, unasked)} == {
        "delayed_syncs",
        "checks",
    }
