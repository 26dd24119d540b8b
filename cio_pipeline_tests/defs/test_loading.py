"""O6, O8: the warehouse as an asset below the manifests."""

from pathlib import Path
from typing import Any

import dagster as dg

from cio_pipeline.definitions import build_defs
from cio_pipeline.defs.loading import CHECK, LOADED, build_loading
from cio_pipeline.defs.report import REPORT
from cio_pipeline.defs.warehouse import NO_MODELS
from cio_pipeline.reader.warehouse.database import opened
from cio_pipeline_tests.defs.running import QUIET, Made, table
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.world import World, during


def launched(world: World, path: Path, name: str = "warehouse_load") -> dg.ExecuteInProcessResult:
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


def test_the_sensor_asks_for_one_run_after_new_manifests(world: World) -> None:
    loading = build_loading(world.root / "warehouse.duckdb")
    (sensor,) = loading.sensors
    made = Made(world.services)

    def asked() -> list[str | None]:
        with dg.build_sensor_context(
            definitions=build_defs(made, loading), resources={"pipeline": made}
        ) as context:
            return [one.run_key for one in sensor.evaluate_tick(context).run_requests or []]

    world.sync()
    assert asked() == []
    world.commit("people", person("ann"), at=during(0))
    world.run(0, "people")
    first = asked()
    assert first == asked() != []
    world.commit("people", person("bob"), at=during(1))
    world.run(1, "people")
    assert asked() not in ([], first)


def test_without_a_file_there_is_no_warehouse() -> None:
    assert build_loading(None) is NO_MODELS
