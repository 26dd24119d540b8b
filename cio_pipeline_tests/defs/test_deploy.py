"""The instance files that we ship: every class that they name is loaded, whatever they offer."""

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance
from dagster._core.launcher import DefaultRunLauncher
from packaging.requirements import Requirement

from cio_pipeline_tests.postgres import PASSWORD, USER, Cluster

ROOT = Path(__file__).parents[2]
DEPLOY = (ROOT / "deploy/dagster.yaml").read_text(encoding="utf-8")


def offered() -> dict[str, str]:
    """The text of the production file with each launcher that its comments offer, by class."""
    blocks = re.findall(r"^# run_launcher:\n(?:#  .*\n)+", DEPLOY, re.MULTILINE)
    texts = {re.findall(r"class: (\w+)", block)[0]: block.replace("# ", "", 1) for block in blocks}
    chosen = {name: re.sub(r"^# ", "", text, flags=re.MULTILINE) for name, text in texts.items()}
    return {name: f"{DEPLOY}\n{text}" for name, text in chosen.items()}


@pytest.fixture
def environment(postgres_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    named = set(re.findall(r"\{env: (\w+)\}", DEPLOY))
    given = {
        "DAGSTER_PG_HOST": "",
        "DAGSTER_PG_USER": USER,
        "DAGSTER_PG_PASSWORD": PASSWORD,
        "DAGSTER_PG_DB": "postgres",
        "DAGSTER_CELERY_BROKER": "memory://",
        "DAGSTER_CELERY_BACKEND": "rpc://",
        "CIO_IMAGE": "registry.example/cio-pipeline:1",
    }
    assert named == given.keys()
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PGHOST", str(postgres_cluster.folder))
    # Only within a cluster are there a token and a certificate to be read.
    monkeypatch.setattr("kubernetes.config.load_incluster_config", lambda: None)


def loaded(folder: Path, text: str) -> DagsterInstance:
    (folder / "dagster.yaml").write_text(text, encoding="utf-8")
    return DagsterInstance.from_config(str(folder))


def test_the_production_file_offers_two_launchers() -> None:
    assert sorted(offered()) == ["CeleryRunLauncher", "K8sRunLauncher"]


@pytest.mark.parametrize("launcher", ["", *sorted(offered())])
def test_the_production_file_starts_with_each_launcher(
    tmp_path: Path, environment: None, launcher: str
) -> None:
    """All of its storages in PostgreSQL, the queue, the lanes and monitoring."""
    with loaded(tmp_path, offered().get(launcher, DEPLOY)) as instance:
        storages: list[Any] = [
            instance.run_storage,
            instance.event_log_storage,
            instance.schedule_storage,
        ]
        assert all("postgres" in type(one).__module__ for one in storages)
        assert instance.get_runs_count() == 0
        assert instance.run_monitoring_enabled
        assert instance.get_concurrency_config().run_queue_config is not None
        assert type(instance.run_launcher).__name__ == (launcher or DefaultRunLauncher.__name__)
        # The file says which of them can be asked for the health of a run.
        assert instance.run_launcher.supports_check_run_worker_health is bool(launcher)


def test_the_file_of_one_machine_starts(tmp_path: Path) -> None:
    text = (ROOT / "dagster.yaml").read_text(encoding="utf-8")
    with loaded(tmp_path, text) as instance:
        assert instance.get_runs_count() == 0
        assert instance.run_monitoring_enabled


def test_what_the_production_file_names_comes_with_the_extra_and_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    modules = {name.replace("_", "-") for name in re.findall(r"module: (\w+)", DEPLOY)}
    wanted = {*modules, "dagster-postgres", *re.findall(r"redis(?=://)", DEPLOY)}
    assert wanted == set(project["optional-dependencies"]["production"])
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {_canonical(pin.partition("==")[0]) for pin in pins}
    assert _all_needed(wanted) <= pinned


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _all_needed(names: Iterable[str]) -> set[str]:
    """The packages with all that they need here, by their canonical names."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = _canonical(waiting.pop())
        if name not in found:
            found.add(name)
            needs = [Requirement(one) for one in requires(name) or ()]
            waiting += [one.name for one in needs if one.marker is None or one.marker.evaluate()]
    return found
