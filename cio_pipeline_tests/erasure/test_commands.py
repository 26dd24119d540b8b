"""`cio-pipeline erase`: what it prints, its receipt, and its exit codes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cio_pipeline.cli.app import app
from cio_pipeline.model.errors import CioError, InvalidConfig, UnknownPerson
from cio_pipeline_tests.lifecycle.gone import person
from cio_pipeline_tests.world import World, during

Run = Callable[..., Result]


@pytest.fixture
def run(home: World) -> Run:
    """Runs a verb where somebody was sent and is gone."""
    home.sync()
    home.commit("people", person("ann", 0), person("bob", 0), at=during(0))
    home.run(0, "people")
    home.commit("people", person("ann", 1, deleted=True), at=during(1))
    home.run(1, "people")
    return lambda *arguments: CliRunner().invoke(app, arguments)


ANN = ("erase", "--workspace", "1", "ann@x.example")


def test_a_person_is_listed_erased_and_the_receipt_checked(run: Run, tmp_path: Path) -> None:
    would = run(*ANN, "--dry-run")
    assert would.exit_code == 0, would.output
    assert "people_v5_1_1.parquet" in would.stdout
    assert "holds the person" in would.stdout

    done = run(*ANN, "--receipt", "ann.json", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == json.loads((tmp_path / "ann.json").read_text())
    assert "ann@x" not in done.stdout
    assert run("verify").exit_code == 0

    checked = run("erase", "verify", "ann.json")
    assert checked.exit_code == 0, checked.output
    assert checked.stdout.count("erased") == 2
    (tmp_path / "bucket" / "a" / "people_v5_1_1.parquet").unlink()
    checked = run("erase", "verify", "ann.json", "--json")
    assert checked.exit_code == 0, checked.output
    states = {one["key"]: one["state"] for one in json.loads(checked.stdout)}
    assert states["people_v5_1_1.parquet"] == "removed since"
    (tmp_path / "bucket" / "a" / "people_v5_chngs_1_1.parquet").write_bytes(b"else")
    assert run("erase", "verify", "ann.json").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("erase", "--workspace", "1", "nobody"), UnknownPerson),
        (("erase", "--workspace", "1", "a", "b"), InvalidConfig),
        (("erase", "ann@x.example"), InvalidConfig),
        (("erase", "--workspace", "9", "ann"), InvalidConfig),
        (("erase", "verify", "syncs.yaml"), InvalidConfig),
        ((*ANN, "--receipt", "syncs.yaml"), InvalidConfig),
        ((*ANN, "--receipt", "no/folder/ann.json"), InvalidConfig),
        ((*ANN, "--receipt", "syncs.yaml/ann.json"), InvalidConfig),
    ],
)
def test_bad_input_is_named_and_nothing_is_done(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], kind: type[CioError]
) -> None:
    (tmp_path / "syncs.yaml").write_text("syncs: []\n")
    before = (tmp_path / "bucket" / "a" / "people_v5_1_1.parquet").read_bytes()
    done = run(*arguments)
    assert isinstance(done.exception, kind), done.output
    assert done.exception.next_step
    assert (tmp_path / "bucket" / "a" / "people_v5_1_1.parquet").read_bytes() == before
