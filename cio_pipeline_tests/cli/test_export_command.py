"""O8, D10: what `cio-pipeline export` tells scripts when something was left undone."""

import json
from typing import Any

from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.pipeline.breaker import close_breaker
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.world import World, during


def export(number: int) -> tuple[int, Any]:
    """The exit code of a run of one window, and what it printed."""
    words = ["export", "--window", during(number).isoformat(), "--json"]
    done = CliRunner().invoke(app, words)
    return done.exit_code, json.loads(done.stdout)


def test_d10_a_manifest_that_cannot_be_written_is_told_and_the_exit_code_is_1(
    home: World,
) -> None:
    home.sync("a")
    home.commit("people", person("ann"), at=during(0))
    in_the_way = home.folder() / "_cio"
    home.folder().mkdir(parents=True)
    in_the_way.write_text("a file")

    code, (run,) = export(0)

    assert code == 1
    assert run["success"], "no step failed: its check is red"
    assert [one["sync_id"] for one in run["unlisted"]] == ["a"]
    assert "_cio" in run["unlisted"][0]["error"]
    assert home.names() == ["people_v5_1_1.parquet"]

    in_the_way.unlink()
    close_breaker(home.ledger, "a")
    code, (run,) = export(1)
    assert (code, run["unlisted"]) == (0, [])
    assert home.verify().ok


def test_d6_a_table_that_cannot_be_read_is_told_in_our_words_and_stops_no_other_export(
    home: World,
) -> None:
    home.sync("a")
    home.commit("people", person("ann"), at=during(0))
    log = home.root / "source" / "object_types" / "_delta_log"
    max(log.glob("*.json")).write_text("{broken")

    code, (run,) = export(0)

    assert code == 1
    (error,) = run["errors"]
    assert error.startswith("object_types: ")
    assert "Table object_types cannot be read" in error
    assert "Kernel" not in error
    assert "unknown" not in error
    assert "people_v5_1_1.parquet" in home.names()
