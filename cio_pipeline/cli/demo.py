"""`cio-pipeline demo`: a simulated platform, exported and verified from end to end."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal
from rich.text import Text
from rich.tree import Tree

from cio_pipeline.cli.context import services
from cio_pipeline.cli.export import run_windows
from cio_pipeline.cli.output import CONSOLE, print_table
from cio_pipeline.cli.progress import progress
from cio_pipeline.cli.sent import WindowRun, show_runs, show_side_by_side
from cio_pipeline.cli.verify import Target, as_text, of_syncs
from cio_pipeline.demo.state import read_state
from cio_pipeline.demo.world import named_size
from cio_pipeline.demo.write import write_commit, write_history
from cio_pipeline.destinations.overlap import location
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.feeds import Cadence, Feed
from cio_pipeline.model.windows import Window, closed_windows, data_out_window, last_closed_window
from cio_pipeline.pipeline.lifecycle.apply import apply_syncs
from cio_pipeline.pipeline.syncs.sync_file import read_sync_file
from cio_pipeline.settings import Settings, settings
from cio_pipeline.verification.verify import verify
from cio_pipeline.wiring import now

SYNCS = """\
# Written by `cio-pipeline demo`; the fields are described in docs/sync-file.md.
syncs:
  - id: acme-v5
    workspace_id: 1
    version: 5
    owner: data@acme.example
    destination: {{type: local, path: "{bucket}/acme-v5"}}
  - id: beta-v4
    workspace_id: 2
    version: 4
    owner: data@beta.example
    destination: {{type: local, path: "{bucket}/beta-v4"}}
  - id: acme-calls
    workspace_id: 1
    feed: calls
    owner: data@acme.example
    destination: {{type: local, path: "{bucket}/acme-calls"}}
  - id: beta-calls
    workspace_id: 2
    feed: calls
    format: csv
    owner: data@beta.example
    destination: {{type: local, path: "{bucket}/beta-calls"}}
  - id: acme-messages
    workspace_id: 1
    feed: messages
    owner: data@acme.example
    key_template: "join('/', [metadata.objectName, time.date, metadata.\\"event-id\\"])"
    destination: {{type: local, path: "{bucket}/acme-messages"}}
"""

SIDE_BY_SIDE = 6
"""Windows that fit beside one another on a terminal."""

EARLY = timedelta(minutes=5)
"""When in a window the simulated platform commits."""


@dataclass(frozen=True)
class DemoFolders:
    """Where the demo keeps what it makes."""

    source: Path
    bucket: Path
    syncs: Path


def demo(
    size: Annotated[str, typer.Option(help="tiny, small, medium or large.")] = "small",
    seed: Annotated[int, typer.Option(help="Another seed, another story.")] = 1,
    windows: Annotated[int, typer.Option(min=1, max=90, help="Windows after the first.")] = 3,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove an earlier demo first.")] = False,
    advance: Annotated[
        bool, typer.Option("--advance", help="Only let the platform go on until now.")
    ] = False,
    syncs: Annotated[
        Path | None,
        typer.Option(help="A sync file in place of the demo's own.", exists=True, dir_okay=False),
    ] = None,
) -> None:
    """Simulate a platform, export its history and some windows, verify, show the bucket."""
    place = _place(settings())
    if advance:
        with progress() as bar:
            state = write_commit(str(place.source), read_state(str(place.source)), now(), bar)
        CONSOLE.print(f"The platform went on until {state.until:%Y-%m-%d %H:%M:%S} UTC.")
        return
    if fresh:
        _remove(settings(), place)
    elif place.source.exists():
        raise InvalidConfig(
            f"There is a source in {place.source} already.",
            "Start over with --fresh, or let the platform go on with --advance.",
        )
    chosen = _last_windows(windows + 1)
    _simulate(place, size, seed, chosen)
    _apply(place, chosen[0], syncs)
    _export(chosen)
    _show()


def _place(found: Settings) -> DemoFolders:
    own = f"delta:{found.home / 'source'}"
    if found.source != own:
        raise InvalidConfig(
            "The demo writes its own source, but CIO_SOURCE points elsewhere.",
            "Unset CIO_SOURCE, or set CIO_HOME to a new folder.",
        )
    return DemoFolders(found.home / "source", found.home / "bucket", found.home / "demo-syncs.yaml")


def _remove(found: Settings, place: DemoFolders) -> None:
    """Remove what an earlier demo made, and nothing that is not a demo's."""
    if place.source.exists() and not (place.source / "demo.json").exists():
        raise InvalidConfig(
            f"The source in {place.source} was not made by the demo; it is left alone.",
            "Set CIO_HOME to a new folder.",
        )
    if not place.source.exists():
        return
    for folder in (place.source, place.bucket, found.spool):
        shutil.rmtree(folder, ignore_errors=True)
    for ledger in found.home.glob("ledger.db*"):
        ledger.unlink()
    found.ledger_seen.unlink(missing_ok=True)


def _last_windows(count: int) -> list[Window]:
    """The last windows that have ended, oldest first."""
    window = last_closed_window(now(), Cadence.QUARTER_HOUR)
    found = [window]
    while len(found) < count:
        found.append(data_out_window(found[-1].start - EARLY))
    return found[::-1]


def _simulate(place: DemoFolders, size: str, seed: int, chosen: list[Window]) -> None:
    with progress() as bar:
        uri = str(place.source)
        state = write_history(uri, named_size(size), seed, chosen[0].start + EARLY, bar)
        for window in chosen[1:]:
            state = write_commit(uri, state, window.start + EARLY, bar)
    CONSOLE.print(f"Simulated a platform until {state.until:%Y-%m-%d %H:%M} UTC.")


def _apply(place: DemoFolders, first: Window, syncs: Path | None) -> None:
    text = syncs.read_text("utf-8") if syncs else own_syncs(place.bucket)
    place.syncs.write_text(text, encoding="utf-8")
    base = Path.cwd()
    applied = apply_syncs(
        services(),
        read_sync_file(text),
        lambda sync: location(sync.destination, base),
        first.start,
    )
    CONSOLE.print(f"Applied {len(applied)} syncs from {place.syncs}.")


def own_syncs(bucket: Path) -> str:
    """The demo's sync file for a folder of buckets, whatever that is called."""
    return SYNCS.format(bucket=json.dumps(str(bucket), ensure_ascii=False)[1:-1])


def _export(chosen: list[Window]) -> None:
    """Run the windows, and those that the other feeds have meanwhile, if a sync is of theirs."""
    done = _run(chosen, Feed.DATA_OUT)
    (show_side_by_side if len(done) <= SIDE_BY_SIDE else show_runs)(done)
    feeds = {one.sync.feed for one in services().ledger.registry.all()}
    for feed in sorted(feeds - {Feed.DATA_OUT}):
        others = _run(closed_windows(chosen[0].start, chosen[-1].end, feed), feed)
        show_runs(others)
        done += others
    if not all(run.success for run in done):
        raise typer.Exit(1)


def _run(windows: Sequence[Window], feed: Feed) -> list[WindowRun]:
    done: list[WindowRun] = []
    with progress() as bar:
        bar(f"Exporting windows of {feed}", 0, len(windows))
        for at, run in enumerate(run_windows(windows, (), feed), 1):
            done.append(run)
            bar(f"Exporting windows of {feed}", at, len(windows))
    return done


def _show() -> None:
    targets = of_syncs([])
    CONSOLE.print(_tree(targets))
    reports = [(target.name, verify(target.destination)) for target in targets]
    for name, report in reports:
        CONSOLE.print(as_text(name, report))
    print_table(
        "Look further",
        ("what", "command"),
        [
            ("the graph, runs and checks", "make dev, then http://127.0.0.1:3000"),
            ("what a window sends and why", "cio-pipeline plan"),
            ("let the platform go on", "cio-pipeline demo --advance"),
            ("a page about all of it", "cio-pipeline report --out report.html"),
            ("marts and audiences", "make warehouse, then cio-pipeline audience show winback"),
        ],
    )
    if not all(report.ok for _, report in reports):
        raise typer.Exit(1)


def _tree(targets: Sequence[Target]) -> Tree:
    tree = Tree(Text("what landed", "bold"))
    for target in targets:
        where = Text(f" in {target.destination.describe()}")
        branch = tree.add(Text(target.name, "bold") + where)
        for found in target.destination.list():
            branch.add(Text(f"{found.key}  ") + Text(decimal(found.size), "dim"))
    return tree
