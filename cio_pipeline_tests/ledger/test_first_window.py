"""Windows begin with the hour of the first sync; who ran before keeps that of all."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from cio_pipeline import wiring
from cio_pipeline.ledger.schema import counters
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.registry import ExportSwitch
from cio_pipeline.model.windows import FIRST_WINDOW, hour_of
from cio_pipeline.pipeline.recovery.catch_up import catch_up
from cio_pipeline.settings import Settings, settings
from cio_pipeline.wiring import first_window
from cio_pipeline_tests.recovery.loss import go_on, without_ledger
from cio_pipeline_tests.world import NOON, World


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """The machine's clock, which stands still."""
    moment = datetime.now(UTC)
    monkeypatch.setattr(wiring, "now", lambda: moment)
    return moment


def of(world: World) -> Settings:
    return settings({"CIO_HOME": str(world.root)})


def test_the_first_sync_fixes_it_and_only_an_earlier_one_moves_it(
    world: World, now: datetime
) -> None:
    assert first_window(of(world)) == hour_of(now)
    world.sync("a")
    assert first_window(of(world)) == NOON
    world.sync("b", 2, at=NOON + timedelta(days=9))
    assert world.ledger.first_window() == NOON
    world.sync("c", 3, at=NOON - timedelta(hours=23.5))
    assert world.ledger.first_window() == NOON - timedelta(days=1)


def test_d10_a_sync_that_is_as_old_again_as_it_was_moves_it(world: World) -> None:
    """It was registered again with an empty ledger, which then learned from the bucket."""
    sync = world.sync()
    go_on(world, range(2))
    world = without_ledger(world)
    later = NOON + timedelta(hours=9)
    world.ledger.registry.put(sync, {"people": ExportSwitch(enabled=True)}, later)
    assert world.ledger.first_window() == later
    world.now = later
    (told,) = catch_up(world.services)
    assert told.error is None
    assert world.ledger.registry.get("a").created_at < later
    assert world.ledger.first_window() == NOON


def test_a_deployment_that_ran_before_keeps_its_first_window(world: World) -> None:
    world.sync("a")
    of_it = delete(counters).where(counters.c.name == "first window")
    world.ledger.database.write(lambda connection: connection.execute(of_it))
    world.sync("b", 2)
    assert first_window(of(world)) == FIRST_WINDOW


def test_no_ledger_is_made_to_ask_it_and_one_that_does_not_answer_hides_no_window(
    tmp_path: Path, now: datetime
) -> None:
    assert first_window(settings({"CIO_HOME": str(tmp_path)})) == hour_of(now)
    assert not list(tmp_path.iterdir())
    (tmp_path / "ledger.db").write_text("no database")
    assert first_window(settings({"CIO_HOME": str(tmp_path)})) == FIRST_WINDOW


def test_a_setting_goes_before_it() -> None:
    given = settings({"CIO_FIRST_WINDOW": "2026-02-03T04:05"})
    assert first_window(given) == datetime(2026, 2, 3, 4, tzinfo=UTC)
    with pytest.raises(InvalidConfig):
        settings({"CIO_FIRST_WINDOW": "soon"})


def test_a_first_window_that_is_no_time_names_its_variable() -> None:
    with pytest.raises(InvalidConfig, match=r"CIO_FIRST_WINDOW: 'soon' is no time"):
        settings({"CIO_FIRST_WINDOW": "soon"})
