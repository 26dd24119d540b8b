"""The simulation is one timeline, however it is cut."""

from collections.abc import Mapping
from datetime import UTC, datetime

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from cio_pipeline.contracts.declare import TableKind
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.demo.simulate import Frames, changed_rows, history_rows, pieces
from cio_pipeline.demo.state import first_state
from cio_pipeline.demo.world import (
    DAY,
    HOUR,
    MINUTE,
    SIZES,
    TINY,
    DemoSize,
    Span,
    World,
    workspaces_of,
    world_of,
)
from cio_pipeline.demo.write import changes, history

UNTIL = datetime(2026, 3, 1, 11, 50, tzinfo=UTC)
BUSY = DemoSize(
    workspaces=1, people=300, history_days=20, messages_per_person=40, events_per_person=20
)


def _digest(frames: Frames) -> Mapping[str, int]:
    return {
        name: int(rows.hash_rows(seed=7).implode().hash().item()) for name, rows in frames.items()
    }


def _progress(title: str, done: int, total: int) -> None:
    assert title
    assert 0 < done <= total


def _first_hours(world: World) -> Frames:
    scene = first_state(world).scene
    return changes(world, Span(world.until, world.until + 2 * HOUR), scene)


def test_the_same_arguments_give_the_same_frames() -> None:
    def run(seed: int) -> list[Mapping[str, int]]:
        world = world_of(TINY, seed, UNTIL)
        parts = history(world, first_state(world).scene, _progress)
        return [_digest(frames) for frames in (*parts, _first_hours(world))]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_frames_have_the_columns_of_their_tables() -> None:
    world = world_of(TINY, 1, UNTIL)
    for frames in history(world, first_state(world).scene, _progress):
        assert set(frames) == set(SOURCE_TABLES)
        for name, rows in frames.items():
            assert rows.schema == source_schema(SOURCE_TABLES[name])
            required = [c.name for c in SOURCE_TABLES[name].columns if c.required]
            assert rows.select(pl.col(required).null_count()).row(0) == (0,) * len(required)


def _merged(frames: list[Frames], name: str) -> pl.DataFrame:
    table = SOURCE_TABLES[name]
    rows = pl.concat([part[name] for part in frames])
    if table.kind is TableKind.MUTABLE:
        rows = rows.unique(table.identity, keep="last", maintain_order=True)
    return rows.sort(table.identity)


@settings(deadline=None, max_examples=5)
@given(start=st.integers(0, 2 * DAY), lengths=st.tuples(*[st.integers(MINUTE, 9 * HOUR)] * 2))
def test_a_span_in_two_commits_gives_what_one_gives(start: int, lengths: tuple[int, int]) -> None:
    world = world_of(BUSY, 5, UNTIL)
    workspace = workspaces_of(world)[0]
    begin = world.until + start
    middle, end = begin + lengths[0], begin + sum(lengths)
    whole = changed_rows(workspace, Span(begin, end))
    halves = [
        changed_rows(workspace, Span(begin, middle)),
        changed_rows(workspace, Span(middle, end)),
    ]
    for name in SOURCE_TABLES:
        assert_frame_equal(_merged([whole], name), _merged(halves, name))


def test_the_history_and_what_follows_are_one_timeline() -> None:
    """The history of a world and one commit equal all that happened since its origin.

    Of what is only forwarded, the history holds the last hour.
    """
    world = world_of(BUSY, 5, UNTIL)
    end = world.until + 3 * DAY
    workspace = workspaces_of(world)[0]
    parts = [history_rows(piece) for piece in pieces(world)]
    parts.append(changed_rows(workspace, Span(world.until, end)))
    whole = changed_rows(workspace, Span(world.past.start, end))
    late = changed_rows(workspace, Span(world.until - HOUR, end))
    for name in SOURCE_TABLES:
        found = [part for part in parts if name in part]
        expected = late if name in {"calls", "messages"} else whole
        assert_frame_equal(_merged(found, name), _merged([expected], name))


def test_a_history_in_many_pieces_holds_everything_once() -> None:
    size = DemoSize(
        workspaces=2, people=120_000, history_days=9, messages_per_person=1, events_per_person=0
    )
    world = world_of(size, 1, UNTIL)
    found = pieces(world)
    assert len(found) > 2
    for workspace in workspaces_of(world):
        own = [piece for piece in found if piece.workspace == workspace]
        days = [day for piece in own for day in piece.days]
        people = [person for piece in own for person in piece.people]
        assert days == list(range(9))
        assert people == list(range(workspace.people + 2))
        assert [piece.first for piece in own] == [True] + [False] * (len(own) - 1)


def test_no_preset_has_people_beyond_its_pieces() -> None:
    for size in SIZES.values():
        for workspace in workspaces_of(world_of(size, 1, UNTIL)):
            assert workspace.alive(workspace.world.until) + 1 <= workspace.people + 2
