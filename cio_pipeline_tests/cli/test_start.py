"""The command line starts without what its verbs work with, and tells of each verb what it does."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cio_pipeline import __version__
from cio_pipeline.cli.app import VERBS, app, loaded
from cio_pipeline.ledger.open import open_ledger
from cio_pipeline_tests.cli.branching import Trunk, trunk_with

HEAVY = {"polars", "deltalake", "sqlalchemy", "pyarrow", "azure", "boto3", "dagster", "obstore"}


@pytest.fixture(scope="module")
def started() -> Iterator[Trunk]:
    """A process in which the command line stands, and no verb was called."""
    with trunk_with("cio_pipeline.cli.app") as trunk:
        yield trunk


@pytest.fixture(scope="module")
def with_ledger() -> Iterator[Trunk]:
    """The same with what each verb asks a ledger with."""
    with trunk_with("cio_pipeline.cli.app", "sqlalchemy.dialects.sqlite", "pydantic") as trunk:
        yield trunk


@pytest.fixture(scope="module")
def with_dataframes() -> Iterator[Trunk]:
    """The same with what each verb has that works with tables."""
    with trunk_with("cio_pipeline.cli.context") as trunk:
        yield trunk


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("version",)])
def test_no_library_of_the_verbs_is_waited_for(
    arguments: tuple[str, ...], started: Trunk, tmp_path: Path
) -> None:
    assert not started.imported_by(*arguments, home=tmp_path) & HEAVY


LEDGER = [
    "status",
    "quarantine list",
    "sync list",
    "sync show none",
    "sync history none",
    "sync policy none",
    "ledger backup {home}/copy.db",
    "ledger prune",
]
_NO_TABLES = (
    "sync validate",
    "sync apply none.yaml",
    "sync pause none",
    "sync key-preview none",
    "contract infer",
    "quarantine retry",
    "ledger check",
    "verify",
    "reconcile",
    "replay none",
    "expire",
    "erase --sync none --identifier x",
    "doctor",
    "export --now",
    "report --out {home}/none/x",
)
OTHERS = {
    **{verb: {"deltalake", "pyarrow", "numpy"} for verb in _NO_TABLES},
    "source status": {"pyarrow", "numpy"},
    "source load people none.csv": {"pyarrow", "numpy", "requests"},
    "plan": {"pyarrow", "numpy"},
}
"""What each verb does not wait for, beside the clients of stores and Dagster."""

NEVER = {"azure", "boto3", "botocore", "dagster", "altair", "vl_convert"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CIO_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("verb", LEDGER)
def test_verbs_that_ask_the_ledger_alone_wait_for_no_dataframes(
    verb: str, home: Path, with_ledger: Trunk
) -> None:
    open_ledger(f"sqlite:///{home / 'ledger.db'}").close()
    found = with_ledger.imported_by(*verb.format(home=home).split(), home=home)
    assert not found & (HEAVY - {"polars", "sqlalchemy", "obstore"})
    assert not found & {"_polars_runtime_32", "numpy", "jmespath", "yaml"}


@pytest.mark.parametrize("verb", OTHERS)
def test_verbs_wait_for_what_they_work_with_alone(
    verb: str, home: Path, with_dataframes: Trunk
) -> None:
    found = with_dataframes.imported_by(*verb.format(home=home).split(), home=home)
    assert not found & (NEVER | OTHERS[verb])


def test_what_was_imported_is_not_looked_through_for_what_could_be_let_go(home: Path) -> None:
    open_ledger(f"sqlite:///{home / 'ledger.db'}").close()
    code = (
        "import gc, sys; from cio_pipeline.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "kept, dialect = gc.get_freeze_count(), 'sqlalchemy.dialects.postgresql' in sys.modules\n"
        "assert kept > 50_000, kept; assert gc.isenabled(); assert not dialect"
    )
    subprocess.run([sys.executable, "-c", code, "sync", "list"], check=True)


def test_a_shell_completes_a_verb_and_one_below_it() -> None:
    code = "from cio_pipeline.cli.app import main; main()"
    for typed, meant in (("qu", ["quarantine"]), ("sync key", ["key-preview"])):
        words = {"COMP_WORDS": f"cio-pipeline {typed}", "COMP_CWORD": str(len(typed.split()))}
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **words, "_CIO_PIPELINE_COMPLETE": "complete_bash"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.split() == meant


def test_help_draws_no_boxes_for_which_one_would_wait(started: Trunk, tmp_path: Path) -> None:
    assert not started.imported_by("--help", home=tmp_path) & {"markdown_it", "pygments"}


def test_a_library_that_comes_later_is_whole_however_it_is_asked_for() -> None:
    for use in ("import polars as pl; pl.DataFrame({'a': [1]})", "from polars.exceptions import X"):
        code = (
            "from cio_pipeline.cli.later import later; later('polars'); import sys; "
            "import polars; assert 'polars.dataframe' not in sys.modules; "
            + use.replace("X", "PanicException")
            + "; assert 'polars.dataframe' in sys.modules; assert polars.DataFrame().is_empty()"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_says_of_itself_what_the_list_says(verb: str) -> None:
    assert (loaded(verb).help or "").splitlines()[0] == VERBS[verb]
    shown = CliRunner().invoke(app, [verb, "--help"], terminal_width=200)
    assert shown.exit_code == 0
    assert f"Usage: root {verb}" in shown.stdout or f"{verb} [" in shown.stdout


def test_the_list_names_every_verb_and_a_slip_is_told() -> None:
    shown = CliRunner().invoke(app, ["--help"])
    assert all(verb in shown.stdout for verb in VERBS)
    slip = CliRunner().invoke(app, ["exprt"])
    assert slip.exit_code == 2
    assert "exprt" in slip.output
    assert "export" in slip.output
    assert CliRunner().invoke(app, ["--version"]).stdout.strip() == __version__
