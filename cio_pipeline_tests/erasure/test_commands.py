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


def test_d4_a_receipt_vouches_for_nothing_that_was_left_or_has_come_back(
    run: Run, tmp_path: Path
) -> None:
    first, second = (
        tmp_path / "bucket" / "a" / f"people_v5_{name}.parquet" for name in ("1_1", "chngs_1_1")
    )
    kept, gone = first.read_bytes(), second.read_bytes()
    first.write_bytes(b"altered")
    second.unlink()
    assert run(*ANN, "--receipt", "would.json", "--dry-run").exit_code == 1
    assert isinstance(run("erase", "verify", "would.json").exception, InvalidConfig)
    assert run(*ANN, "--receipt", "ann.json").exit_code == 1

    def states() -> tuple[int, dict[str, str]]:
        done = run("erase", "verify", "ann.json", "--json")
        told = {one["key"]: one["state"] for one in json.loads(done.stdout)}
        return done.exit_code, {key: state.partition(":")[0] for key, state in told.items()}

    wrong = "it lies there and was not erased"
    assert states() == (1, {first.name: wrong, second.name: "removed since"})
    first.write_bytes(kept)
    second.write_bytes(gone)
    assert states() == (1, {first.name: wrong, second.name: wrong})
    assert run(*ANN).exit_code == 0
    assert states() == (0, {first.name: "erased", second.name: "erased"})


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
