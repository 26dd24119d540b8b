"""`cio-pipeline top` as textual's pilot sees it: numbers on the screen, keys, and no write."""

import asyncio
import html
import re
from collections.abc import Callable
from typing import Any

from sqlalchemy import event
from textual.pilot import Pilot

from cio_pipeline.cli.top_screen import Top
from cio_pipeline.model.errors import LedgerBusy
from cio_pipeline.pipeline.checking.overview import Overview, overview
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.world import World, during, window


def two_syncs(world: World) -> None:
    """One in order that was sent three rows, one that is late."""
    world.sync("well", 1, exports=["people"], owner="growth")
    world.sync("late", 2, exports=["people"], owner="shop")
    world.run(0, "people")
    people = [person(name) for name in ("ann", "ben", "cat")]
    world.commit("people", *people, at=during(9))
    world.run(9, "people", sync_ids=["well"])
    world.now = window(9).end


def watched(look: Callable[[], Overview], *keys: str, every: float = 60.0) -> list[str]:
    """The lines of the screen after each key was pressed."""

    async def play() -> list[str]:
        app = Top(look, every)
        async with app.run_test(size=(170, 24)) as pilot:
            await settled(pilot)
            shown = [text_of(app)]
            for key in keys:
                await pilot.press(key)
                await settled(pilot)
                shown.append(text_of(app))
            return shown

    return asyncio.run(play())


async def settled(pilot: Pilot[Any]) -> None:
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def text_of(app: Top) -> str:
    """What stands in a screenshot, as an SVG that anybody can look at."""
    lines = re.findall(r"<text[^>]*>(.*?)</text>", app.export_screenshot())
    return "\n".join(html.unescape(line).replace("\xa0", " ") for line in lines)


def test_the_screen_shows_syncs_lag_rates_and_why(world: World) -> None:
    two_syncs(world)
    (shown,) = watched(lambda: overview(world.services))
    assert "2 syncs: 1 late, 1 well; 1 wrong" in shown
    assert "today 3 rows" in shown
    late, well = shown.index("late"), shown.index("well ")
    assert late < well, "the worst first"
    for text in ("growth", "shop", "2026-03-01 14:30 UTC", "2 h 15 min", "late: delivered until"):
        assert text in shown, text


def test_keys_choose_and_sort_and_a_look_counts_rates(world: World) -> None:
    two_syncs(world)

    def look() -> Overview:
        found = overview(world.services)
        world.commit("people", person("dan"), person("eve"), at=during(10))
        world.run(10, "people", sync_ids=["well"])
        return found

    first, second, wrong, sorted_ = watched(look, "r", "w", "s")
    assert re.search(r"today 3 rows, .*; 0 runs now", first)
    assert " rows/min;" not in first, "there was no look before"
    assert re.search(r"today 5 rows, .*, \d+ rows/min", second), second
    assert "growth" not in wrong
    assert "shop" in wrong
    assert "sorted by lag" in sorted_


def test_a_ledger_that_does_not_answer_is_told_and_asked_again(world: World) -> None:
    two_syncs(world)
    answers = iter([LedgerBusy("The ledger is busy.", "Wait."), None])

    def look() -> Overview:
        error = next(answers, None)
        if error is not None:
            raise error
        return overview(world.services)

    first, second = watched(look, "r")
    assert "The ledger is busy. Wait." in first
    assert "2 syncs" in second


def test_it_writes_nothing_to_the_ledger(world: World) -> None:
    two_syncs(world)
    written: list[str] = []

    def note(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        if text.split(maxsplit=1)[0] not in {"SELECT", "BEGIN", "PRAGMA", "WITH"}:
            written.append(text)

    event.listen(world.ledger.database.engine, "before_cursor_execute", note)
    watched(lambda: overview(world.services), "r", "w")
    assert written == []
