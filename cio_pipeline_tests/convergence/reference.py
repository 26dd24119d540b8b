"""When rows are sent (D6), a second time, as plainly as possible: lists and dicts.

A `Feed` is told what happens: commits to source tables, syncs, switches, runs, crashes. It says
what each (sync, export) must have been sent so far. What a crash leaves open is not guessed: a
`Course` is one thing that may have come of a (sync, export), and after a crash there are several.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cio_pipeline_tests.convergence.meaning import RECENT
from cio_pipeline_tests.convergence.sending import (
    Frozen,
    Plan,
    Reader,
    Span,
    bare,
    off_for,
    planned,
    resumed_in,
)
from cio_pipeline_tests.convergence.timeline import Key, Timeline

MONTH, WEEK = timedelta(days=30), timedelta(days=7)


@dataclass(frozen=True)
class Course:
    """One thing that may have come of a (sync, export).

    `position` is the end of the window last delivered; `sent` counts all rows; `held` are the rows
    held back, with the reason; `plan` is what a crash left unfinished; `begun` is the end of the
    window whose first files it was sent.
    """

    position: datetime | None = None
    sent: frozenset[tuple[Frozen, int]] = frozenset()
    held: frozenset[tuple[Key, str]] = frozenset()
    plan: Plan | None = None
    begun: datetime | None = None

    def finished(self) -> "Course":
        """The plan is carried out: its rows are sent, and no longer held back."""
        if self.plan is None:
            return self
        sent = Counter(dict(self.sent)) + Counter(self.plan.rows)
        delivered = {identity for _, identity, _ in self.plan.rows}
        still = {(key, why) for key, why in self.held if key not in delivered}
        begun = self.plan.at if self.plan.initial else self.begun
        return Course(self.plan.at, frozenset(sent.items()), self.plan.held | still, begun=begun)

    def through(self, plan: Plan) -> list["Course"]:
        """What a run makes of it: the plan is frozen, then carried out."""
        begun = replace(self, plan=plan)
        return [begun, begun.finished()]


@dataclass(frozen=True)
class Run:
    """A run of a window's end: `lane` is tick, initial or all; `early` ones wait for no cadence."""

    end: datetime
    lane: str = "all"
    early: bool = False


Steps = Callable[[Course], tuple[list[Course], bool]]
"""How a run changes a course, step by step: a crash may leave it at each of them.

And whether it is certain that the run comes to this (sync, export) at all.
"""


@dataclass
class Feed:
    """Everything that has happened, and what must have come of it."""

    source: Timeline = field(default_factory=Timeline)
    readers: dict[str, Reader] = field(default_factory=dict[str, Reader])
    courses: dict[tuple[str, str], set[Course]] = field(
        default_factory=dict[tuple[str, str], set[Course]]
    )

    # --- what happens ---------------------------------------------------------------------

    def register(self, reader: Reader) -> None:
        self.readers[reader.sync_id] = reader
        for export in reader.switches:
            self.courses[reader.sync_id, export] = {Course()}

    def run(self, run: Run, export: str, sync_ids: Iterable[str], *, whole: bool = True) -> None:
        """A run that came to its end, or (not `whole`) one that may have died anywhere."""
        self.source.decide(run.end)
        for sync_id in sync_ids:
            reader = self.readers[sync_id]
            if export in reader.switches:
                steps: Steps = lambda one, r=reader: (self._run(r, export, one, run), True)  # noqa: E731
                self._walk(reader, export, steps, whole=whole)

    def retry(self, sync_ids: Iterable[str], *, whole: bool = True) -> None:
        """Rows that were held back are read again where their sync stands; mended ones are sent."""
        for sync_id, export in [pair for pair in self.courses if pair[0] in sync_ids]:
            reader = self.readers[sync_id]
            steps: Steps = lambda one, r=reader, e=export: self._retry(r, e, one)  # noqa: E731
            self._walk(reader, export, steps, whole=whole)

    def _walk(self, reader: Reader, export: str, steps: Steps, *, whole: bool) -> None:
        found: set[Course] = set()
        for course in self.courses[reader.sync_id, export]:
            walked, sure = steps(course)
            found |= {walked[-1]} if whole and sure else set(walked)
        self.courses[reader.sync_id, export] = found

    def seen(
        self,
        sync_id: str,
        export: str,
        rows: Counter[Frozen],
        held: AbstractSet[tuple[Key, str]],
    ) -> bool:
        """Whether this is what must have been sent and held back; forgets courses ruled out by it.

        True as long as a plan may be half carried out: then nothing can be said.
        """
        courses = self.courses[sync_id, export]
        if any(course.plan for course in courses):
            return True
        fitting = {one for one in courses if bare(one.sent) == rows and one.held == held}
        self.courses[sync_id, export] = fitting or courses
        return bool(fitting)

    # --- what comes of it -----------------------------------------------------------------

    def _run(self, reader: Reader, export: str, course: Course, run: Run) -> list[Course]:
        steps = [course]
        if course.plan is not None:
            again = run.lane == "initial" and self._resumed(reader, export, course.position)
            if run.lane != "all" and course.plan.first != (run.lane == "initial") and not again:
                return steps
            steps.append(course.finished())
        done = steps[-1]
        if not self._due(reader, export, done.position, run):
            return steps
        if self.source.count(export, run.end) == self.source.count(export, done.position):
            return [*steps, replace(done, position=run.end)]
        if not self._in_lane(reader, export, done.position, run.lane):
            return steps
        return [*steps, *done.through(self._plan(reader, export, done, run.end))]

    def _due(self, reader: Reader, export: str, position: datetime | None, run: Run) -> bool:
        """Whether a window is work; one that ended before a sync or an export came on is none."""
        switch, end = reader.switches[export], run.end
        if not switch.on or end <= reader.created_at:
            return False
        if end.minute % reader.minutes and not run.early:
            return False
        if not self._resumed(reader, export, position):
            return position is None or position < end
        too_long = export == "people" and off_for(switch) > WEEK
        return bool(switch.resumed_at and switch.resumed_at < end) and not too_long

    def _resumed(self, reader: Reader, export: str, position: datetime | None) -> bool:
        """Whether an export was off and on again since its position."""
        resumed_at = reader.switches[export].resumed_at
        return bool(position and resumed_at and position < resumed_at)

    def _in_lane(self, reader: Reader, export: str, position: datetime | None, lane: str) -> bool:
        """First and resumed exports are the business of the initial lane, changes of the tick.

        A table that only comes up when its sync is long under way is everybody's.
        """
        if lane == "all" or (position and not self.source.count(export, position)):
            return True
        first_or_again = position is None or self._resumed(reader, export, position)
        return first_or_again == (lane == "initial")

    def _plan(self, reader: Reader, export: str, course: Course, end: datetime) -> Plan:
        """All history up to a window's end, or the changes since a position (D6, D7)."""
        since, position = None, course.position
        if position is None or not self.source.count(export, position):
            rows = self.source.history(export, end)
            since = end - MONTH
        else:
            rows = self.source.changes(export, position, end)
            resumed = self._resumed(reader, export, position)
            if resumed and off_for(reader.switches[export]) > MONTH:
                since = resumed_in(reader.switches[export]) - MONTH
        initial = not self.source.count(export, position)
        if export in RECENT and since is not None:
            rows = [(what, key, row) for what, key, row in rows if row["processed_at"] >= since]
        span = Span(None if initial else course.begun, position, end)
        plan = planned(self.source, reader, export, rows, span, initial=initial)
        return replace(plan, first=position is None)

    def _retry(self, reader: Reader, export: str, course: Course) -> tuple[list[Course], bool]:
        # Rows of a plan are held back before it is carried out: whether a retry knows of them
        # already is up to when the crash was.
        unsure = not course.held and course.plan is not None and bool(course.plan.held)
        if not course.held and not unsure:
            return [course], True
        done = course.finished()
        steps = [course, done]
        if done.held and done.position is not None and reader.switches[export].on:
            wanted = {key for key, _ in done.held}
            now = self.source.rows(export, done.position)
            rows = [("held", key, row) for key, row in now.items() if key in wanted]
            span = Span(done.begun, done.position, done.position)
            plan = planned(self.source, reader, export, rows, span, initial=False)
            steps += done.through(plan)
        return steps, not unsure
