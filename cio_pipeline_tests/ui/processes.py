"""Dagster's webserver and daemon as processes of their own, and GraphQL to ask them."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from cio_pipeline_tests import waiting
from cio_pipeline_tests.ports import free_port

REPOSITORY = Path(__file__).parents[2]
LOCATION = "cio_pipeline.definitions"
until = partial(waiting.until, every=0.5)
"""Web server and browser have work for each look."""

SELECTOR = {"repositoryLocationName": LOCATION, "repositoryName": "__repository__"}


@dataclass
class Processes:
    """A webserver on a free port, and a daemon that can be stopped; state below `home`."""

    home: Path
    port: int = field(init=False)
    running: dict[str, subprocess.Popen[bytes]] = field(
        default_factory=dict[str, subprocess.Popen[bytes]]
    )

    def __post_init__(self) -> None:
        self.port = free_port()
        (self.home / "dagster").mkdir(parents=True)
        shutil.copy(REPOSITORY / "dagster.yaml", self.home / "dagster/dagster.yaml")

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            **os.environ,
            "CIO_HOME": str(self.home),
            "DAGSTER_HOME": str(self.home / "dagster"),
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, program: str, *arguments: str) -> None:
        """Start one of Dagster's programs; its output goes to a file beside its state."""
        path = Path(sys.executable).with_name(program)
        with (self.home / f"{program}.log").open("ab") as log:
            self.running[program] = subprocess.Popen(
                [path, *arguments, "--workspace", REPOSITORY / "workspace.yaml"],
                cwd=REPOSITORY,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start_webserver(self) -> None:
        self.start("dagster-webserver", "--port", str(self.port))
        until("the webserver", waiting.PATIENCE, self._answers)

    def start_daemon(self) -> None:
        self.start("dagster-daemon", "run")

    def stop(self, program: str) -> None:
        process = self.running.pop(program)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)

    def stop_all(self) -> None:
        for program in list(self.running):
            self.stop(program)

    def cli(self, *arguments: str, check: bool = True) -> str:
        """Run `cio-pipeline` and return what it prints; without `check` it may fail."""
        program = Path(sys.executable).with_name("cio-pipeline")
        return subprocess.run(
            [program, *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            check=check,
            capture_output=True,
            text=True,
        ).stdout

    def ask(self, query: str, **variables: Any) -> Any:
        """What the UI's own endpoint answers; fails on any error."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = Request(  # noqa: S310 - our own webserver
            f"{self.url}/graphql", body, {"content-type": "application/json"}
        )
        with urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
            found = json.load(answer)
        assert "errors" not in found, found["errors"]
        return found["data"]

    def _answers(self) -> bool:
        try:
            return bool(self.ask("{ version }"))
        except (URLError, ConnectionError):
            return False

    def runs(self) -> list[dict[str, Any]]:
        """All runs, oldest first: id, status and tags."""
        found = self.ask(
            "{ runsOrError { ... on Runs { results { runId status tags { key value } } } } }"
        )["runsOrError"]["results"]
        return [
            {**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}}
            for run in reversed(found)
        ]

    def check(self, asset: str, name: str = "delivered_to_every_due_sync") -> dict[str, Any] | None:
        """The last execution of an asset's check."""
        query = """
          query ($key: AssetKeyInput!, $name: String!) {
            assetCheckExecutions(assetKey: $key, checkName: $name, limit: 1) {
              status
              evaluation { success description partition }
            }
          }"""
        found = self.ask(query, key={"path": [asset]}, name=name)["assetCheckExecutions"]
        return found[0] if found else None

    def materialized(self, asset: str) -> set[str]:
        """The windows in which an asset was materialised."""
        query = """
          query ($key: AssetKeyInput!) {
            assetOrError(assetKey: $key) { ... on Asset {
              assetMaterializations(limit: 100) { partition }
            } }
          }"""
        found = self.ask(query, key={"path": [asset]})["assetOrError"]["assetMaterializations"]
        return {one["partition"] for one in found}

    def switch_sensor(self, *, on: bool) -> None:
        selector = {**SELECTOR, "sensorName": "export_sensor"}
        if on:
            query = """mutation ($it: SensorSelector!) {
                startSensor(sensorSelector: $it) { __typename } }"""
            answer = self.ask(query, it=selector)["startSensor"]
        else:
            state = """query ($it: SensorSelector!) { sensorOrError(sensorSelector: $it) {
                ... on Sensor { id } } }"""
            sensor = self.ask(state, it=selector)["sensorOrError"]["id"]
            query = "mutation ($id: String!) { stopSensor(id: $id) { __typename } }"
            answer = self.ask(query, id=sensor)["stopSensor"]
        assert answer["__typename"] in {"Sensor", "StopSensorMutationResult"}, answer
