"""D10: `cio-pipeline verify --path` needs a folder and nothing else."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from rich.console import Console, RenderableType
from sqlalchemy import update
from typer.testing import CliRunner

from cio_pipeline import verification
from cio_pipeline.cli.app import app as cli
from cio_pipeline.cli.verify import as_text, of_folders, targets, verify, verify_target
from cio_pipeline.ledger.schema import manifests as stored
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.verification.report import VerifyReport
from cio_pipeline.verification.verify import verify as verify_destination
from cio_pipeline_tests.pipeline.buckets import Bucket, whole_bucket
from cio_pipeline_tests.recovery.loss import go_on
from cio_pipeline_tests.world import World

app = typer.Typer()
app.command()(verify)


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return whole_bucket(tmp_path)


def printed(report: RenderableType) -> str:
    console = Console(width=200, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(report)
    return captured.get()


def shown(bucket: Bucket) -> str:
    return printed(as_text("acme", verify_destination(bucket.folder)))


def test_d10_a_whole_bucket(bucket: Bucket) -> None:
    found = CliRunner().invoke(app, ["--path", str(bucket.root), "--json"])
    (report,) = json.loads(found.stdout)
    assert found.exit_code == 0
    assert (report["ok"], report["complete_up_to"], report["files"]) == (True, 3, 8)
    assert "acme: complete up to manifest 3; 8 files, 24 rows" in shown(bucket)


@pytest.mark.parametrize(
    ("damage", "options", "code"),
    [
        (lambda path: path.unlink(), [], 1),
        (lambda path: path.unlink(), ["--quick"], 1),
        (lambda path: path.write_bytes(b"x" * path.stat().st_size), [], 1),
        (lambda path: path.write_bytes(b"x" * path.stat().st_size), ["--quick"], 0),
    ],
)
def test_d10_a_broken_bucket_gives_exit_code_1(
    bucket: Bucket, damage: Callable[[Path], object], options: list[str], code: int
) -> None:
    damage(bucket.root / "people_v5_7_2.parquet")
    found = CliRunner().invoke(app, ["--path", str(bucket.root), *options])
    assert found.exit_code == code
    assert "people_v5_7_2.parquet" in shown(bucket)
    assert "complete up to manifest 1 of 3" in shown(bucket)


def test_d10_warnings_are_shown_apart(bucket: Bucket) -> None:
    bucket.folder.put_bytes("people_v5_7_5.parquet", b"x")
    assert "Not proven wrong, but look at it (1)" in shown(bucket)


def test_d10_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="nowhere"):
        of_folders([tmp_path / "nowhere"])


def test_messages_promise_only_commands_that_exist() -> None:
    """Every `cio-pipeline VERB --OPTION` that verification speaks of is one."""
    folder = Path(verification.__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*.py")]
    told = {found for text in texts for found in re.findall(r"`cio-pipeline ([^`]+)`", text)}
    assert told
    for command in told:
        verb, *options = command.split()
        shown = CliRunner().invoke(cli, [verb, "--help"], env={"COLUMNS": "200"})
        assert shown.exit_code == 0, command
        assert all(option in shown.stdout for option in options), command


def test_d10_an_empty_or_wrong_folder_is_no_pass(tmp_path: Path) -> None:
    """D10: it says what it looked for, and where; who knows that nothing was sent may allow it."""
    found = CliRunner().invoke(app, ["--path", str(tmp_path)], env={"COLUMNS": "200"})
    assert found.exit_code == 1
    assert "✓" not in found.output
    assert "_cio/1.manifest" in found.output
    assert str(tmp_path) in found.output
    assert "--allow-empty" in found.output
    assert CliRunner().invoke(app, ["--path", str(tmp_path), "--allow-empty"]).exit_code == 0
    (report,) = json.loads(
        CliRunner().invoke(app, ["--path", str(tmp_path), "--json"]).output.partition("\n]")[0]
        + "\n]"
    )
    assert (report["ok"], report["empty"]) == (True, True)


def test_d10_one_empty_folder_beside_a_whole_one_is_no_pass(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    both = ["--path", str(bucket.root), "--path", str(tmp_path / "empty")]
    assert CliRunner().invoke(app, both).exit_code == 1
    assert CliRunner().invoke(app, [*both, "--allow-empty"]).exit_code == 0
    (bucket.root / "people_v5_7_2.parquet").unlink()
    assert CliRunner().invoke(app, [*both, "--allow-empty"]).exit_code == 1


def test_d10_a_ledger_without_syncs_is_no_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIO_HOME", str(tmp_path))
    found = CliRunner().invoke(app, [])
    assert found.exit_code == 1
    assert "No sync is registered" in found.output
    assert CliRunner().invoke(app, ["--allow-empty"]).exit_code == 0


def verified(world: World) -> VerifyReport:
    (target,) = targets(world.services, ["a"])
    return verify_target(target, deep=True)


@pytest.mark.parametrize(
    ("lost", "told", "whole"),
    [
        ([3], "Manifest 3 is missing.", "complete up to manifest 2 of 3"),
        ([2, 3], "Manifests 2 to 3 are missing.", "complete up to manifest 1 of 3"),
        ([1, 2, 3], "Manifests 1 to 3 are missing.", "complete up to manifest 0 of 3"),
    ],
)
def test_d10_manifests_that_were_put_and_lie_there_no_more_are_missing(
    tmp_path: Path, lost: list[int], told: str, whole: str
) -> None:
    """A chain without its end looks whole by itself: the ledger knows how far it went."""
    world = World(tmp_path)
    world.sync()
    go_on(world, range(3))
    assert verified(world).ok
    for path in [world.folder() / "_cio" / f"{ordinal}.manifest" for ordinal in lost]:
        path.unlink()
    if len(lost) == 3:
        for name in world.names():
            (world.folder() / name).unlink()

    report = verified(world)

    assert told in report.problems[0].message
    assert whole in printed(as_text("a", report))
    assert not report.empty


def test_d10_manifests_that_wait_to_be_put_are_not_missing(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.sync()
    go_on(world, range(2))
    waits = update(stored).where(stored.c.ordinal == 2).values(put_at=None)
    world.ledger.database.write(lambda connection: connection.execute(waits))
    (world.folder() / "_cio" / "2.manifest").unlink()
    report = verified(world)
    assert (report.ok, report.manifests) == (True, 1)
