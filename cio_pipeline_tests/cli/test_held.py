"""What another run works on is no "nothing new": it is named, with an exit code of its own."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from cio_pipeline.cli import app as root
from cio_pipeline.cli import held
from cio_pipeline.cli.app import app, main
from cio_pipeline.cli.context import OWNER
from cio_pipeline.cli.held import HELD
from cio_pipeline.cli.sent import WindowRun, who_holds
from cio_pipeline.ledger.open import open_ledger
from cio_pipeline.model.manifests import CHAIN
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.recovery.restore import RESTORE
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.world import World, during

PAIRS = [("a", "people"), ("a", "events"), ("a", CHAIN)]


@pytest.fixture
def served(home: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world that sent people and events in its first window, with the command line on it."""
    monkeypatch.setattr(held, "EVERY", 0.1)
    monkeypatch.setattr(root, "EVERY", 0.1)
    home.sync("a")
    home.commit("people", person("ann"), at=during(0))
    home.run(0, "people", "events")
    return home


def claimed(world: World, *pairs: tuple[str, str]) -> None:
    """A run that died holds some pairs, as seen by the machine's clock."""
    world.ledger.leases.claim(pairs or PAIRS, "run 7", datetime.now(UTC), TTL)


def free(world: World) -> None:
    """The run's leases come to their end."""
    found = open_ledger(f"sqlite:///{world.root}/ledger.db")
    lease, _ = found.leases.claim(PAIRS, "run 7", datetime.now(UTC), TTL)
    found.leases.release(lease)
    found.close()


def called(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit code of the command line as a process has it."""
    monkeypatch.setattr(sys, "argv", ["cio-pipeline", *words])
    with pytest.raises(SystemExit) as done:
        main()
    assert isinstance(done.value.code, int)
    return done.value.code


def export(number: int, *words: str) -> tuple[int, list[dict[str, Any]]]:
    words = ("export", "--window", during(number).isoformat(), "--json", *words)
    done = CliRunner().invoke(app, list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, json.loads(done.stdout)


def test_d6_export_names_the_run_that_holds_a_sync_and_until_when(served: World) -> None:
    served.commit("people", person("ben"), at=during(1))
    claimed(served)
    code, (run,) = export(1)
    assert code == HELD
    assert run["success"]
    assert {(one["sync_id"], one["export"], one["owner"]) for one in run["held"]} == {
        ("a", "people", "run 7"),
        ("a", "events", "run 7"),
    }
    free(served)
    code, (run,) = export(1)
    assert (code, run["held"]) == (0, [])
    assert set(served.read("people")["internal_customer_id"]) == {"ann", "ben"}


def test_d6_export_waits_for_it_if_told_to(served: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from cio_pipeline.cli import export as verb  # noqa: PLC0415 - imports Dagster

    waited: list[str] = []

    def told(run: WindowRun) -> Iterator[str]:
        """The other run ends while this one waits."""
        free(served)
        for text in who_holds(run):
            waited.append(text)
            yield text

    monkeypatch.setattr(verb, "who_holds", told)
    served.commit("people", person("ben"), at=during(1))
    claimed(served)
    code, runs = export(1, "--wait")
    assert code == 0
    assert runs[0]["held"]
    assert "waits for run 7" in waited[0]
    assert not runs[-1]["held"]
    assert set(served.read("people")["internal_customer_id"]) == {"ann", "ben"}


def test_the_words_for_people_are_no_riddle(
    served: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    claimed(served)
    served.commit("people", person("ben"), at=during(1))
    assert called(monkeypatch, "export", "--window", during(1).isoformat()) == HELD
    told = " ".join(capsys.readouterr().out.split())
    assert "waits for run 7, which works on events of a, people of a until" in told
    assert "nothing new" not in told


VERBS = {
    "plan abandon": ["plan", "abandon", "a", "people"],
    "disable": ["sync", "disable", "a"],
    "upgrade": ["sync", "upgrade", "old"],
    "recreate": ["sync", "recreate", "a", "--yes"],
    "purge": ["sync", "purge", "off", "--yes"],
    "enable": ["sync", "enable", "off"],
    "restore": ["export", "--restore"],
    "catch-up": ["ledger", "catch-up", "--sync", "a"],
}


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_that_takes_leases_exits_alike(
    served: World,
    verb: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    served.sync("old", 2, version=4)
    served.sync("off", 3)
    if verb in {"purge", "enable"}:
        assert called(monkeypatch, "sync", "disable", "off") == 0
    claimed(served, *[(one, pair) for one in ("a", "old", "off") for pair in ("people", RESTORE)])
    capsys.readouterr()
    assert called(monkeypatch, *VERBS[verb]) == HELD
    out = capsys.readouterr()
    assert "run 7" in " ".join((out.out + out.err).split())


def test_any_verb_waits_if_told_to(served: World, monkeypatch: pytest.MonkeyPatch) -> None:
    claimed(served)
    waited: list[float] = []

    def wait(seconds: float) -> None:
        """The other run ends meanwhile."""
        waited.append(seconds)
        free(served)

    monkeypatch.setattr(root, "time", SimpleNamespace(sleep=wait))
    assert called(monkeypatch, "--wait", "sync", "disable", "a") == 0
    assert waited == [root.EVERY]
    assert served.ledger.registry.get("a").disabled_at is not None


def test_plan_tells_who_works_on_what(served: World) -> None:
    claimed(served)
    done = CliRunner().invoke(app, ["plan", "--window", during(1).isoformat(), "--json"])
    told = {one["export"]: one["held"] for one in json.loads(done.stdout)}
    assert told["people"].startswith("run 7, until ")
    assert told["metrics"] is None


def test_a_retry_of_rows_that_another_run_works_on_is_told(
    served: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served.commit(
        "events", {"event_id": "e", "properties": "{", "processed_at": during(1)}, at=during(1)
    )
    served.run(1)
    assert served.ledger.quarantine.entries(["a"])
    claimed(served)
    assert called(monkeypatch, "quarantine", "retry") == HELD
    assert "run 7" in " ".join(capsys.readouterr().out.split())


def test_two_processes_have_two_names() -> None:
    """A second command line must not take what the first one works on (issue: purge, recreate)."""
    import subprocess  # noqa: PLC0415 - only here

    code = "from cio_pipeline.cli.context import OWNER; print(OWNER)"
    other = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert other.stdout.strip() not in {"", OWNER}
