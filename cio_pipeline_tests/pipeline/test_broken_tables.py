"""O8, D6: a table that cannot be read stops the exports that read it, and nobody else."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.errors import SourceError, SourceUnavailable
from cio_pipeline.model.scope import Scope
from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline.pipeline.planning.cuts import decide_cut, peek_cut, tables_of
from cio_pipeline.pipeline.planning.preview import preview
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Source
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.world import World, during, window


@dataclass
class Watched:
    """A source that does something before it is looked at, a table at a time."""

    source: Source
    before: Callable[[str], None]
    looked: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)

    def look(self, table: Any, *rest: Any) -> Any:
        self.looked.append(table.name)
        self.before(table.name)
        return self.source.look(table, *rest)


def refusing(table: str, error: Exception) -> Callable[[str], None]:
    def before(name: str) -> None:
        if name == table:
            raise error

    return before


def break_log(world: World, table: str) -> Callable[[], None]:
    """Cut off the newest entry of a table's log; returns what mends it."""
    log = max((Path(world.source_uri) / table / "_delta_log").glob("*.json"))
    whole = log.read_text()
    log.write_text("{")
    return lambda: void(log.write_text(whole))


def void(_value: object) -> None:
    return None


def stands(world: World) -> dict[str, bool]:
    """Whether each export has come to the end of window 0."""
    states = world.ledger.registry.states(list(EXPORTS))
    return {s.export: s.position is not None and s.position.at >= window(0).end for s in states}


def run_all(services: Services, number: int) -> dict[str, str]:
    """Run all exports of a window; what the exports failed with that did."""
    failed: dict[str, str] = {}
    for export in EXPORTS:
        try:
            run_export(services, export, window(number), Scope())
        except (SourceError, SourceUnavailable) as error:
            failed[export] = str(error)
    assert all(one.error is None for one in commit_window(services, window(number)))
    return failed


@pytest.mark.parametrize("broken", ["people", "deliveries", "metrics", "object_types"])
def test_o8_only_exports_that_read_a_broken_table_stop(world: World, broken: str) -> None:
    world.sync()
    world.commit("people", person("ann"), at=during(0))
    world.commit("events", {"event_id": "e0", "processed_at": during(0)}, at=during(0))
    readers = {name for name in EXPORTS if broken in tables_of(name)}
    mend = break_log(world, broken)
    world.now = window(1).end

    for number in (0, 1):
        failed = run_all(world.services, number)
        assert failed.keys() == readers
        assert all(broken in text for text in failed.values())
        assert {name for name, there in stands(world).items() if not there} == readers
    cut = world.ledger.cuts.get(window(0).end)
    assert cut is not None
    assert cut.undecided == {broken}

    mend()
    assert not run_all(world.services, 0), "the window is completed by another run of it"
    assert all(stands(world).values())
    assert not run_all(world.services, 1)
    world.run(1)
    assert world.read("people")["internal_customer_id"].to_list() == ["ann"]
    assert world.read("events")["event_id"].to_list() == ["e0"]
    assert world.verify().ok


@pytest.mark.parametrize("error", [SourceError("subjects is broken."), SourceUnavailable("Away.")])
def test_o8_neither_kind_of_error_stops_the_others(world: World, error: Exception) -> None:
    world.sync()
    world.now = window(0).end
    source = Watched(world.services.source, refusing("subjects", error))
    assert run_all(replace(world.services, source=source), 0).keys() == {"subjects"}


def test_a_source_that_does_not_answer_is_waited_for_once_an_export(world: World) -> None:
    world.sync()
    world.now = window(0).end

    def away(_name: str) -> None:
        raise SourceUnavailable("The source did not answer.")

    source = Watched(world.services.source, away)
    assert run_all(replace(world.services, source=source), 0).keys() == EXPORTS.keys()
    assert len(source.looked) == len(EXPORTS)


def test_d6_a_table_that_comes_late_to_a_cut_stays_between_its_neighbours(world: World) -> None:
    world.sync()
    world.commit("subjects", {"subject_name": "a"}, at=during(0))
    world.now = window(2).end
    decide_cut(world.services, window(0).end)
    broken = replace(
        world.services,
        source=Watched(world.services.source, refusing("subjects", SourceError("Broken."))),
    )
    decide_cut(broken, window(1).end)
    decide_cut(world.services, window(2).end)
    world.commit("subjects", {"subject_name": "b"}, at=during(1))

    late = decide_cut(world.services, window(1).end, {"subjects"})

    assert not late.undecided
    assert late.tables["subjects"].version == 1, "not above the next one, which was decided"
    assert world.ledger.cuts.get(window(1).end) == late


def test_d6_a_commit_between_two_deciders_makes_no_cut_older_than_the_one_before(
    world: World,
) -> None:
    """A late commit, seen by who decides :15 and not by who decided :30 meanwhile."""
    world.sync()
    world.commit("people", person("ann"), at=during(0))
    world.now = window(1).end
    others: list[Cut] = []

    def meanwhile(_name: str) -> None:
        if not others:
            others.append(decide_cut(world.services, window(1).end))
            world.commit("people", person("ben"), at=during(0, 6))

    slow = replace(world.services, source=Watched(world.services.source, meanwhile))
    first = decide_cut(slow, window(0).end)

    (second,) = others
    assert first.tables["people"].version <= second.tables["people"].version
    for number in (0, 1, 2):
        world.run(number)
    assert set(world.read("people")["internal_customer_id"]) == {"ann", "ben"}
    assert not any(world.ledger.failing.of_window(window(n).end) for n in (0, 1, 2))


def test_plan_tells_which_exports_cannot_be_read_and_what_the_others_send(world: World) -> None:
    world.sync()
    world.commit("events", {"event_id": "e0", "processed_at": during(0)}, at=during(0))
    break_log(world, "subjects")
    world.now = window(0).end
    found = {one.export: one for one in preview(world.services, window(0), Scope(), count=True)}
    assert found["subjects"].decision == "Unreadable"
    assert "subjects" in found["subjects"].why
    assert (found["events"].decision, found["events"].rows) == ("Snapshot", 1)
    assert found.keys() == EXPORTS.keys()


def test_plan_and_list_tell_data_and_not_labels(world: World) -> None:
    """D6: nothing is delivered that waits behind a commit dated ahead, whatever the windows say."""
    world.sync()
    world.commit("events", {"event_id": "e0", "processed_at": during(0)}, at=during(0))
    world.run(0)
    world.commit("events", {"event_id": "e1", "processed_at": during(1)}, at=during(96))
    world.commit("events", {"event_id": "e2", "processed_at": during(1)}, at=during(1, 7))
    world.run(1)
    for number in (1, 2):
        world.now = window(number).end
        told = {
            one.export: one for one in preview(world.services, window(number), Scope(), count=False)
        }
        assert "2026-03-02 12:05 UTC by its cio.committed_at" in told["events"].why
        assert "since 2026-03-01 12:22" in told["events"].why
    peeked = peek_cut(world.services, window(2).end)
    assert peeked.waiting("events") is not None
    world.run(97)
    assert set(world.read("events")["event_id"]) == {"e0", "e1", "e2"}
