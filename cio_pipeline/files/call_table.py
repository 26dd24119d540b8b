"""Many calls of one type as rows of its files (C2, C3, C4).

Nearly all values are plain texts: these are told by patterns, for all calls at once. What is not is
written value by value, as `call_rows` says.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import cast

import polars as pl

from cio_pipeline.contracts.declare import Column, ColumnType
from cio_pipeline.contracts.exports.calls import COLUMNS
from cio_pipeline.files.call_made import clean, email_of, looks_made, made_id
from cio_pipeline.files.call_members import Members
from cio_pipeline.files.call_rows import (
    JSON_COLUMNS,
    MADE_COLUMNS,
    WRITERS,
    Value,
    member_of,
)
from cio_pipeline.files.call_times import time_of
from cio_pipeline.model.event_names import slug
from cio_pipeline.model.json_text import decoded

TIME = pl.Datetime("us", "UTC")

_PLAIN_TIME = r'^"[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9]\.[0-9]{3}Z"$'
"""What most SDKs send, and each format can give back as it was."""

_LIKELY = r'"email"|\\'
"""In traits that have an email, or could have one in an escaped key."""

_MADE = r'^"[0-9a-f]{32}"$'


@dataclass(frozen=True)
class _Cells:
    """What a column gets of each call's member, and whether that is all of what came in."""

    raw: pl.Series
    values: pl.Series
    whole: pl.Series


def call_table(
    calls: pl.DataFrame,
    members: Members,
    kind: str,
    file_format: str,
    unit: str,
    *,
    hidden: Collection[str] = (),
) -> pl.DataFrame:
    """The columns of that type's files, in their order; null where a call has nothing for one.

    Of each call its `call_id` and `received_at` (microseconds since 1970), and its members. For
    JSON files values are JSON text, for CSV text, for Parquet text and times (us). Of columns that
    will be `hidden`, nothing is in `extra`, whether this type has them or not.
    """
    columns = [column for column in COLUMNS[kind] if column.name not in MADE_COLUMNS]
    cells = {
        column.name: _cells(column, members.raw(member_of(column.name)), file_format, unit)
        for column in columns
    }
    values = {name: found.values for name, found in cells.items()}
    whole = {name: found.whole for name, found in cells.items()}
    values["message_id"], made = _message_ids(calls["call_id"], cells["message_id"], file_format)
    whole["message_id"] &= ~made
    values["received_at"] = _received(calls["received_at"], cells["received_at"], file_format)
    whole["received_at"] = _never(calls["call_id"])
    if kind == "track":
        values["event"] = _events(cells["event_text"].raw, file_format)
    elif kind == "identify":
        values["user_id"], same = _users(cells, file_format)
        whole["user_id"] &= ~same
    whole |= dict.fromkeys({*hidden} - MADE_COLUMNS, ~_never(calls["call_id"]))
    held = {member_of(name): its for name, its in whole.items()}
    held["type"] = (members.raw("type") == f'"{kind}"').fill_null(value=False)
    values["extra"] = members.others(held)
    return pl.DataFrame({column.name: values[column.name] for column in COLUMNS[kind]})


def _cells(column: Column, raw: pl.Series, file_format: str, unit: str) -> _Cells:
    """What a column gets of the JSON texts of its members."""
    if raw.null_count() == len(raw):
        is_time = (file_format, column.type) == ("parquet", ColumnType.TIMESTAMP)
        return _Cells(raw, raw.cast(TIME) if is_time else raw, _never(raw))
    values, plain = _plainly(column, raw, file_format)
    plain = plain.fill_null(value=False)
    whole = plain & (raw != '""').fill_null(value=False) if file_format == "csv" else plain
    cells = _Cells(raw, values, whole)
    others = (raw.is_not_null() & ~plain).arg_true()
    if others.is_empty():
        return cells
    return _with_others(cells, others, lambda raw: WRITERS[file_format](raw, column.type, unit))


def _never(calls: pl.Series) -> pl.Series:
    return pl.Series([False]).new_from_index(0, len(calls))


def _plainly(column: Column, raw: pl.Series, file_format: str) -> tuple[pl.Series, pl.Series]:
    """Of a column of JSON texts: values that can be seen at once, whole, and where that is so."""
    if column.name in JSON_COLUMNS or (file_format, column.type) == ("json", ColumnType.STRING):
        return raw, raw.is_not_null()
    values = raw if file_format == "json" else raw.str.strip_chars('"')
    if column.type is not ColumnType.TIMESTAMP:
        return values, raw.str.starts_with('"') & ~raw.str.contains("\\", literal=True)
    times = _plain_times(raw)
    return times if file_format == "parquet" else values, times.is_not_null()


def _plain_times(raw: pl.Series) -> pl.Series:
    """The times that can be seen at once in JSON texts."""
    shaped = raw.str.contains(_PLAIN_TIME)
    if not shaped.all():
        raw = raw.set(~shaped, None)
    found = raw.str.to_datetime('"%Y-%m-%dT%H:%M:%S.%3fZ"', time_unit="us", strict=False)
    return found.dt.replace_time_zone("UTC")


def _with_others(cells: _Cells, at: pl.Series, write: Callable[[str], Value]) -> _Cells:
    """Together with what has to be written one by one."""
    written = [write(text) for text in cells.raw.gather(at)]
    values = pl.Series([one.value for one in written], dtype=cells.values.dtype)
    whole = pl.Series([one.whole for one in written], dtype=pl.Boolean)
    return _Cells(
        cells.raw, cells.values.clone().scatter(at, values), cells.whole.scatter(at, whole)
    )


def _message_ids(ids: pl.Series, sent: _Cells, file_format: str) -> tuple[pl.Series, pl.Series]:
    """An id for each call, and where it was made or could be taken to be so."""
    is_text = (sent.raw.str.starts_with('"') & (sent.raw != '""')).fill_null(value=False)
    escaped = (is_text & sent.raw.str.contains("\\", literal=True)).arg_true()
    made = ~is_text | sent.raw.str.contains(_MADE)
    if len(escaped):
        texts = [cast("str", decoded(raw)) for raw in sent.raw.gather(escaped)]
        made = made.scatter(escaped, [looks_made(text) for text in texts])
    missing = (~is_text).arg_true()
    if not len(missing):
        return sent.values, made
    own = [made_id(one) for one in ids.gather(missing)]
    written = [json.dumps(one) for one in own] if file_format == "json" else own
    return sent.values.clone().scatter(missing, pl.Series(written, dtype=pl.String)), made


def _received(received: pl.Series, sent: _Cells, file_format: str) -> pl.Series:
    """When the calls were received: as it was sent if that is the same time."""
    at = received.cast(TIME)
    written = at if file_format == "parquet" else _as_text(at)
    if file_format == "json":
        written = '"' + written + '"'
    if sent.raw.null_count() == len(at):
        return written
    times = _plain_times(sent.raw)
    others = (sent.raw.is_not_null() & times.is_null()).arg_true()
    if len(others):
        found = [time_of(decoded(raw)) for raw in sent.raw.gather(others)]
        times = times.scatter(others, pl.Series(found, dtype=TIME))
    return sent.values.zip_with((times == at).fill_null(value=False), written)


def _as_text(at: pl.Series) -> pl.Series:
    """As `call_times.text_of`."""
    exact = at.dt.microsecond() == 0
    seconds, micros = "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%.6fZ"
    if exact.all():
        return at.dt.to_string(seconds)
    return at.dt.to_string(seconds).zip_with(exact, at.dt.to_string(micros))


def _events(names: pl.Series, file_format: str) -> pl.Series:
    known = names.drop_nulls().unique()
    slugs = [_event(raw, file_format) for raw in known]
    return names.replace_strict(known, slugs, return_dtype=pl.String) if len(known) else names


def _event(raw: str, file_format: str) -> str | None:
    if not raw.startswith('"'):
        return None
    text = slug(cast("str", decoded(raw)))
    return json.dumps(text) if file_format == "json" else clean(text)


def _users(cells: Mapping[str, _Cells], file_format: str) -> tuple[pl.Series, pl.Series]:
    """C4: without a user id, an identify call is about whom its email names.

    The ids, and where they are so, or could be taken to be so.
    """
    users, emails = cells["user_id"], emails_in(cells["traits"].raw)
    ids: dict[int, str] = {}
    same = dict.fromkeys(emails, False)
    for (number, email), raw in zip(emails.items(), users.raw.gather([*emails]), strict=True):
        if raw in {None, "null", '""'}:
            ids[number] = json.dumps(email) if file_format == "json" else clean(email)
            same[number] = True
        elif raw.startswith('"'):
            same[number] = clean(cast("str", decoded(raw))) == clean(email)
    values = users.values.clone().scatter([*ids], pl.Series([*ids.values()], dtype=pl.String))
    return values, _never(values).scatter([*same], pl.Series([*same.values()], dtype=pl.Boolean))


def emails_in(traits: pl.Series) -> dict[int, str]:
    """The emails in JSON texts of traits that may stand in for user ids, by row."""
    likely = traits.str.contains(_LIKELY).fill_null(value=False).arg_true()
    found = [email_of(raw) for raw in traits.gather(likely)]
    return {number: email for number, email in zip(likely, found, strict=True) if email}
