"""The dbt project in Dagster: models below the files, tests as checks (O6)."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cio_pipeline.defs.warehouse import NO_MODELS, Models, warehouse_models
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline_tests.warehouse.conftest import PROJECT

Look = Callable[[], dg.AssetsDefinition]


@pytest.fixture
def models(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Models:
    (tmp_path / "warehouse.duckdb").write_bytes((built / "warehouse.duckdb").read_bytes())
    monkeypatch.setenv("CIO_WAREHOUSE", str(tmp_path / "warehouse.duckdb"))
    monkeypatch.setenv("CIO_FEED", "acme")
    monkeypatch.setenv("DBT_TARGET_PATH", str(built / "target"))
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "logs"))
    return warehouse_models(PROJECT)


def test_without_a_project_nothing_is_shown_and_nothing_imported() -> None:
    assert warehouse_models(None) is NO_MODELS
    code = "import cio_pipeline.definitions, sys; print([m for m in sys.modules if 'dbt' in m])"
    environment = {name: value for name, value in os.environ.items() if name != "CIO_DBT_PROJECT"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_what_is_no_project_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="names no dbt project"):
        warehouse_models(tmp_path)


def test_models_stand_below_the_files_with_their_tests_as_checks(models: Models) -> None:
    (assets,) = models.assets
    specs = {spec.key.to_user_string(): spec for spec in assets.specs}
    after = {dep.asset_key.to_user_string() for dep in specs["warehouse/stg_people"].deps}
    assert after == {"warehouse/loaded"}
    assert {
        dep.asset_key.to_user_string() for dep in specs["warehouse/identity_coverage"].deps
    } == {"warehouse/people_now"}
    checks = {(one.asset_key.to_user_string(), one.name) for one in assets.check_specs}
    assert ("warehouse/stg_people", "stg_people_required") in checks
    assert ("warehouse/audience_winback", "audience_winback_keys") in checks
    assert all(spec.group_name == "warehouse" and spec.description for spec in specs.values())


def test_they_go_together_with_all_other_definitions_without_a_warning(models: Models) -> None:
    code = "from cio_pipeline.definitions import defs; jobs = defs.get_repository_def()"
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-W",
            "ignore:sqlglotrs",
            "-c",
            f"{code}.get_all_jobs(); print(*sorted(job.name for job in jobs))",
        ],
        env={**os.environ, "CIO_DBT_PROJECT": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert "warehouse_models" in done.stdout.split()


@pytest.mark.deep
def test_a_run_builds_the_models_and_judges_them(models: Models) -> None:
    resources: Any = models.resources
    done = dg.materialize(
        list(models.assets),
        selection=dg.AssetSelection.assets(["warehouse", "stg_people"]).downstream(depth=1),
        resources=resources,
    )
    assert done.success
    keys = [one.asset_key for one in done.get_asset_materialization_events()]
    made = {key.to_user_string() for key in keys if key}
    assert {"warehouse/stg_people", "warehouse/holdout"} <= made
    judged = {one.check_name: one.passed for one in done.get_asset_check_evaluations()}
    assert judged["stg_people_keys"]
    assert all(judged.values())
