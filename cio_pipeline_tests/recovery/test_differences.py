"""What a recount finds is told until it is repaired, or is found no more (O1, O3)."""

from dataclasses import replace
from datetime import timedelta

import polars as pl
from sqlalchemy import update

from cio_pipeline.destinations.open import credentials_until
from cio_pipeline.ledger.schema import files
from cio_pipeline.ledger.upkeep import prune
from cio_pipeline.model.alerts import AlertsFile, Message
from cio_pipeline.model.differences import Difference, by_day
from cio_pipeline.model.findings import Finding
from cio_pipeline.monitoring.incidents import CALM
from cio_pipeline.monitoring.reconciling import NAME, told
from cio_pipeline.pipeline.alerting.findings import findings
from cio_pipeline.pipeline.alerting.rounds import look, tell
from cio_pipeline.pipeline.checking.checks import latest_findings
from cio_pipeline.pipeline.recovery.reconcile import Asked, reconcile, repair
from cio_pipeline_tests.recovery.test_reconcile import (
    DAY,
    EXPORTS,
    asked,
    day_asked,
    sent,
    vacuumed,
    world,
)
from cio_pipeline_tests.world import NOON, World

__all__ = ["sent", "world"]


class Day:
    """What is told of a world, round after round; and what is wrong in its last window."""

    def __init__(self, world: World) -> None:
        self.world, self.messages = world, list[str]()
        self.file = AlertsFile.model_validate({"routes": [{"owner": "*", "targets": ["env:OPS"]}]})

    def round(self, after: timedelta) -> list[str]:
        """The titles of what is told some time later."""
        self.world.now += after
        alerts, before = self.world.ledger.alerts, len(self.messages)
        found = [one for one in wrong_now(self.world) if one.check == NAME]
        look(alerts, found, self.file.targets, self.world.now)
        tell(alerts, self.file, self._take, self.world.now)
        return self.messages[before:]

    def _take(self, _target: str, message: Message) -> None:
        self.messages.append(message.title)


def wrong_now(world: World) -> list[Finding]:
    return findings(world.services, credentials_until, lambda _: 10**12)


def test_o3_what_a_recount_finds_is_one_alert_until_it_is_repaired_and_one_then(
    world: World,
) -> None:
    """Also for `doctor` and the check of later windows, however often it is counted again."""
    told_of, minute = Day(world), timedelta(minutes=1)
    world.run(3, *EXPORTS)
    assert told_of.round(minute) == []
    for number in (1, 2):
        key = f"deliveries_v5_1_{number + 1}.parquet"
        fewer = update(files).where(files.c.key == key).values(rows=1)
        world.ledger.database.write(lambda connection, fewer=fewer: connection.execute(fewer))
    asked(world)
    begun = "cio-pipeline: wrong: a deliveries: reconciliation"
    assert told_of.round(minute) == [begun]
    assert [told_of.round(minute) for _ in range(9)] == [[]] * 9
    asked(world)
    assert told_of.round(timedelta(hours=3)) == []
    (one,) = (one for one in latest_findings(world.services) if one.check == NAME)
    assert "So it is in 1 more stretches of that day." in one.says
    repair(world.services, reconcile(world.services, day_asked()))
    assert not world.ledger.looks.differences()
    assert told_of.round(minute) == []
    assert told_of.round(CALM) == ["cio-pipeline: over: a deliveries: reconciliation"]


def test_o1_a_difference_is_over_once_it_is_not_found_any_more(world: World) -> None:
    """Other days, other syncs, and keys that nobody looked at prove nothing."""
    path = world.folder() / "events_v5_1_2.parquet"
    body = path.read_bytes()
    pl.read_parquet(path).with_columns(event_id=pl.lit("another")).write_parquet(path)
    asked(world, keys=True)
    day = timedelta(days=1)
    for other in (
        day_asked(),
        day_asked(sync_ids=["b"], keys=True),
        Asked(DAY + day, DAY + 2 * day),
    ):
        reconcile(world.services, other)
        assert list(world.ledger.looks.differences()) == [("a", "events", DAY)]
    path.write_bytes(body)
    asked(world, keys=True)
    assert not world.ledger.looks.differences()


def test_o1_what_differs_is_not_over_since_it_cannot_be_counted_again(world: World) -> None:
    fewer = update(files).where(files.c.key == "deliveries_v5_1_2.parquet").values(rows=1)
    world.ledger.database.write(lambda connection: connection.execute(fewer))
    asked(world)
    (known,) = world.ledger.looks.differences().items()
    (found,) = asked(world, vacuumed(world), sync_ids=["a"])
    assert "2 exports" in found.says
    assert known in world.ledger.looks.differences().items()
    reconcile(world.services, Asked(DAY + timedelta(days=1), DAY + timedelta(days=2)))
    assert list(world.ledger.looks.differences().items()) == [known]


def test_o1_what_cannot_be_recounted_is_told_until_another_day_is_and_leaves_the_ledger(
    world: World,
) -> None:
    start = NOON - timedelta(minutes=15)
    one = Difference("a", "events", start, NOON, wrong="The source is away.")
    midnight = replace(one, wrong="", start=DAY - timedelta(minutes=15), end=DAY)
    world.ledger.looks.keep_differences((), by_day([one, midnight]))
    (_, day), (_, last) = ((key[0], key[2]) for key in world.ledger.looks.differences())
    assert (day, last) == (DAY - timedelta(days=1), DAY)
    (its,) = told([midnight], {"a": None})
    assert "--day 2026-02-28 --repair" in its.command
    reconcile(world.services, Asked(DAY + timedelta(days=1), DAY + timedelta(days=2)))
    assert list(world.ledger.looks.differences().values()) == [midnight]
    assert prune(world.ledger.database, DAY, ()).differences == 1
