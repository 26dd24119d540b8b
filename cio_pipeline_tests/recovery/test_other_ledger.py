"""D10: a ledger that was emptied, exchanged or set back is not taken for the one before."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cio_pipeline.cli.app import app
from cio_pipeline.defs.resources import PipelineResource
from cio_pipeline.ledger.open import open_ledger
from cio_pipeline.model.errors import LedgerError
from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline_tests.recovery.loss import each_row_once, go_on
from cio_pipeline_tests.world import World, window

Run = Callable[..., Result]

SYNCS = """\
syncs:
  - {id: a, workspace_id: 1, destination: {type: local, path: bucket/a}}
"""
NOON = ("--at", "2026-03-01T12:00")


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a verb on the world's ledger, in its folder, where a sync was served for two windows."""
    monkeypatch.chdir(world.root)
    monkeypatch.setenv("CIO_HOME", str(world.root))
    for name in ("CIO_SOURCE", "CIO_LEDGER"):
        monkeypatch.delenv(name, raising=False)
    (world.root / "syncs.yaml").write_text(SYNCS)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments)

    assert invoke("sync", "apply", "syncs.yaml", *NOON).exit_code == 0
    go_on(world, range(2))
    assert invoke("sync", "list").exit_code == 0
    world.ledger.close()
    return invoke


def lose(root: Path) -> None:
    for file in root.glob("ledger.db*"):
        file.unlink()


def empty(root: Path) -> None:
    lose(root)
    (root / "ledger.db").touch()


def exchange(root: Path) -> None:
    lose(root)
    open_ledger(f"sqlite:///{root / 'other.db'}").close()
    (root / "other.db").rename(root / "ledger.db")


REFUSED = (
    ("sync", "list"),
    ("sync", "apply", "syncs.yaml", *NOON),
    ("plan", "--no-count"),
    ("export", "--window", "2026-03-01T12:30"),
    ("verify",),
    ("quarantine", "list"),
)


@pytest.mark.parametrize("loss", [lose, empty, exchange])
def test_d10_an_emptied_or_exchanged_ledger_is_refused_by_every_verb(
    world: World, run: Run, loss: Callable[[Path], None]
) -> None:
    loss(world.root)
    for verb in REFUSED:
        refused = run(*verb).exception
        assert isinstance(refused, LedgerError), verb
        assert "not the ledger that was used here before" in refused.message
        assert "ledger rebuild" in refused.next_step
    with pytest.raises(LedgerError):
        PipelineResource().services("a run")
    checked = run("ledger", "check", "--json")
    assert checked.exit_code == 1
    assert "ledger rebuild" in checked.output

    assert run("ledger", "rebuild", "--syncs", "syncs.yaml").exit_code == 0

    assert run("ledger", "check").exit_code == 0
    assert run("verify").exit_code == 0
    again = World(world.root, now=window(3).end)
    go_on(again, range(2, 4))
    each_row_once(again, 4)


def test_d10_a_ledger_that_was_set_back_must_catch_up(world: World, run: Run) -> None:
    assert run("ledger", "backup", str(world.root / "old.db")).exit_code == 0
    again = World(world.root, now=window(3).end)
    go_on(again, range(2, 4))
    assert run("sync", "list").exit_code == 0
    again.ledger.close()
    lose(world.root)
    shutil.copy(world.root / "old.db", world.root / "ledger.db")

    for verb in (("export", "--window", "2026-03-01T13:00"), ("plan", "--no-count"), ("verify",)):
        refused = run(*verb).exception
        assert isinstance(refused, LedgerError), verb
        assert "catch-up" in refused.next_step
    assert run("ledger", "check").exit_code == 1
    assert run("sync", "apply", "syncs.yaml").exit_code == 0
    assert run("ledger", "catch-up").exit_code == 0

    assert run("ledger", "check").exit_code == 0
    go_on(World(world.root, now=window(5).end), range(4, 6))
    each_row_once(World(world.root, now=window(5).end), 6)


def test_d10_a_sync_whose_bucket_is_ahead_waits_until_the_ledger_has_caught_up(
    world: World, run: Run
) -> None:
    """As an older backup, or a new ledger on another machine, would have it."""
    empty(world.root)
    (world.root / "ledger.seen").unlink()

    applied = run("sync", "apply", "syncs.yaml", *NOON)

    assert "holds manifest 2, and this ledger knows none" in applied.output
    assert "ledger catch-up --sync a" in applied.output
    checked = json.loads(run("ledger", "check", "--json").stdout)
    assert "holds manifest 2" in checked["problems"][0]
    assert "ledger catch-up --sync a" in checked["problems"][0]
    before = {path.name for path in world.folder().iterdir()}
    again = World(world.root, now=window(3).end)
    outcomes = again.run(2, "events")
    assert [one.files for one in outcomes if one.sync_id == "a"] in ([], [0])
    assert {path.name for path in world.folder().iterdir()} == before

    assert run("ledger", "catch-up", "--sync", "a").exit_code == 0
    go_on(again, range(2, 4))
    each_row_once(again, 4)


def test_d10_a_sync_that_could_not_catch_up_is_sent_nothing(world: World, run: Run) -> None:
    """As with a disk that is not mounted: each row comes once all the same, in any layout."""
    assert run("ledger", "backup", str(world.root / "old.db")).exit_code == 0
    go_on(World(world.root, now=window(3).end), range(2, 4))
    assert run("sync", "list").exit_code == 0
    lose(world.root)
    shutil.copy(world.root / "old.db", world.root / "ledger.db")
    hidden = world.folder().rename(world.root / "hidden")

    done = run("ledger", "catch-up", "--json")

    assert done.exit_code == 1
    assert "holds no manifest, and manifest 2 was put there" in done.output
    again = World(world.root, now=window(4).end)
    again.run(3, "events")
    assert not world.folder().exists() or not any(world.folder().rglob("*.parquet"))
    breaker = again.ledger.breakers.all()["a"]
    assert "ledger catch-up --sync a" in breaker.message
    shutil.rmtree(world.folder(), ignore_errors=True)
    hidden.rename(world.folder())
    assert run("ledger", "catch-up", "--sync", "a").exit_code == 0
    go_on(again, [4])
    each_row_once(again, 5)


def test_d10_an_empty_ledger_cannot_catch_up(world: World, run: Run) -> None:
    empty(world.root)
    done = run("ledger", "catch-up")
    assert isinstance(done.exception, LedgerError)
    assert "ledger rebuild --syncs" in done.exception.next_step
    assert isinstance(run("sync", "list").exception, LedgerError)


def test_d10_who_did_not_catch_up_is_told_so_by_the_first_conflict(world: World, run: Run) -> None:
    """A new ledger, and nobody looked into the bucket: its own manifest lies there."""
    empty(world.root)
    (world.root / "ledger.seen").unlink()
    assert run("sync", "apply", "syncs.yaml", *NOON, "--no-validate").exit_code == 0
    (world.folder() / "events_v5_1_1.parquet").unlink()
    again = World(world.root, now=window(2).end)
    again.run(2, "events")
    written = commit_window(again.services, window(2))
    assert "holds another _cio/1.manifest of its own" in str(written[0].error)
    assert "ledger catch-up --sync a" in str(written[0].error)


def test_d10_a_table_that_cannot_be_read_stops_no_rebuild(world: World, run: Run) -> None:
    lose(world.root)
    entries = sorted((world.root / "source" / "object_types" / "_delta_log").glob("*.json"))
    whole = entries[-1].read_bytes()
    entries[-1].write_text("{broken")
    assert run("ledger", "rebuild", "--syncs", "syncs.yaml").exit_code == 0
    assert run("verify").exit_code == 0
    entries[-1].write_bytes(whole)
    again = World(world.root, now=window(3).end)
    go_on(again, range(2, 4))
    each_row_once(again, 4)


def test_d10_where_it_cannot_be_remembered_the_ledger_is_used_all_the_same(
    world: World, run: Run
) -> None:
    (world.root / "ledger.seen").unlink()
    (world.root / "ledger.seen").mkdir()
    assert run("sync", "list").exit_code == 0
    assert not list(world.root.glob("ledger.seen.*"))


def test_d10_what_is_remembered_is_no_state(world: World, run: Run) -> None:
    """Without the file, or with one that a crash tore, the ledger there is counts."""
    for text in (None, "", '{"ident', "[]"):
        seen = world.root / "ledger.seen"
        seen.unlink() if text is None else seen.write_text(text)
        assert run("sync", "list").exit_code == 0
        assert json.loads(seen.read_text())["commits"] > 0
