"""What is known of a demo source between two commits, stored beside its tables."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from cio_pipeline.demo.script import Scene
from cio_pipeline.demo.world import HOUR, DemoSize, Span, World
from cio_pipeline.model.errors import InvalidConfig, SourceError, SourceGone
from cio_pipeline.model.times import micros, moment
from cio_pipeline.sources.places import local_path

_FILE = "demo.json"
_KEPT = 4
_START_AGAIN = "Remove the folder and run `cio-pipeline demo` again."


@dataclass(frozen=True)
class DemoState:
    """How far a demo source was written; the world follows from it.

    `recent` are the ends (microseconds) of the last commits, the newest last; `commits` counts
    those after the history. `writing` is set while a commit is under way.
    """

    size: DemoSize
    seed: int
    origin: int
    history_end: int
    commits: int
    recent: tuple[int, ...]
    writing: bool = False

    @property
    def world(self) -> World:
        """The simulated world."""
        return World(self.size, self.seed, self.origin, self.history_end)

    @property
    def until(self) -> datetime:
        """Everything before this time is in the tables."""
        return moment(self.recent[-1])

    @property
    def scene(self) -> Scene:
        """What the cast does in the last commit."""
        pairs = pairwise(self.recent)
        return Scene(self.commits, tuple(Span(start, end) for start, end in pairs))

    @property
    def span(self) -> Span:
        """The time that the last commit covers."""
        return Span(self.recent[-2], self.recent[-1])

    def after(self, at: datetime) -> "DemoState":
        """The state after one more commit; raises InvalidConfig for one that goes back."""
        if at.tzinfo is None or micros(at.astimezone(UTC)) < self.recent[-1] + 1_000_000:
            raise InvalidConfig(
                "A demo commit must be later than the last one, with a time zone.",
                f"Choose a time after {self.until.isoformat()}.",
            )
        ends = (*self.recent, micros(at.astimezone(UTC)))[-_KEPT:]
        return DemoState(
            self.size, self.seed, self.origin, self.history_end, self.commits + 1, ends
        )


def first_state(world: World) -> DemoState:
    """The state after the history; the cast's first commit is its last hour."""
    ends = (world.until - HOUR, world.until)
    return DemoState(world.size, world.seed, world.origin, world.until, 0, ends)


def folder_of(uri: str) -> Path:
    """The folder of a demo source; raises InvalidConfig for a source in a store."""
    path = local_path(uri)
    if path is None:
        raise InvalidConfig("The demo source lies in a local folder.", "Set CIO_SOURCE to one.")
    return path


def store_state(uri: str, state: DemoState) -> None:
    """Keep the state beside the tables."""
    folder = folder_of(uri)
    draft = folder / f"{_FILE}.new"
    draft.write_text(json.dumps(asdict(state), indent=1) + "\n", encoding="utf-8")
    draft.replace(folder / _FILE)


def read_state(uri: str) -> DemoState:
    """The state of a demo source.

    Raises SourceGone if the folder holds none, SourceError if it was interrupted while writing.
    """
    path = folder_of(uri) / _FILE
    if not path.is_file():
        raise SourceGone("There is no demo source in this folder.", "Run `cio-pipeline demo`.")
    try:
        state = _ADAPTER.validate_json(path.read_bytes())
    except ValidationError as error:
        raise SourceError(f"{_FILE} of the demo source cannot be read.", _START_AGAIN) from error
    if state.writing:
        raise SourceError("The demo source was interrupted while it was written.", _START_AGAIN)
    return state


_ADAPTER = TypeAdapter(DemoState)
