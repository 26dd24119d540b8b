"""Whether a window was delivered to every sync that was due (the asset check's judgement)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from types import MappingProxyType

from cio_pipeline.model.manifests import CHAIN
from cio_pipeline.model.plans import Mode
from cio_pipeline.model.registry import ExportState, Pair, RegisteredSync
from cio_pipeline.model.windows import Window

_NOT_SERVED = "The position is not at the window's end and no error was recorded."


class _Standing(Enum):
    DELIVERED = auto()
    COVERED = auto()
    WAITING = auto()
    FAILED = auto()
    LATE = auto()


@dataclass(frozen=True)
class DeliveryReport:
    """How one export stands in one window, by sync id; syncs that are not due are left out.

    `delivered`: all lies in the bucket up to the window's end. `empty_or_covered`: beyond it, so
    this window had nothing left to send. `waiting`: the initial export has not been completed,
    which is no fault. `failed`: (sync id, owner, message). `late`: none of these.
    """

    export: str
    window_end: datetime
    delivered: tuple[str, ...]
    empty_or_covered: tuple[str, ...]
    waiting: tuple[str, ...]
    failed: tuple[tuple[str, str | None, str], ...]
    late: tuple[tuple[str, str | None], ...]

    @property
    def passed(self) -> bool:
        """Whether every due sync has what it should have by now."""
        return not self.failed and not self.late

    def markdown(self) -> str:
        """Markdown for people: how many syncs stand how, then each problem with its owner."""
        summary = markdown_table(("syncs", "number"), summary_rows(self))
        problems = markdown_table(("sync", "owner", "problem"), problem_rows(self))
        return summary if self.passed else f"{problems}\n\n{summary}"

    @property
    def due(self) -> int:
        """How many syncs were due."""
        return sum(
            len(group)
            for group in (
                self.delivered,
                self.empty_or_covered,
                self.waiting,
                self.failed,
                self.late,
            )
        )


def delivery_report(
    export: str,
    window: Window,
    states: Iterable[ExportState],
    errors: Mapping[Pair, str],
    served: Mapping[str, datetime] = MappingProxyType({}),
) -> DeliveryReport:
    """The report of one export and window.

    `states` may hold other exports and syncs that are not due; `errors` are those of the window
    by (sync id, export). `served` are other syncs that were due, and up to when they were sent
    everything: the window's end, or beyond.
    """
    due = [state for state in states if state.export == export and _due(state, window)]
    standing = [(state, _standing(state, window, errors)) for state in due]

    def ids(wanted: _Standing) -> tuple[str, ...]:
        return tuple(sorted(state.sync.id for state, found in standing if found is wanted))

    owners = {state.sync.id: state.sync.owner for state in due}
    return DeliveryReport(
        export,
        window.end,
        delivered=_more(ids(_Standing.DELIVERED), served, lambda at: at == window.end),
        empty_or_covered=_more(ids(_Standing.COVERED), served, lambda at: at > window.end),
        waiting=ids(_Standing.WAITING),
        failed=tuple((sync, owners[sync], errors[sync, export]) for sync in ids(_Standing.FAILED)),
        late=tuple((sync, owners[sync]) for sync in ids(_Standing.LATE)),
    )


def _more(
    ids: tuple[str, ...], served: Mapping[str, datetime], wanted: Callable[[datetime], bool]
) -> tuple[str, ...]:
    return tuple(sorted([*ids, *(sync_id for sync_id, at in served.items() if wanted(at))]))


def manifest_report(
    window: Window, syncs: Iterable[RegisteredSync], errors: Mapping[Pair, str]
) -> DeliveryReport:
    """The same for the chains of manifests: `errors` of the window hold theirs under CHAIN."""
    due = [one for one in syncs if one.sync.manifest and window.end > one.created_at]
    failed = {one.sync.id: one.sync.owner for one in due if (one.sync.id, CHAIN) in errors}
    return DeliveryReport(
        CHAIN,
        window.end,
        delivered=tuple(sorted({one.sync.id for one in due} - failed.keys())),
        empty_or_covered=(),
        waiting=(),
        failed=tuple((sync, failed[sync], errors[sync, CHAIN]) for sync in sorted(failed)),
        late=(),
    )


def problem_rows(report: DeliveryReport) -> list[tuple[str, str, str]]:
    """(sync, owner, what is wrong) of each sync that failed or is late, for people."""
    failed = [(sync, owner or "", message) for sync, owner, message in report.failed]
    late = [(sync, owner or "", _NOT_SERVED) for sync, owner in report.late]
    return failed + late


def summary_rows(report: DeliveryReport) -> list[tuple[str, int]]:
    """(standing, number of syncs) in a fixed order, for people."""
    return [
        ("delivered", len(report.delivered)),
        ("empty or covered", len(report.empty_or_covered)),
        ("waiting for the initial export", len(report.waiting)),
        ("failed", len(report.failed)),
        ("late", len(report.late)),
    ]


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; text that would break out of its cell is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(value: object) -> str:
    return " ".join(str(value).replace("\\", "\\\\").replace("|", "\\|").split())


def is_due(one: RegisteredSync, window: Window) -> bool:
    """Whether a sync that is on is served in a window."""
    return window.end > one.created_at and window.due(one.sync.cadence)


def _due(state: ExportState, window: Window) -> bool:
    return state.on and is_due(state.registered, window)


def _standing(state: ExportState, window: Window, errors: Mapping[Pair, str]) -> _Standing:
    """Errors that a later delivery has overtaken do not count."""
    delivered, position = state.delivered, state.position
    if delivered is not None and delivered.at >= window.end:
        return _Standing.DELIVERED if delivered.at == window.end else _Standing.COVERED
    if (state.sync.id, state.export) in errors:
        return _Standing.FAILED
    initial = state.open_plan is not None and state.open_plan.mode is Mode.INITIAL
    return _Standing.WAITING if position is None or initial else _Standing.LATE
