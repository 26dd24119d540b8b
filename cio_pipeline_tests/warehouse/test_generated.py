"""What is generated of the dbt project is what the contracts say now (O6)."""

from pathlib import Path

import pytest
import yaml

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.reader.dbt_project import files, main, stale
from cio_pipeline_tests.warehouse.conftest import PROJECT


def test_the_project_is_up_to_date() -> None:
    assert stale(PROJECT) == {}
    there = {path.name for path in (PROJECT / "models" / "staging").iterdir()}
    assert there == {Path(name).name for name in files()}


def test_a_stale_file_is_named_and_then_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), "--check"]) == 1
    assert not list(tmp_path.iterdir())
    assert main([str(tmp_path)]) == 0
    assert main([str(tmp_path), "--check"]) == 0
    (tmp_path / "models" / "staging" / "stg_people.sql").write_text("select 1")
    capsys.readouterr()
    assert main([str(tmp_path), "--check"]) == 1
    assert capsys.readouterr().out == "models/staging/stg_people.sql is stale\n"


def test_every_export_has_a_source_a_view_and_its_tests() -> None:
    found = files()
    (source,) = yaml.safe_load(found["models/staging/_sources.yml"])["sources"]
    assert [one["name"] for one in source["tables"]] == list(EXPORTS)
    for export, table in zip(EXPORTS.values(), source["tables"], strict=True):
        assert [one["name"] for one in table["columns"]] == [one.name for one in export.columns]
    models = yaml.safe_load(found["models/staging/_staging.yml"])["models"]
    tests = {
        name: of
        for model in models
        for one in (model, *model["columns"])
        for test in one.get("data_tests", [])
        for name, of in [(next(iter(test.values()))["name"], test)]
    }
    required = tests["stg_metrics_required"]["required"]["arguments"]["columns"]
    assert required == [one.name for one in EXPORTS["metrics"].columns if one.required]
    assert tests["stg_metrics_delivery_id_refers"]["refers_to"]["config"] == {"severity": "warn"}
    # The seeds contradict each other about what these refer to.
    assert not {"stg_deliveries_event_id_refers", "stg_subjects_event_id_refers"} & tests.keys()
