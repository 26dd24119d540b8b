"""The dbt project's models as assets downstream of the files, its tests as their checks (O6)."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliResource,
    DbtProject,
    dbt_assets,
)

from cio_pipeline.defs.feeds import SHOWN, export_key
from cio_pipeline.defs.loading import LOADED
from cio_pipeline.defs.warehouse import Models
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.feeds import Feed
from cio_pipeline.settings import settings

GROUP = "warehouse"


class Shown(DagsterDbtTranslator):
    """How models are shown: below the loaded warehouse, or the files if others load them."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """The key of a model, or of the files that a source was loaded from."""
        if dbt_resource_props["resource_type"] != "source":
            return dg.AssetKey([GROUP, dbt_resource_props["name"]])
        if dbt_resource_props["source_name"] == "data_out":
            return LOADED if settings().warehouse else export_key(dbt_resource_props["name"])
        return dg.AssetKey([GROUP, dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """All in one group."""
        del dbt_resource_props
        return GROUP

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """Whoever owns the files, too."""
        del dbt_resource_props
        return [SHOWN[Feed.DATA_OUT].owner]


def build_models(folder: Path) -> Models:
    """The assets of a project, a job that builds them all, and dbt."""
    if not (folder / "dbt_project.yml").is_file():
        raise InvalidConfig(
            "CIO_DBT_PROJECT names no dbt project.", "Name the folder with dbt_project.yml."
        )
    target = Path(os.environ.get("DBT_TARGET_PATH") or "target")
    project = DbtProject(folder, profiles_dir=folder, target_path=target)
    if _stale(project):
        # Once, and after each change of the project: everything else reads what that wrote.
        _parse(project)

    @dbt_assets(
        manifest=project.manifest_path,
        name="dbt_models",
        dagster_dbt_translator=Shown(
            settings=DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True)
        ),
    )
    def models(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
        # The library asks the context for its op, which Dagster wants to be asked of the op's own.
        yield from dbt.cli(["build"], context=context.op_execution_context).stream()

    job = dg.define_asset_job(
        "warehouse_models",
        selection=dg.AssetSelection.assets(models),
        description="Builds and tests all marts and audiences with dbt, of what was loaded.",
    )
    dbt = DbtCliResource(project, dbt_executable=_DBT)
    return Models((models,), (job,), {"dbt": dbt})


_DBT = str(Path(sys.executable).parent / "dbt")
"""dbt of the same environment, whether that is activated or not."""


def _parse(project: DbtProject) -> None:
    folder, target = str(project.project_dir), str(project.manifest_path.parent)
    at = ["--project-dir", folder, "--profiles-dir", folder, "--target-path", target]
    done = subprocess.run(  # noqa: S603 - fixed words, and folders of ours
        [_DBT, "--quiet", "parse", *at], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise InvalidConfig(
            "dbt cannot read the project that CIO_DBT_PROJECT names.",
            f"`dbt parse` in its folder says why: {done.stdout[-500:].strip()}",
        )


def _stale(project: DbtProject) -> bool:
    """Whether the project was never parsed, or a file of it is newer than what was made of it."""
    if not project.manifest_path.is_file():
        return True
    made = project.manifest_path.stat().st_mtime
    folders = ("models", "macros", "seeds")
    found = (path for name in folders for path in (project.project_dir / name).rglob("*"))
    return any(
        path.stat().st_mtime > made for path in (project.project_dir / "dbt_project.yml", *found)
    )
