"""D10: `cio-pipeline verify --path` needs a folder and nothing else."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from rich.console import Console, RenderableType
from typer.testing import CliRunner

from cio_pipeline.cli.app import app as cli
from cio_pipeline.cli.verify import of_folders, render, verify
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.pipeline import verification
from cio_pipeline.pipeline.verification.verify import verify as verify_destination
from cio_pipeline_tests.pipeline.buckets import Bucket, whole_bucket

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
    return printed(render("acme", verify_destination(bucket.folder)))


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
