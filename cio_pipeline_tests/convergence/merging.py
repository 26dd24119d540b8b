"""What a reader has after loading all files, held against the source itself.

The reference (reference.py) says which rows are sent when; here is why that is right: whatever the
windows, crashes and pauses were, the newest row of everything is what the source holds.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from cio_pipeline_tests.convergence.meaning import (
    APPENDED,
    IDENTITY,
    MEANING,
    NEWEST,
    PERSONAL,
    RECENT,
    SPLIT,
    Row,
    anonymised,
    broken,
    cut_times,
    is_gone,
)
from cio_pipeline_tests.convergence.reference import Course
from cio_pipeline_tests.convergence.sending import Reader, bare, frozen, was_gone
from cio_pipeline_tests.convergence.timeline import Key, Timeline


def key_of(export: str, row: Row) -> Key:
    return (row["workspace_id"], *(row[name] for name in IDENTITY[export]))


def by_entity(export: str, rows: Iterable[Row]) -> dict[Key, Row]:
    """Rows by what they speak of, of which there is one each."""
    columns, _ = NEWEST[export]
    found: dict[Key, Row] = {}
    for row in rows:
        key = (row["workspace_id"], *(row[name] for name in columns))
        assert key not in found, f"{export}: two rows are the newest of {key}"
        found[key] = row
    return found


@dataclass(frozen=True)
class Read:
    """What a reader has of an export: all rows, and the newest ones."""

    rows: list[Row]
    newest: list[Row]


def differences(
    timeline: Timeline, reader: Reader, export: str, course: Course, read: Read
) -> list[str]:
    """What is wrong with what a reader has, if that is what came of it."""
    wanted = Counter(row for _, row in bare(course.sent).elements())
    if wanted != Counter(map(frozen, read.rows)):
        return [f"{export}: {wanted} was sent, {read.rows} was read"]
    position = course.position
    source = {
        key: row
        for key, row in (timeline.rows(export, position) if position else {}).items()
        if row["workspace_id"] == reader.workspace
    }
    if export in APPENDED:
        return _appended(reader, export, source, read.rows)
    meaning = {key: _meaning(reader, export, row) for key, row in source.items()}
    merged = by_entity(export, read.newest)
    if export in SPLIT:
        current = {key: one for key, one in meaning.items() if not is_gone(source[key])}
        known = {key: row for key, row in merged.items() if not is_gone(row)}
        return [] if current == known else [f"{export}: current are {current}, known {known}"]
    wrong: list[str] = []
    for key, one in meaning.items():
        begun = course.begun
        if export == "attributes" and begun and was_gone(timeline, export, key[:2], begun):
            continue  # What is written while they are gone is not sent, also when they come back.
        nameless = anonymised(export, reader.version, one) if export in PERSONAL else one
        may_lack = export not in PERSONAL and key not in merged
        if broken(export, one) is None and not may_lack and merged.get(key) not in (one, nameless):
            wrong.append(f"{export}: {key} is {one}, known {merged.get(key)}")
    return wrong


def _appended(reader: Reader, export: str, source: dict[Key, Row], rows: list[Row]) -> list[str]:
    counts = Counter(key_of(export, row) for row in rows)
    wrong = [
        f"{export}: {key} was sent {count} times" for key, count in counts.items() if count > 1
    ]
    if export in RECENT:
        return wrong
    sent = {frozen(row) for row in rows}
    for key, row in source.items():
        one = _meaning(reader, export, row)
        nameless = anonymised(export, reader.version, one) if export in PERSONAL else one
        if not sent & {frozen(one), frozen(nameless)}:
            wrong.append(f"{export}: {key} was not sent")
    return wrong


def _meaning(reader: Reader, export: str, row: Row) -> Row:
    return cut_times(MEANING[export](row, reader.version), reader.unit)
