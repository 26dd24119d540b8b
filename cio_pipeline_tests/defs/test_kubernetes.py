"""deploy/kubernetes.yaml, by Dagster's own rules: no cluster and no Helm are asked here."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from dagster._config import process_config
from dagster._core.instance.config import dagster_instance_config_schema

from cio_pipeline.definitions import defs
from cio_pipeline.settings import settings

DEPLOY = Path(__file__).parents[2] / "deploy"
VALUES = yaml.safe_load((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8"))
FILE = yaml.safe_load((DEPLOY / "dagster.yaml").read_text(encoding="utf-8"))
(CODE,) = VALUES["dagster-user-deployments"]["deployments"]


def snake(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {re.sub(r"[A-Z]", lambda m: f"_{m[0].lower()}", key): v for key, v in fields.items()}


def accepted(schema: Any, given: Mapping[str, object]) -> Any:
    found = process_config(schema, given)
    assert found.success, found.errors
    return found.value


def test_the_launcher_has_fields_that_dagster_knows() -> None:
    # Each worker would wait for a client of Kubernetes, of which one needs it.
    from dagster_k8s.launcher import K8sRunLauncher  # noqa: PLC0415

    assert VALUES["runLauncher"]["type"] == "K8sRunLauncher"
    given = snake(VALUES["runLauncher"]["config"]["k8sRunLauncher"])
    # What the chart adds.
    added = {"service_account_name": "dagster", "instance_config_map": "dagster-instance"}
    found = accepted(K8sRunLauncher.config_type(), {**given, **added})
    assert found["fail_pod_on_run_failure"] is True


def test_queue_and_monitoring_are_those_of_the_production_file() -> None:
    queue = snake(VALUES["dagsterDaemon"]["runCoordinator"]["config"]["queuedRunCoordinator"])
    monitoring = snake(VALUES["dagsterDaemon"]["runMonitoring"])
    accepted(dagster_instance_config_schema(), {"run_queue": queue, "run_monitoring": monitoring})
    tick = {"key": "cio/lane", "value": "tick", "limit": int(environment()["CIO_SHARDS"])}
    limits = FILE["run_queue"]["tag_concurrency_limits"]
    expected = [tick if one["value"] == "tick" else one for one in limits]
    assert queue["tag_concurrency_limits"] == expected
    assert queue["max_concurrent_runs"] == FILE["run_queue"]["max_concurrent_runs"]
    assert FILE["run_monitoring"].items() <= monitoring.items()
    scheme = FILE["storage"]["postgres"]["postgres_db"]["scheme"]
    assert VALUES["postgresql"]["postgresqlScheme"] == scheme


def environment() -> dict[str, str]:
    return {one["name"]: one["value"] for one in CODE["env"]}


def test_pods_of_runs_get_the_settings_and_a_spool_that_fits_its_volume() -> None:
    from dagster_k8s.container_context import K8sContainerContext  # noqa: PLC0415 - the same

    assert CODE["includeConfigInLaunchedRuns"] == {"enabled": True}
    context = K8sContainerContext.create_from_config(
        {
            "k8s": {
                "env_vars": [f"{name}={value}" for name, value in environment().items()],
                "env_secrets": [one["name"] for one in CODE["envSecrets"]],
                "volumes": CODE["volumes"],
                "volume_mounts": CODE["volumeMounts"],
            }
        }
    )
    (mount,) = context.run_k8s_config.container_config["volume_mounts"]
    found = settings(environment())
    assert str(found.home) == mount["mount_path"]
    assert found.shards == 2
    (volume,) = CODE["volumes"]
    assert found.spool_bytes is not None
    assert found.spool_bytes < int(volume["emptyDir"]["sizeLimit"].removesuffix("Gi")) * 1024**3


def test_no_job_starts_processes_of_its_own() -> None:
    """Workers of Celery are not allowed to; those of assets that are chosen by hand, too."""
    jobs = {job.name: job.executor_def.name for job in defs.get_repository_def().get_all_jobs()}
    assert "__ASSET_JOB" in jobs
    assert set(jobs.values()) == {"in_process"}
