"""Asset checks: a window is green once it ran, its check is red while a sync lacks files.

What `pipeline.checking` declares is looked at in one step of the window's run, for all syncs.
"""

import warnings
from collections.abc import Iterator, Sequence

import dagster as dg

from cio_pipeline.contracts.feeds import feed_of
from cio_pipeline.defs.feeds import SHOWN
from cio_pipeline.defs.partitions import WINDOWS_OF, window_of
from cio_pipeline.defs.resources import PipelineResource
from cio_pipeline.defs.runs import others_under_way
from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.findings import Finding, Severity
from cio_pipeline.model.shards import Shard
from cio_pipeline.model.windows import Window
from cio_pipeline.monitoring.delivery import (
    DeliveryReport,
    manifest_report,
    markdown_table,
    problem_rows,
    summary_rows,
)
from cio_pipeline.monitoring.source import source_troubles
from cio_pipeline.pipeline.checking.checks import CHECKS, Check
from cio_pipeline.pipeline.checking.delivery import delivery_of
from cio_pipeline.pipeline.checking.scene import Scene
from cio_pipeline.pipeline.in_parallel import caught
from cio_pipeline.pipeline.planning.cuts import tables_of

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR

NAMED = 3
"""Problems named in a check's sentence; its table has all."""

SHOWN_FINDINGS = 200
"""Rows of the table of a check; `cio-pipeline doctor --json` has all."""


DELIVERED, LISTED = "delivered_to_every_due_sync", "manifest_lies_in_every_bucket"


def build_check(export: str, asset: dg.AssetKey) -> dg.AssetChecksDefinition:
    """The check of one export: whether the window was delivered to every sync that was due."""
    feed = feed_of(export)

    @dg.asset_check(
        asset=asset,
        name=DELIVERED,
        partitions_def=WINDOWS_OF[feed],
        description="Red while a sync that was due in the window has not been served; the table "
        "names the sync, its owner and the error. Yellow while runs of other shards are under way, "
        "rows of the source wait for a time ahead, or broke its contract in the window.",
    )
    def check(
        context: dg.AssetCheckExecutionContext, pipeline: dg.ResourceParam[PipelineResource]
    ) -> dg.AssetCheckResult:
        ledger, window = pipeline.services(context.run.run_id).ledger, window_of(context, feed)
        report = delivery_of(ledger, export, window)
        troubles = tuple(_troubles(ledger, export, window))
        others = others_under_way(context.instance, context.run, window)
        return dg.AssetCheckResult(
            passed=report.passed and not troubles,
            # Only the source needs somebody, or the last of the window's runs will judge.
            severity=WARN if _served_or_coming(report, others) else ERROR,
            description=" ".join([sentence(report), *_coming(others), *troubles]),
            metadata={**describe(report), **_source(troubles)},
        )

    return check


def _served_or_coming(report: DeliveryReport, others: Sequence[Shard]) -> bool:
    """Whether every sync has what there was to send, or is served by a run that has not ended."""
    return not report.failed and all(
        any(shard.holds(sync_id) for shard in others) for sync_id, _ in report.late
    )


def _coming(others: Sequence[Shard]) -> list[str]:
    names = ", ".join(map(str, sorted(others)))
    return [f"Under way: shard {names}."] if others else []


def _troubles(ledger: Ledger, export: str, window: Window) -> Iterator[str]:
    cut, breaches = ledger.cuts.get(window.end), ledger.breaches.all()
    return source_troubles(tables_of(export), window, cut, breaches)


def _source(troubles: Sequence[str]) -> dict[str, dg.MetadataValue]:
    if not troubles:
        return {}
    return {"source": dg.MetadataValue.md("\n".join(f"- {one}" for one in troubles))}


def build_window_checks(feed: Feed) -> dg.AssetChecksDefinition:
    """The checks of a feed's window as a whole, in one step: what one has asked for, all have."""
    shown = SHOWN[feed]
    chosen = {check.name: check for check in CHECKS if not check.shown}
    summaries = {LISTED: _LISTED, **{name: one.summary for name, one in chosen.items()}}
    specs = [
        dg.AssetCheckSpec(
            name, asset=shown.manifest, description=summary, partitions_def=WINDOWS_OF[feed]
        )
        for name, summary in summaries.items()
    ]

    @dg.multi_asset_check(specs=specs, name=f"{shown.group}_window_checks", can_subset=True)
    def checks(
        context: dg.AssetCheckExecutionContext, pipeline: dg.ResourceParam[PipelineResource]
    ) -> Iterator[dg.AssetCheckResult]:
        window = window_of(context, feed)
        scene = Scene(pipeline.services(context.run.run_id), window, feed)
        wanted = {key.name for key in context.selected_asset_check_keys}
        if others_under_way(context.instance, context.run, window):
            context.log.info("Other shards are under way: the last of the window's runs judges.")
        else:
            for name, check in chosen.items():
                if name in wanted:
                    yield _judged(check, scene, shown.manifest)
        # Last: if it cannot be told, the step fails, and nothing else is missed.
        if LISTED in wanted:
            yield _listed(scene, shown.manifest)

    return checks


_LISTED = (
    "Red while a sync's chain of manifests could not be continued in its bucket; the table names "
    "the sync, its owner and the error."
)


def _listed(scene: Scene, asset: dg.AssetKey) -> dg.AssetCheckResult:
    """Whether what was sent is listed where readers look."""
    report = manifest_report(scene.window, scene.syncs.values(), scene.errors)
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=LISTED,
        passed=report.passed,
        description=sentence(report),
        metadata=describe(report),
    )


def _judged(check: Check, scene: Scene, asset: dg.AssetKey) -> dg.AssetCheckResult:
    """What a check finds. If it breaks, the window is none the worse: its run stays green."""
    judged: list[dg.AssetCheckResult] = []
    failure = caught(lambda: judged.append(_looked(check, scene, asset)))
    if failure is None:
        return judged[0]
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=check.name,
        passed=False,
        severity=WARN,
        description=f"It could not be looked at: {failure.text}",
    )


def _looked(check: Check, scene: Scene, asset: dg.AssetKey) -> dg.AssetCheckResult:
    found = list(check.find(scene)) if scene.syncs else []
    wanted = any(one.severity is Severity.ERROR for one in found)
    named = [f"{_named(one.sync_id or '', one.owner or '')}: {one.says}" for one in found[:NAMED]]
    more = [f"and {len(found) - NAMED} more"] if len(found) > NAMED else []
    note = check.note(scene) if scene.syncs else ""
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=check.name,
        passed=not found,
        severity=ERROR if wanted else WARN,
        description=" ".join([*named, *more, note]).strip() or "Nothing is wrong.",
        metadata={"findings": len(found), **({"what": _table(found)} if found else {})},
    )


def _table(found: Sequence[Finding]) -> dg.MetadataValue:
    header = ("sync", "owner", "export", "what", "likely cause", "next")
    rows = [
        (
            one.sync_id or "",
            one.owner or "",
            one.export or "",
            one.says,
            one.cause,
            f"`{one.command}`",
        )
        for one in found[:SHOWN_FINDINGS]
    ]
    return dg.MetadataValue.md(markdown_table(header, rows))


def sentence(report: DeliveryReport) -> str:
    """What the UI shows beside the check's mark: how many syncs were served, and who was not."""
    problems = problem_rows(report)
    served = report.due - len(problems)
    first = [f"{_named(sync, owner)}: {problem}" for sync, owner, problem in problems[:NAMED]]
    more = [f"and {len(problems) - NAMED} more"] if len(problems) > NAMED else []
    return " ".join([f"{served} of {report.due} due syncs are in order.", *first, *more])


def _named(sync: str, owner: str) -> str:
    return f"{sync} ({owner})" if owner else sync


def describe(report: DeliveryReport) -> dict[str, dg.MetadataValue]:
    """Numbers, plotted by Dagster, and a table that names each sync with a problem."""
    metadata: dict[str, dg.MetadataValue] = {
        f"syncs_{standing}".replace(" ", "_"): dg.MetadataValue.int(number)
        for standing, number in summary_rows(report)
    }
    return {"syncs": dg.MetadataValue.md(report.markdown()), **metadata}


def build_checks() -> list[dg.AssetChecksDefinition]:
    """The checks of all exports, and of the windows."""
    with warnings.catch_warnings():
        # Partitioned checks are a preview in Dagster 1.13; a golden test watches what we use.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            *(build_check(*one) for shown in SHOWN.values() for one in shown.checked.items()),
            *(build_window_checks(feed) for feed in Feed),
        ]


DELIVERY_CHECKS = build_checks()
