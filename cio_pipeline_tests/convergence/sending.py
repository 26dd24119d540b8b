"""What a plan sends to one sync and what it holds back, a second time (D1-D4)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cio_pipeline_tests.convergence.meaning import (
    MEANING,
    PERSONAL,
    RECENT,
    SPLIT,
    V4,
    Row,
    anonymised,
    broken,
    cut_times,
    is_gone,
    replied_to,
)
from cio_pipeline_tests.convergence.timeline import Key, Timeline

Frozen = tuple[Any, ...]
"""The series that a row is sent in, and the row, as something that can be counted."""


@dataclass
class Switch:
    """Whether an export is on, and when that last changed."""

    on: bool = True
    paused_at: datetime | None = None
    resumed_at: datetime | None = None

    def turn(self, at: datetime) -> None:
        """On if it is off, off if it is on."""
        self.on = not self.on
        if self.on:
            self.resumed_at = at
        else:
            self.paused_at = at


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
    initial: bool = False
    """Whether it sends all history."""


@dataclass(frozen=True)
class Span:
    """Windows' ends: of the first files, of what was delivered last, and of what is sent now."""

    begun: datetime | None
    lower: datetime | None
    end: datetime


def planned(
    source: Timeline,
    reader: Reader,
    export: str,
    rows: Iterable[tuple[str, Key, Row]],
    span: Span,
    *,
    initial: bool,
) -> Plan:
    """The rows of the reader's workspace as they are sent; those that break the contract are not.

    Each row comes with what it is: new, changed, removed, or held back earlier.
    """
    end = span.end
    sent: list[Frozen] = []
    held: set[tuple[Key, str]] = set()
    for what, key, row in rows:
        if row["workspace_id"] != reader.workspace:
            continue
        anonymous = _stays_anonymous(source, export, row, span)
        if anonymous and export in {"people", "attributes"}:
            continue
        out = _meaning(source, reader, export, row, end)
        history = initial or what == "held"
        if anonymous or (history and _of_somebody_gone(source, export, row, end)):
            out = anonymised(export, reader.version, out)
        out = cut_times(out, reader.unit)
        why = broken(export, out)
        if why is None:
            sent.append((series(export, what, row, initial=initial), key, frozen(out)))
        else:
            held.add((key, why))
    return Plan(end, tuple(sent), frozenset(held), initial=initial)


def _meaning(source: Timeline, reader: Reader, export: str, row: Row, end: datetime) -> Row:
    if "removed_at" in row:
        return _removed(reader, export, row)
    out = MEANING[export](row, reader.version)
    if export == "inbound":
        out["in_reply_to_delivery_id"] = replied_to(row, source.rows("deliveries", end).values())
    return out


def _removed(reader: Reader, export: str, row: Row) -> Row:
    """A row that is gone from the source: deleted when it was, and later than all before."""
    last = {name: value for name, value in row.items() if name != "removed_at"}
    out = MEANING[export](last | {"deleted": True}, reader.version)
    step = timedelta(microseconds=1 if reader.unit == "us" else 1000)
    return out | {"updated_at": max(row["removed_at"], row["updated_at"] + step)}


def _of_somebody_gone(source: Timeline, export: str, row: Row, end: datetime) -> bool:
    """D4: whether a row is about somebody who is no current person; null is nobody.

    Nothing is known of anybody as long as there is no table of people.
    """
    if export not in PERSONAL or not source.count("people", end):
        return False
    return row["internal_customer_id"] is not None and not _is_current(source, row, end)


def _is_current(source: Timeline, row: Row, end: datetime) -> bool:
    """Whether the person that a row is about is a current one at a window's end."""
    person = source.rows("people", end).get((row["workspace_id"], row["internal_customer_id"]))
    return person is not None and not is_gone(person)


def _stays_anonymous(source: Timeline, export: str, row: Row, span: Span) -> bool:
    """D4: whether a row is about somebody who was gone before the first files and is gone now.

    Of people and their attributes, those of whoever was there at the last delivery must be told to
    be gone.
    """
    if export not in {*PERSONAL, "people", "attributes"} or span.begun is None:
        return False
    if row["internal_customer_id"] is None or not source.count("people", span.end):
        return False
    ends = [span.lower, span.end] if export in {"people", "attributes"} else [span.end]
    if any(_is_current(source, row, end) for end in ends if end is not None):
        return False
    person = (row["workspace_id"], row["internal_customer_id"])
    return was_gone(source, export, person, span.begun)


def was_gone(source: Timeline, export: str, person: Key, begun: datetime) -> bool:
    """Whether somebody was deleted or suppressed when first files were made.

    Or was in these files, and unknown to the people of then.
    """
    then = source.rows("people", begun).get(person)
    if then is not None:
        return is_gone(then)
    if export != "attributes" and not source.count("people", begun):
        return False
    since = begun - timedelta(days=30)
    return export != "people" and any(
        (row["workspace_id"], row["internal_customer_id"]) == person
        and (export not in RECENT or row["processed_at"] >= since)
        and (export != "attributes" or row["attribute_value"] is not None)
        for row in source.rows(export, begun).values()
    )


def exports_of(version: int) -> set[str]:
    """The exports that a version of the contract has (D1)."""
    return V4 if version == 4 else set(MEANING)


def off_for(switch: Switch) -> timedelta:
    """How long the last pause took."""
    if switch.paused_at is None or switch.resumed_at is None:
        return timedelta(0)
    return max(switch.resumed_at - switch.paused_at, timedelta(0))


def resumed_in(switch: Switch) -> datetime:
    """The end of the window in which the last pause ended."""
    at = switch.resumed_at
    assert at is not None
    return at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0) + timedelta(minutes=15)


def series(export: str, what: str, row: Row, *, initial: bool) -> str:
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
