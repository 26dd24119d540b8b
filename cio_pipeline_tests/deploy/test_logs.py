"""Logs of runs are JSON lines, and hold nothing of an error that nobody foresaw."""

import json
import logging
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from cio_pipeline.json_lines import JsonLines
from cio_pipeline.model.errors import SourceGone

DEPLOY = Path(__file__).parents[2] / "deploy/dagster.yaml"
SECRET = "ann@acme.example"  # noqa: S105 - stands for a row


@dg.op
def foreseen() -> None:
    raise SourceGone("The table people is gone.", "Put it back.")


@dg.op
def unforeseen(context: dg.OpExecutionContext) -> None:
    context.log.info("12 of 20 syncs")
    raise ValueError(SECRET)


@pytest.fixture
def lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """What a job with one op logs, as the production file says."""
    config = yaml.safe_load(DEPLOY.read_text(encoding="utf-8"))["python_logs"]

    def run(op: dg.OpDefinition) -> list[dict[str, Any]]:
        job = dg.GraphDefinition(name="job", node_defs=[op]).to_job()
        (tmp_path / op.name).mkdir()
        with dg.DagsterInstance.local_temp(
            str(tmp_path / op.name), overrides={"python_logs": config}
        ) as instance:
            quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
            # A change of it in Dagster is seen here first.
            with pytest.warns(dg.BetaWarning, match="yaml-defined logging"):
                job.execute_in_process(instance=instance, run_config=quiet, raise_on_error=False)
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


def test_a_run_is_told_line_by_line_without_what_nobody_foresaw(lines: Any) -> None:
    told = lines(unforeseen)
    (own,) = [one for one in told if one["message"] == "12 of 20 syncs"]
    assert (own["job"], own["step"], own["level"]) == ("job", "unforeseen", "info")
    assert len({one["run"] for one in told}) == 1
    (failed,) = [one for one in told if one.get("event") == "STEP_FAILURE"]
    assert failed["error"] == "ValueError"
    assert SECRET not in json.dumps(told)


def test_an_error_of_ours_is_told_as_it_is(lines: Any) -> None:
    (failed,) = [one for one in lines(foreseen) if one.get("event") == "STEP_FAILURE"]
    assert "SourceGone: The table people is gone. Put it back." in failed["error"]


def test_a_record_of_any_library_is_one_line() -> None:
    why = (KeyError, KeyError(SECRET), None)
    record = logging.LogRecord("lib", logging.ERROR, "f", 1, "it %s", ("broke\nhere",), why)
    text = JsonLines().format(record)
    assert "\n" not in text
    assert json.loads(text) | {"at": ""} == {
        "at": "",
        "level": "error",
        "logger": "lib",
        "message": "it broke\nhere",
        "error": "KeyError",
    }
