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
from typing import Any

from cio_pipeline_tests.convergence.meaning import (
    APPENDED,
    MEANING,
    PERSONAL,
    RECENT,
    SPLIT,
    V4,
    Row,
    anonymised,
    broken,
    cut_times,
    replied_to,
)

Key = tuple[Any, ...]
"""Workspace, then the identity of a row of a source table."""

Table = dict[Key, Row]
Frozen = tuple[Any, ...]
"""The series that a row is sent in, and the row, as something that can be counted."""

MONTH, WEEK = timedelta(days=30), timedelta(days=7)


@dataclass(frozen=True)
class Commit:
    """A version of a table: when it was made, and all that the table then holds."""

    at: datetime
    rows: Table


@dataclass
class Switch:
    on: bool = True
    paused_at: datetime | None = None
    resumed_at: datetime | None = None


@dataclass
class Reader:
    """A sync. `minutes` is how often it is served."""

    sync_id: str
    workspace: int
    version: int
    unit: str
    minutes: int
    created_at: datetime
    switches: dict[str, Switch]


@dataclass(frozen=True)
class Plan:
    """What a run set out to send: it is finished before anything else."""

    at: datetime
    rows: tuple[Frozen, ...]
    held: frozenset[tuple[Key, str]]
    first: bool = False
    """Whether nothing was planned before it: it is the business of the initial lane."""


@dataclass(frozen=True)
class Course:
    """One thing that may have come of a (sync, export).

    `position` is the end of the window last delivered; `sent` counts all rows; `held` are the rows
    held back, with the reason; `plan` is what a crash left unfinished.
    """

    position: datetime | None = None
    sent: frozenset[tuple[Frozen, int]] = frozenset()
    held: frozenset[tuple[Key, str]] = frozenset()
    plan: Plan | None = None

    def finished(self) -> "Course":
        """The plan is carried out: its rows are sent, and no longer held back."""
        if self.plan is None:
            return self
        sent = Counter(dict(self.sent)) + Counter(self.plan.rows)
        delivered = {identity for _, identity, _ in self.plan.rows}
        still = {(key, why) for key, why in self.held if key not in delivered}
        return Course(self.plan.at, frozenset(sent.items()), self.plan.held | still)


@dataclass(frozen=True)
class Run:
    """A run of a window's end: `lane` is tick, initial or all."""

    end: datetime
    lane: str = "all"


@dataclass
class Feed:
    """Everything that has happened, and what must have come of it."""

    tables: dict[str, list[Commit]] = field(default_factory=dict)
    cuts: dict[datetime, dict[str, int]] = field(default_factory=dict)
    readers: dict[str, Reader] = field(default_factory=dict)
    courses: dict[tuple[str, str], set[Course]] = field(default_factory=dict)

    # --- what happens ---------------------------------------------------------------------

    def register(self, reader: Reader) -> None:
        self.readers[reader.sync_id] = reader
        for export in reader.switches:
            self.courses[reader.sync_id, export] = {Course()}

    def switch(self, sync_id: str, export: str, at: datetime, *, on: bool) -> None:
        switch = self.readers[sync_id].switches[export]
        if switch.on != on:
            switch.on = on
            switch.resumed_at, switch.paused_at = (
                (at, switch.paused_at) if on else (switch.resumed_at, at)
            )

    def decide(self, end: datetime) -> None:
        """What a window's end means, once: for each table, how many of its commits.

        Those before the first one that was made at or after the end; never less than an earlier
        window has, never more than a later one.
        """
        if end in self.cuts:
            return
        earlier = max((at for at in self.cuts if at < end), default=None)
        later = min((at for at in self.cuts if at > end), default=None)
        self.cuts[end] = {}
        for name, commits in self.tables.items():
            count = self.cuts[earlier].get(name, 0) if earlier else 0
            while count < len(commits) and commits[count].at < end:
                count += 1
            self.cuts[end][name] = min(count, self.cuts[later].get(name, 0)) if later else count

    def run(self, run: Run, export: str, sync_ids: Iterable[str], *, whole: bool = True) -> None:
        """A run that came to its end, or (not `whole`) one that may have died anywhere."""
        self.decide(run.end)
        for sync_id in sync_ids:
            reader = self.readers[sync_id]
            if export in reader.switches:
                self._walk(reader, export, lambda c, r=reader: self._run(r, export, c, run), whole)

    def retry(self, sync_ids: Iterable[str], *, whole: bool = True) -> None:
        """Rows that were held back are read again where their sync stands; mended ones are sent."""
        for sync_id, export in [pair for pair in self.courses if pair[0] in sync_ids]:
            reader = self.readers[sync_id]
            self._walk(reader, export, lambda c, r=reader, e=export: self._retry(r, e, c), whole)

    def _walk(
        self,
        reader: Reader,
        export: str,
        steps: Callable[[Course], tuple[list[Course], bool]],
        whole: bool,  # noqa: FBT001 - private
    ) -> None:
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

    # --- what a run does, step by step: each is where a crash may leave a (sync, export) ------

    def _run(
        self, reader: Reader, export: str, course: Course, run: Run
    ) -> tuple[list[Course], bool]:
        steps = [course]
        if course.plan is not None:
            if run.lane != "all" and course.plan.first != (run.lane == "initial"):
                return steps, True
            steps.append(course.finished())
        done = steps[-1]
        if not self._due(reader, export, done, run.end):
            return steps, True
        upper, lower = self._count(export, run.end), self._count(export, done.position)
        if upper == lower:
            return [*steps, replace(done, position=run.end)], True
        first_or_again = done.position is None or self._resumed(reader, export, done.position)
        if run.lane != "all" and lower and first_or_again != (run.lane == "initial"):
            return steps, True
        if run.lane == "tick" and done.position is None:
            return steps, True
        plan = self._plan(reader, export, done, run.end)
        return [*steps, replace(done, plan=plan), replace(done, plan=plan).finished()], True

    def _count(self, table: str, end: datetime | None) -> int:
        """How many commits of a table a window's end has; 0 if the table was not there yet."""
        return self.cuts[end].get(table, 0) if end else 0

    def _resumed(self, reader: Reader, export: str, position: datetime | None) -> bool:
        """Whether an export was off and on again since its position."""
        resumed_at = reader.switches[export].resumed_at
        return bool(position and resumed_at and position < resumed_at)

    def _due(self, reader: Reader, export: str, course: Course, end: datetime) -> bool:
        switch = reader.switches[export]
        if not switch.on or end <= reader.created_at or end.minute % reader.minutes:
            return False
        if not self._resumed(reader, export, course.position):
            return course.position is None or course.position < end
        too_long = export == "people" and off_for(switch) > WEEK
        return bool(switch.resumed_at and switch.resumed_at < end) and not too_long

    def _plan(self, reader: Reader, export: str, course: Course, end: datetime) -> Plan:
        initial = not self._count(export, course.position)
        since = end - MONTH if initial else None
        if course.position is None or initial:
            rows = [("new", key, row) for key, row in self._history(export, end)]
        else:
            rows = self._changes(export, course.position, end)
            resumed = self._resumed(reader, export, course.position)
            if resumed and off_for(reader.switches[export]) > MONTH:
                since = end - MONTH
        if export in RECENT and since is not None:
            rows = [(what, key, row) for what, key, row in rows if row["processed_at"] >= since]
        plan = self._sealed(reader, export, rows, end, initial=initial)
        return replace(plan, first=course.position is None)

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
            now = self.rows(export, done.position)
            rows = [("held", key, row) for key, row in now.items() if key in wanted]
            plan = self._sealed(reader, export, rows, done.position, initial=False)
            steps += [replace(done, plan=plan), replace(done, plan=plan).finished()]
        return steps, not unsure

    # --- which rows -----------------------------------------------------------------------

    def rows(self, table: str, end: datetime) -> Table:
        """What a table holds at a window's end."""
        count = self.cuts[end].get(table, 0)
        return self.tables[table][count - 1].rows if count else {}

    def _history(self, export: str, end: datetime) -> list[tuple[Key, Row]]:
        """D1: all rows; of people, objects and what belongs to them, those of the moment."""
        rows = list(self.rows(export, end).items())
        if export in SPLIT:
            return [(key, row) for key, row in rows if not is_gone(row)]
        if export not in {"attributes", "object_attributes"}:
            return rows
        owners = self.rows("people" if export == "attributes" else "objects", end)
        there = {key for key, owner in owners.items() if not is_gone(owner)}
        return [
            (key, row)
            for key, row in rows
            if key[:2] in there and row["attribute_value"] is not None
        ]

    def _changes(self, export: str, lower: datetime, upper: datetime) -> list[tuple[str, Key, Row]]:
        """The difference between two states; rows that were removed only where that can be said."""
        before, now = self.rows(export, lower), self.rows(export, upper)
        found = [("new", key, row) for key, row in now.items() if key not in before]
        if export not in APPENDED:
            found += [
                ("changed", key, row)
                for key, row in now.items()
                if key in before and before[key] != row
            ]
        if export in SPLIT:
            found += [
                ("removed", key, self._removed(export, key, row, upper))
                for key, row in before.items()
                if key not in now
            ]
        return found

    def _removed(self, export: str, key: Key, row: Row, upper: datetime) -> Row:
        """A row with the time of the commit that removed it."""
        last = self.cuts[upper][export] - 1
        while key not in self.tables[export][last - 1].rows:
            last -= 1
        return row | {"removed_at": self.tables[export][last].at}

    def _sealed(
        self,
        reader: Reader,
        export: str,
        rows: list[tuple[str, Key, Row]],
        end: datetime,
        *,
        initial: bool,
    ) -> Plan:
        sent: list[Frozen] = []
        held: set[tuple[Key, str]] = set()
        for what, key, row in rows:
            if row["workspace_id"] != reader.workspace:
                continue
            out = self._meaning(reader, export, row, end, anonymise=initial or what == "held")
            why = broken(export, out)
            if why is None:
                sent.append((series(export, what, row, initial), key, frozen(out)))
            else:
                held.add((key, why))
        return Plan(end, tuple(sent), frozenset(held))

    def _meaning(
        self, reader: Reader, export: str, row: Row, end: datetime, *, anonymise: bool
    ) -> Row:
        removed_at = row.get("removed_at")
        source = {name: value for name, value in row.items() if name != "removed_at"}
        if removed_at is not None:
            source["deleted"] = True
        out = MEANING[export](source, reader.version)
        if removed_at is not None:
            step = timedelta(microseconds=1 if reader.unit == "us" else 1000)
            out["updated_at"] = max(removed_at, row["updated_at"] + step)
        if export == "inbound":
            out["in_reply_to_delivery_id"] = replied_to(row, self.rows("deliveries", end).values())
        if anonymise and export in PERSONAL and self._of_somebody_gone(row, end):
            out = anonymised(export, reader.version, out)
        return cut_times(out, reader.unit)

    def _of_somebody_gone(self, row: Row, end: datetime) -> bool:
        """D4: whether a row is about somebody who is no current person; null is nobody.

        Nothing is known of anybody as long as there is no table of people.
        """
        if row["internal_customer_id"] is None or not self.cuts[end].get("people"):
            return False
        person = self.rows("people", end).get((row["workspace_id"], row["internal_customer_id"]))
        return person is None or is_gone(person)


def exports_of(version: int) -> set[str]:
    """The exports that a version of the contract has (D1)."""
    return V4 if version == 4 else set(MEANING)


def is_gone(row: Row) -> bool:
    """Whether a person or an object is no current one."""
    return bool(row["deleted"] or row.get("suppressed"))


def off_for(switch: Switch) -> timedelta:
    """How long the last pause took."""
    if switch.paused_at is None or switch.resumed_at is None:
        return timedelta(0)
    return max(switch.resumed_at - switch.paused_at, timedelta(0))


def series(export: str, what: str, row: Row, initial: bool) -> str:  # noqa: FBT001 - plain words
    """Which files a row belongs into: plain ones, those of changes, or those with two numbers."""
    if export == "metrics" and initial:
        return "parts"
    new = what in {"new", "held"} and not (export in SPLIT and is_gone(row))
    return "plain" if new or export not in SPLIT else "chngs"


def frozen(row: Row) -> Frozen:
    """A row as a value that can be counted."""
    return tuple(
        (name, tuple(value) if isinstance(value, list) else value)
        for name, value in sorted(row.items())
    )


def bare(sent: Iterable[tuple[Frozen, int]]) -> Counter[Frozen]:
    """(series, row) of all that was sent, without the source's identities."""
    found: Counter[Frozen] = Counter()
    for (of, _, row), count in sent:
        found[of, row] += count
    return found
