"""The check of volumes on a made world with a history of ten days."""

from datetime import timedelta

import pytest
from sqlalchemy import insert

from cio_pipeline.ledger.sent import volumes
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.volumes import ALL, DAY, HOUR, NOBODY, PERSON
from cio_pipeline.model.windows import data_out_window
from cio_pipeline.pipeline.checking.checks import CHECKS
from cio_pipeline.pipeline.checking.scene import Scene
from cio_pipeline_tests.pipeline.test_checks import OWNER, found, person, sent, served
from cio_pipeline_tests.world import NOON, World, during, window

__all__ = ["sent", "served"]


def remember(world: World, hours: dict[timedelta, int]) -> None:
    """Ten days of people: rows in the hour under way at noon and in those beside it, and by day."""
    hour = data_out_window(NOON).start + HOUR
    stretches = [(HOUR, hour + beside, {ALL: number}) for beside, number in hours.items()]
    stretches += [(DAY, NOON.replace(hour=0) + DAY, {ALL: 9_000, PERSON: 8_800, NOBODY: 200})]
    rows = [
        {
            "length": length // timedelta(microseconds=1),
            "ends_at": end - n * DAY,
            "sync_id": "a",
            "export": "people",
            "kind": kind,
            "rows": number,
            "bytes": 0,
            "since": end - n * DAY - length,
        }
        for n in range(1, 11)
        for length, end, kinds in stretches
        for kind, number in kinds.items()
    ]
    early = int((NOON - timedelta(days=30)).timestamp() * 1_000_000)
    world.ledger.database.write(lambda c: c.execute(insert(volumes), rows))
    world.ledger.database.write(
        lambda c: c.exec_driver_sql("UPDATE syncs SET created_at = ?", (early,))
    )


def test_o1_volumes_and_identity_are_held_against_what_was_sent(served: World) -> None:
    """Ten days, then a window with little, and with nobody's rows."""
    remember(served, {-HOUR: 900, timedelta(0): 1_000, HOUR: 1_100})
    served.commit(
        "people", *(person(f"n{n}", id=None, email=None) for n in range(60)), at=during(3)
    )
    served.run(3)

    (odd,) = found(served, 3, "volumes")
    (lost,) = found(served, 3, "identity")

    assert odd.export == lost.export == "people"
    assert "in the hour to 2026-03-01 13:00 UTC, about 1,000 expected" in odd.says
    assert "98% did before" in lost.says
    assert odd.owner == lost.owner == OWNER
    scene = Scene(served.services, window(3), Feed.DATA_OUT)
    assert all(check.note(scene) == "" for check in CHECKS)


@pytest.mark.parametrize(("beside", "changed"), [(-HOUR, True), (HOUR, True), (HOUR, False)])
def test_o1_an_hour_like_one_beside_it_is_odd_unless_clocks_changed(
    served: World, monkeypatch: pytest.MonkeyPatch, beside: timedelta, *, changed: bool
) -> None:
    """People do what they did at another hour (UTC) then; mornings are steep at any time."""
    monkeypatch.setattr("cio_pipeline.monitoring.volume.clocks_changed", lambda *_: changed)
    remember(served, {-HOUR: 1_000, HOUR: 1_000, timedelta(0): 1_000, beside: 60})
    served.commit("people", *(person(f"n{n}") for n in range(60)), at=during(3))
    served.run(3)

    assert len(found(served, 3, "volumes")) == (not changed)
