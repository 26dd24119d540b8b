"""O6, O8: the warehouse as an asset below the manifests."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cio_pipeline.definitions import build_defs
from cio_pipeline.defs.loading import CHECK, JOB, LOADED, build_loading
from cio_pipeline.defs.report import REPORT
from cio_pipeline.defs.warehouse import NO_MODELS, Models
from cio_pipeline.pipeline.breaker import close_breaker
from cio_pipeline.reader.warehouse.database import opened
from cio_pipeline_tests.defs.running import QUIET, Made, table
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.world import World, during


def launched(world: World, path: Path, name: str = JOB) -> dg.ExecuteInProcessResult:
    made = build_defs(Made(world.services), build_loading(path))
    job = made.resolve_job_def(name)
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(run_config=QUIET, raise_on_error=False, instance=instance)


def outcome(result: dg.ExecuteInProcessResult) -> tuple[list[dict[str, Any]], bool]:
    """What was loaded of each sync, and whether the check is green."""
    (event,) = result.asset_materializations_for_node(LOADED.to_python_identifier())
    (check,) = [one for one in result.get_asset_check_evaluations() if one.check_name == CHECK]
    shown: Any = event.metadata["syncs"]
    return table(shown.records), check.passed


def test_o6_o8_what_is_new_of_all_syncs_is_loaded_and_one_that_fails_keeps_none_back(
    world: World,
) -> None:
    world.sync("a")
    world.sync("b")
    world.sync("waits", at=during(3))
    world.commit("people", person("ann"), at=during(0))
    world.run(0, "people")
    path = world.root / "warehouse.duckdb"
    rows, green = outcome(launched(world, path))
    assert ([(row["sync"], row["rows"]) for row in rows], green) == ([("a", 1), ("b", 1)], True)
    # The page reads all that was delivered: it is not written anew with each window.
    assert not list(world.root.glob("*.html"))

    world.commit("people", person("bob"), at=during(1))
    world.run(1, "people")
    (world.folder("a") / "_cio" / "2.manifest").write_text("{", encoding="utf-8")
    result = launched(world, path)
    assert result.success
    rows, green = outcome(result)
    assert "cannot be read" in rows[0]["error"]
    assert (rows[1]["rows"], green) == (1, False)
    with opened(path) as db:
        assert db.execute("SELECT count(*) FROM b.people_newest").fetchall() == [(2,)]


def test_o6_the_page_is_an_asset_that_links_and_previews_it(world: World) -> None:
    world.sync("a")
    world.sync("broken")
    world.commit("people", person("ann"), at=during(0))
    world.run(0, "people")
    (world.folder("broken") / "_cio" / "1.manifest").write_text("{", encoding="utf-8")
    (world.root / "report.html").write_text("of another warehouse")
    result = launched(world, world.root / "warehouse.duckdb", "warehouse_report")
    (event,) = result.asset_materializations_for_node(REPORT.to_python_identifier())
    shown: Any = {name: value.value for name, value in event.metadata.items()}
    page = world.root / "warehouse.duckdb.html"
    assert (world.root / "report.html").read_text("utf-8") == "of another warehouse"
    assert "data-feed='a'" in page.read_text("utf-8")
    assert (shown["page"], shown["open"]) == (str(page), page.as_uri())
    assert shown["preview"].startswith("a: 1 rows.\n\n![volume](data:image/png;base64,")
    assert len(shown["preview"]) < 60_000
    assert "broken: _cio/1.manifest" in shown["left_out"]
    (row,) = table(event.metadata["feeds"].records)  # type: ignore[union-attr]
    assert (row["sync"], row["rows"], row["held"]) == ("a", 1, 0)


@dataclass
class Sensing:
    """The sensor at work: it is asked now and then, and its runs are made at once."""

    world: World
    instance: dg.DagsterInstance
    cursor: str | None = None
    seen: set[str] = field(default_factory=set[str])

    @property
    def path(self) -> Path:
        return self.world.root / "warehouse.duckdb"

    def asked(self) -> str | None:
        """The key of the run that a tick asks for; none that Dagster leaves out."""
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            resources={"pipeline": Made(self.world.services)},
        ) as context:
            found = self.loading.sensors[0].evaluate_tick(context)
        self.cursor = found.cursor
        keys = [str(one.run_key) for one in found.run_requests or []]
        (key,) = [one for one in keys if one not in self.seen] or [None]
        self.seen.update(keys)
        return key

    @cached_property
    def loading(self) -> Models:
        return build_loading(self.path)

    @cached_property
    def job(self) -> dg.JobDefinition:
        made = build_defs(Made(self.world.services), self.loading)
        return made.resolve_job_def(JOB)

    def ticks(self, minutes: int, run: Callable[[], object] | None = None) -> int:
        """How many runs there are if the sensor is asked every minute for so long."""
        runs = 0
        for _ in range(minutes):
            self.world.now += timedelta(minutes=1)
            if self.asked() is not None:
                runs += 1
                (run or self.load)()
        return runs

    def load(self) -> None:
        self.job.execute_in_process(run_config=QUIET, raise_on_error=False, instance=self.instance)

    def die(self) -> None:
        """A run whose process is gone."""
        self.instance.create_run_for_job(self.job, status=dg.DagsterRunStatus.FAILURE)


@pytest.fixture
def sensing(world: World) -> Iterator[Sensing]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Sensing(world, instance)


def test_the_sensor_asks_for_one_run_after_new_manifests(world: World, sensing: Sensing) -> None:
    world.sync()
    assert sensing.asked() is None
    world.commit("people", person("ann"), at=during(0))
    world.run(0, "people")
    assert sensing.asked() is not None
    assert sensing.asked() is None
    world.commit("people", person("bob"), at=during(1))
    world.run(1, "people")
    assert sensing.ticks(180) == 1


def test_o6_what_could_not_be_loaded_is_tried_again_until_it_can_and_not_all_the_time(
    world: World, sensing: Sensing
) -> None:
    world.sync()
    world.commit("people", person("ann"), at=during(0))
    world.run(0, "people")
    manifest = world.folder() / "_cio" / "1.manifest"
    whole = manifest.read_bytes()
    manifest.write_text("{", encoding="utf-8")
    assert sensing.ticks(1) == 1
    assert sensing.ticks(1, sensing.die) == 1, "the next tick tries it again"
    assert sensing.ticks(60, sensing.die) <= 6
    assert 3 <= sensing.ticks(240, sensing.die) <= 4, "once an hour, however long it takes"
    state, _, at = json.loads(sensing.cursor or "")
    sensing.cursor = json.dumps([state, 10_000, at])
    assert sensing.ticks(61, sensing.die) == 1, "after a year, too"
    manifest.write_bytes(whole)
    assert sensing.ticks(61) == 1
    with opened(sensing.path) as db:
        assert db.execute("SELECT count(*) FROM a.people_newest").fetchall() == [(1,)]
    assert sensing.ticks(180) == 0


def test_o6_a_feed_that_stays_broken_costs_a_run_a_window_while_others_are_sent_more(
    world: World, sensing: Sensing
) -> None:
    world.sync()
    runs = []
    for number in range(4):
        world.commit("people", person(f"p{number}"), at=during(number))
        world.run(number, "people")
        runs.append(sensing.ticks(14, sensing.die))
    assert runs == [5, 2, 1, 1]
    assert sensing.ticks(40, sensing.die) == 2, "and is tried by itself if nothing is sent"
    sensing.ticks(61)
    world.commit("people", person("last"), at=during(40))
    world.run(40, "people")
    assert sensing.ticks(14, sensing.die) == 5, "what fails next is tried again soon"


def test_o6_a_clock_that_was_ahead_keeps_no_load_from_being_tried_again(
    world: World, sensing: Sensing
) -> None:
    world.sync()
    world.commit("people", person("ann"), at=during(0))
    world.run(0, "people")
    world.now += timedelta(days=300)
    assert sensing.ticks(1, sensing.die) == 1
    world.now -= timedelta(days=300)
    assert sensing.ticks(1) == 1


def test_o6_a_load_that_died_is_tried_again_and_one_that_was_cancelled_is_not(
    world: World, sensing: Sensing
) -> None:
    world.sync()
    world.commit("people", person("ann"), at=during(0))
    world.run(0, "people")
    for status, again in (
        (dg.DagsterRunStatus.STARTED, False),
        (dg.DagsterRunStatus.CANCELED, False),
        (dg.DagsterRunStatus.FAILURE, True),
    ):
        sensing.cursor = None
        sensing.seen.clear()
        assert sensing.asked() is not None
        sensing.instance.create_run_for_job(sensing.job, status=status)
        world.now += timedelta(minutes=2)
        assert (sensing.asked() is not None) == again, status


def test_o6_a_manifest_that_is_put_after_a_load_had_looked_is_loaded(
    world: World, sensing: Sensing
) -> None:
    """It is in the ledger first: what asks for the load may be faster than the store."""
    world.sync()
    world.commit("people", person("ann"), at=during(0))
    world.run(0, "people")
    assert sensing.ticks(1) == 1
    world.commit("people", person("bob"), at=during(1))
    folder = world.folder() / "_cio"
    in_the_way = folder / "2.manifest"
    in_the_way.mkdir()
    world.run(1, "people")
    # The reader's own look at it is another matter.
    in_the_way.rmdir()
    sensing.ticks(3)
    close_breaker(world.ledger, "a")
    world.run(1, "people")
    assert in_the_way.is_file()
    assert sensing.ticks(1) == 1
    with opened(sensing.path) as db:
        assert db.execute("SELECT count(*) FROM a.people_newest").fetchall() == [(2,)]


def test_without_a_file_there_is_no_warehouse() -> None:
    assert build_loading(None) is NO_MODELS
