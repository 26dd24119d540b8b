"""`cio-pipeline export`: run windows by hand, through Dagster's own machinery."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cio_pipeline.cli.context import ended, scope_of, services, window_at
from cio_pipeline.cli.dagster_home import use_dagster_home
from cio_pipeline.cli.held import HELD, tries
from cio_pipeline.cli.output import CONSOLE, print_json
from cio_pipeline.cli.parameters import AsJson, Syncs
from cio_pipeline.cli.progress import progress
from cio_pipeline.cli.restore import put_back
from cio_pipeline.cli.send_now import run_now
from cio_pipeline.cli.sent import (
    Held,
    NotContinued,
    SentRow,
    WindowRun,
    any_held,
    show_runs,
    who_holds,
)
from cio_pipeline.model import errors as errors_of_ours
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.times import utc
from cio_pipeline.model.windows import FIRST_WINDOW, Window, closed_windows
from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline.pipeline.committing.put_manifests import Continued

if TYPE_CHECKING:
    import dagster as dg


First = Annotated[str | None, typer.Option(help="A time in the (first) window, UTC.")]
Last = Annotated[str | None, typer.Option(help="A time in the last window, UTC.")]
OfFeed = Annotated[
    Feed | None, typer.Option(help="Which feed: data-out unless it is given; with --now all.")
]
AtOnce = Annotated[
    bool,
    typer.Option("--now", help="Send all that was committed up to now; no window is awaited."),
]
Lost = Annotated[
    bool,
    typer.Option(
        "--restore",
        help="Put back what was delivered and is missing or altered, of all windows if none is "
        "given.",
    ),
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for other runs that work on the same.")]


def export(
    window: First = None,
    until: Last = None,
    sync: Syncs = None,
    feed: OfFeed = None,
    at_once: AtOnce = False,
    lost: Lost = False,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Run one window, or all from one to another; the runs show up in the Dagster UI.

    With --now, the window that is open sends the rest when it ends.
    """
    found = services()
    scope = scope_of(found.ledger.registry, sync or [])
    chosen = feed or Feed.DATA_OUT
    if at_once:
        if window or until or lost:
            raise InvalidConfig(
                "--now is given together with --window, --until or --restore.",
                "Leave one of them out.",
            )
        with progress(enabled=not as_json) as bar:
            telling = replace(found, progress=bar)
            done = run_now(telling, scope, [feed] if feed else [], wait=wait)
    elif lost:
        restored = windows_between(window, until, chosen) if window else None
        put_back(found, scope.sync_ids, restored, wait=wait, as_json=as_json)
        return
    elif window is None:
        raise InvalidConfig(
            "No window is given.",
            "Add --window with a time in it (UTC), or --now for all that there is.",
        )
    else:
        windows = windows_between(window, until, chosen)
        done = _run(windows, scope, chosen, wait=wait, as_json=as_json)
    _tell(done, as_json=as_json)


def _run(
    windows: Sequence[Window], scope: Scope, feed: Feed, *, wait: bool, as_json: bool
) -> list[WindowRun]:
    done = list[WindowRun]()
    with progress(enabled=not as_json) as bar:
        bar("Windows", 0, len(windows))
        for run in run_windows(windows, tuple(scope.sync_ids or ()), feed, wait=wait):
            done.append(run)
            bar("Windows", len({one.window for one in done}), len(windows))
    if not as_json:
        _say_why_nothing(windows, scope, feed)
    return done


def _tell(done: Sequence[WindowRun], *, as_json: bool) -> None:
    """What was done, for people or scripts; raises Exit if something was left undone."""
    if as_json:
        print_json(done)
    else:
        show_runs(done)
    if any(run.failed for run in done):
        raise typer.Exit(1)
    if any_held(done):
        raise typer.Exit(HELD)


def _say_why_nothing(windows: Sequence[Window], scope: Scope, feed: Feed) -> None:
    """Name the syncs for which no window was any work, so that an empty table is no riddle."""
    from cio_pipeline.defs.partitions import FIRST  # noqa: PLC0415 - brings Dagster

    last = windows[-1]
    for one in services().ledger.registry.all(scope.sync_ids):
        if one.sync.feed is not feed:
            continue
        if last.end <= one.created_at:
            CONSOLE.print(
                f"{one.sync.id} was registered at {utc(one.created_at)}; earlier windows are no "
                f"work for it. `cio-pipeline export --now --sync {one.sync.id}` sends all that "
                "there is.",
                style="yellow",
            )
        elif last.start < FIRST:
            CONSOLE.print(
                f"{one.sync.id} was sent nothing: no window before {utc(FIRST)} is run here "
                "(CIO_FIRST_WINDOW). A later one sends what came until then, too.",
                style="yellow",
            )


def windows_between(first: str, last: str | None, feed: Feed = Feed.DATA_OUT) -> list[Window]:
    """The windows from one time to another, both included; all must have ended.

    Raises InvalidConfig.
    """
    start, end = window_at(first, feed), window_at(first if last is None else last, feed)
    if start.start < FIRST_WINDOW:
        raise InvalidConfig(
            f"There are no windows before {FIRST_WINDOW:%Y-%m-%d}.",
            "Load older rows with a later `--at`; their event times stay as they are.",
        )
    if end < start:
        raise InvalidConfig("--until lies before --window.", "Swap them.")
    return closed_windows(start.start, ended(end).end, feed)


def run_windows(
    windows: Sequence[Window],
    sync_ids: Sequence[str],
    feed: Feed = Feed.DATA_OUT,
    *,
    wait: bool = False,
) -> Iterator[WindowRun]:
    """Run windows one after another in this process, recorded in Dagster's instance."""
    use_dagster_home()
    # Dagster takes seconds to import, and only this verb needs it.
    from dagster import DagsterInstance  # noqa: PLC0415

    from cio_pipeline.definitions import defs  # noqa: PLC0415
    from cio_pipeline.defs.jobs import JOBS  # noqa: PLC0415
    from cio_pipeline.defs.partitions import FIRST  # noqa: PLC0415
    from cio_pipeline.defs.sensors import scope_config  # noqa: PLC0415

    job = defs.resolve_job_def(JOBS[feed].name)
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with DagsterInstance.get() as instance:

        def run_once(window: Window) -> WindowRun:
            result = job.execute_in_process(
                instance=instance,
                partition_key=window.key,
                run_config={**scope_config(sync_ids), **quiet},
                raise_on_error=False,
            )
            written: Sequence[Continued] = ()
            if not result.success:
                # Dagster skips the manifest if an export failed; what the others sent is listed.
                written = commit_window(services(), window, sync_ids or None, feed=feed)
            return _window_run(window, result, written)

        # Before the hour of the first sync there is no partition, and no work.
        for window in (one for one in windows if one.start >= FIRST):
            yield from tries(partial(run_once, window), who_holds, wait=wait)


def _window_run(
    window: Window, result: "dg.ExecuteInProcessResult", written: Sequence[Continued]
) -> WindowRun:
    errors = [
        f"{event.step_key}: {_innermost(event.step_failure_data.error)}"
        for event in result.all_node_events
        if event.is_step_failure
    ]
    events = result.get_asset_materialization_events()
    made = [event.step_materialization_data.materialization for event in events]
    sent = [_sent(window, one) for one in made]
    unlisted = [NotContinued(one.sync_id, one.told) for one in written if one.error]
    unlisted += [found for one in made if "manifests" in one.metadata for found in _unlisted(one)]
    return WindowRun(
        window.key,
        result.run_id,
        result.success,
        tuple(one for one in sent if one is not None),
        tuple(errors),
        tuple(unlisted),
        tuple(dict.fromkeys(held for one in made for held in _held(one))),
        tuple(dict.fromkeys(notice for one in made for notice in _notices(one))),
    )


def _held(found: "dg.AssetMaterialization") -> Iterator[Held]:
    table: Any = found.metadata.get("held")
    for record in table.records if table else ():
        yield Held(**record.data)


def _notices(found: "dg.AssetMaterialization") -> Sequence[str]:
    text: Any = found.metadata.get("source_notices")
    return text.value.splitlines() if text else ()


def _unlisted(found: "dg.AssetMaterialization") -> Iterator[NotContinued]:
    """The syncs in the manifest asset's table that have an error there."""
    table: Any = found.metadata["syncs"]
    for record in table.records:
        if record.data["error"]:
            yield NotContinued(record.data["sync"], record.data["error"])


_OURS = frozenset(name for name, one in vars(errors_of_ours).items() if isinstance(one, type))


def _innermost(error: "dg.SerializableErrorInfo | None") -> str:
    """What really went wrong, without Dagster's wrapping, and without a library's own words.

    An error of ours may have been made of a library's: it says what that means here.
    """
    while error is not None and error.cause is not None and error.cls_name not in _OURS:
        error = error.cause
    text = error.message.strip() if error is not None else "unknown"
    return text.partition(": ")[2] or text


def _sent(window: Window, found: "dg.AssetMaterialization") -> SentRow | None:
    if "syncs_sent" not in found.metadata:
        return None
    numbers = {name: int(str(value.value)) for name, value in found.metadata.items() if name in _N}
    return SentRow(window.key, found.asset_key.to_user_string(), *(numbers[name] for name in _N))


_N = ("syncs_sent", "files", "rows", "bytes", "rows_quarantined", "syncs_failed", "syncs_busy")
