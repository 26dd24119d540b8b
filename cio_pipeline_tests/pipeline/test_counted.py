"""What is counted of rows while they are written (O1)."""

from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from cio_pipeline.changesets.counted import LONGEST, MOST_NAMES, WHOM, Counting
from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.model.volumes import ALL, DAY, EVENT, NOBODY, PERSON, ended
from cio_pipeline_tests.world import World, during, window


def kinds(world: World, export: str) -> dict[str, int]:
    day = ended(window(1).end, DAY) + DAY
    found = world.ledger.volumes.of(DAY, [day])[day]
    return {kind: one.rows for (_, name, kind), one in found.items() if name == export}


@pytest.mark.parametrize("export", [*WHOM, "metrics"])
def test_the_columns_that_tell_a_person_are_the_export_s(export: str) -> None:
    names = {column.name for column in ALL_EXPORTS[export].columns}
    assert set(WHOM.get(export, ())) <= names


def test_o1_who_rows_are_about_and_what_events_are_called_is_counted_as_they_pass(
    world: World,
) -> None:
    world.sync("a")
    world.commit("people", {"internal_customer_id": "x"}, at=during(0))
    first = {"event_id": "e0", "name": "before", "internal_customer_id": "x"}
    world.commit("events", first, at=during(0))
    world.run(0, "events", "deliveries")
    names = ["signed_up", "signed_up", "Signed Up"]
    world.commit(
        "events",
        *(
            {"event_id": f"e{n}", "name": name, "internal_customer_id": "x" if n > 1 else ""}
            for n, name in enumerate(names, 1)
        ),
        {"event_id": "e9", "name": "theirs", "workspace_id": 2},
        at=during(1),
    )
    world.commit(
        "deliveries",
        {"delivery_id": "d1", "internal_customer_id": "x"},
        {"delivery_id": "d2", "internal_customer_id": None},
        at=during(1),
    )
    world.run(1, "events", "deliveries")

    assert kinds(world, "events") == {
        ALL: 3,
        PERSON: 2,
        NOBODY: 1,
        EVENT + "signed_up": 2,
        EVENT + "Signed Up": 1,
    }
    assert kinds(world, "deliveries") == {ALL: 2, PERSON: 1, NOBODY: 1}
    assert world.read("events").height == 4
    assert world.verify().ok


def test_o1_names_without_end_are_counted_in_little_memory() -> None:
    many = pl.DataFrame(
        {
            "workspace_id": [1] * 1_000,
            "internal_customer_id": ["x"] * 1_000,
            "name": [f"{n % 300:03}" + "n" * 500 for n in range(1_000)],
        }
    )
    counting = Counting(ALL_EXPORTS["events"])

    passed = counting.watch(many.lazy()).collect(engine="streaming")

    assert passed.equals(many)
    (counts,) = counting.counts().values()
    assert len(counts) == MOST_NAMES + 1
    assert max(len(kind) for kind, _ in counts) == LONGEST + len(EVENT)


def test_o1_rows_that_pass_in_several_threads_are_all_counted() -> None:
    counting = Counting(ALL_EXPORTS["deliveries"])
    one = pl.DataFrame({"workspace_id": [1] * 1_000, "internal_customer_id": ["x"] * 1_000})
    passing = counting.watch(one.lazy())
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: passing.collect(), range(1_000)))
    assert counting.counts() == {1: ((PERSON, 1_000_000),)}


def test_o1_names_that_are_all_different_do_not_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cio_pipeline.changesets.counted.MOST_KEPT", 200)
    counting = Counting(ALL_EXPORTS["events"])
    for part in range(100):
        names = ["often"] * 50 + [f"once {part * 50 + n}" for n in range(50)]
        rows = {"workspace_id": [1] * 100, "internal_customer_id": ["x"] * 100, "name": names}
        counting.watch(pl.LazyFrame(rows)).collect()

    assert counting.kept() <= 20 * 100 + 200
    (counts,) = counting.counts().values()
    assert counts[:2] == ((PERSON, 10_000), (EVENT + "often", 5_000))
    assert len(counts) == MOST_NAMES + 1
