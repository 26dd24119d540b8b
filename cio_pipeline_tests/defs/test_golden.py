"""What Dagster sees, as a file: a difference here changes what operators script against.

To accept it: `CIO_UPDATE_GOLDEN=1 pytest cio_pipeline_tests/defs/test_golden.py`
"""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.definitions import defs

GOLDEN = Path(__file__).parent / "golden" / "definitions.txt"


def asset_lines(spec: dg.AssetSpec) -> list[str]:
    windows = spec.partitions_def
    timed = isinstance(windows, dg.TimeWindowPartitionsDefinition)
    parts = f"every {windows.cron_schedule[2:4]} minutes" if timed else "no"
    return [
        f"asset {spec.key.to_user_string()}",
        f"  group {spec.group_name}; kinds {' '.join(sorted(spec.kinds))}; partitions {parts}",
        f"  owners {' '.join(spec.owners) or 'none'}",
        *(f"  after {dep.asset_key.to_user_string()}" for dep in spec.deps),
    ]


def rendered() -> str:
    repository = defs.get_repository_def()
    checks = sorted(
        f"check {key.asset_key.to_user_string()}: {key.name}"
        for key in repository.asset_graph.asset_check_keys
    )
    specs = sorted(defs.resolve_all_asset_specs(), key=lambda spec: spec.key.to_user_string())
    jobs = sorted(job.name for job in repository.get_all_jobs() if not job.name.startswith("__"))
    return "\n".join(
        [
            *(line for spec in specs for line in asset_lines(spec)),
            *checks,
            *(f"job {name}" for name in jobs),
            *(
                f"sensor {one.name}: {one.default_status.value}, every "
                f"{one.minimum_interval_seconds} s"
                for one in repository.sensor_defs
            ),
            *(f"schedule {one.name}: {one.cron_schedule}" for one in repository.schedule_defs),
            *(f"resource {name}" for name in sorted(repository.get_top_level_resources())),
            "",
        ]
    )


def test_the_definitions_are_the_accepted_ones() -> None:
    if os.environ.get("CIO_UPDATE_GOLDEN"):
        GOLDEN.write_text(rendered(), encoding="utf-8")
    assert rendered() == GOLDEN.read_text(encoding="utf-8")


def test_every_asset_is_described_and_every_export_has_its_columns() -> None:
    specs = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
    assert all(spec.description for spec in specs.values())
    for name in EXPORTS:
        assert specs[name].metadata["dagster/column_schema"].columns


def test_the_definitions_load_without_a_warning() -> None:
    code = "import cio_pipeline.definitions"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
