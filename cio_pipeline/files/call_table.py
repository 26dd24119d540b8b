"""Many calls of one type as rows of its files (C2, C3, C4).

Nearly all values are plain texts: these are told by patterns, for all calls at once. What is not is
written value by value, as `call_rows` says.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import polars as pl

from cio_pipeline.contracts.declare import Column, ColumnType
from cio_pipeline.contracts.exports.calls import COLUMNS
from cio_pipeline.files.call_made import clean, email_of, looks_made, made_id
from cio_pipeline.files.call_rows import (
    JSON_COLUMNS,
    MADE_COLUMNS,
    WRITERS,
    Value,
    member_of,
    slug,
)
from cio_pipeline.files.call_times import time_of
from cio_pipeline.model.json_text import decoded

TIME = pl.Datetime("us", "UTC")

_PLAIN_TIME = r'^"[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9]\.[0-9]{3}Z"$'
"""What most SDKs send, and each format can give back as it was."""

_MADE = r'^"[0-9a-f]{32}"$'


@dataclass(frozen=True)
class _Cells:
    """What a column gets of each call, and whether that is all of what came in.

    `at` are the numbers of the members that it holds, null where a call has none.
    """

    at: pl.Series
    raw: pl.Series
    values: pl.Series
    whole: pl.Series


def call_table(
    calls: pl.DataFrame, members: pl.DataFrame, kind: str, file_format: str, unit: str
) -> pl.DataFrame:
    """The columns of that type's files, in their order; null where a call has nothing for one.

    Of each call its `call_id` and `received_at` (microseconds since 1970), and its members
    (`call_members.SCHEMA`). For JSON files values are JSON text, for CSV text, for Parquet text and
    times (us).
    """
    columns = [column for column in COLUMNS[kind] if column.name not in MADE_COLUMNS]
    cells = _cells(calls.height, members, columns, file_format, unit)
    values = {name: found.values for name, found in cells.items()}
    whole = {name: found.whole for name, found in cells.items()}
    values["message_id"], made = _message_ids(calls["call_id"], cells["message_id"], file_format)
    whole["message_id"] &= ~made
    values["received_at"] = _received(calls["received_at"], cells["received_at"], file_format)
    whole["received_at"] = pl.repeat(value=False, n=calls.height, dtype=pl.Boolean, eager=True)
    if kind == "track":
        values["event"] = _events(cells["event_text"].raw, file_format)
    elif kind == "identify":
        values["user_id"], same = _users(cells, file_format)
        whole["user_id"] &= ~same
    held = (members["name"] == "type") & (members["raw"] == f'"{kind}"')
    for name, found in cells.items():
        there = found.at.is_not_null()
        held = held.scatter(found.at.filter(there), whole[name].filter(there))
    values["extra"] = _extra(calls.height, members.filter(~held))
    return pl.DataFrame({column.name: values[column.name] for column in COLUMNS[kind]})


def _cells(
    calls: int, members: pl.DataFrame, columns: list[Column], file_format: str, unit: str
) -> dict[str, _Cells]:
    places = {column.name: _places(calls, members, member_of(column.name)) for column in columns}
    raws = pl.DataFrame({name: members["raw"].gather(at) for name, at in places.items()})
    found = raws.select(expr for column in columns for expr in _plainly(column, file_format))
    return {
        column.name: _with_others(
            _Cells(
                places[column.name],
                raws[column.name],
                found[f"{column.name} value"],
                found[f"{column.name} whole"],
            ),
            found[f"{column.name} other"],
            lambda raw, column=column: WRITERS[file_format](raw, column.type, unit),
        )
        for column in columns
    }


def _places(calls: int, members: pl.DataFrame, name: str) -> pl.Series:
    """Where each call's member of that name stands, null where it has none."""
    at = (members["name"] == name).arg_true()
    nowhere = pl.repeat(None, calls, dtype=pl.UInt32, eager=True)
    return nowhere.scatter(members["row"].gather(at), at) if len(at) else nowhere


def _plainly(column: Column, file_format: str) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """Of a column of JSON texts: values and whether they are whole, where that can be seen at once.

    The third says where it cannot.
    """
    raw = pl.col(column.name)
    there, value = raw.is_not_null(), raw
    if column.name in JSON_COLUMNS or (file_format, column.type) == ("json", ColumnType.STRING):
        plain = there
    elif column.type is ColumnType.TIMESTAMP:
        plain = _plain_times(raw).is_not_null()
        value = _plain_times(raw) if file_format == "parquet" else raw
    else:
        plain = raw.str.starts_with('"') & ~raw.str.contains("\\", literal=True)
    if file_format != "json" and column.name not in JSON_COLUMNS and value is raw:
        value = raw.str.strip_prefix('"').str.strip_suffix('"')
    whole = plain & (raw != '""') if file_format == "csv" else plain
    return (
        pl.when(plain).then(value).alias(f"{column.name} value"),
        whole.fill_null(value=False).alias(f"{column.name} whole"),
        (there & ~plain).alias(f"{column.name} other"),
    )


def _plain_times(raw: pl.Expr) -> pl.Expr:
    """The times that can be seen at once in JSON texts."""
    shaped = pl.when(raw.str.contains(_PLAIN_TIME)).then(raw)
    found = shaped.str.to_datetime('"%Y-%m-%dT%H:%M:%S%.3fZ"', time_unit="us", strict=False)
    return found.dt.replace_time_zone("UTC")


def _with_others(cells: _Cells, other: pl.Series, write: Callable[[str], Value]) -> _Cells:
    """Together with what has to be written one by one."""
    if not other.any():
        return cells
    at = other.arg_true()
    written = [write(text) for text in cells.raw.gather(at)]
    values = pl.Series([one.value for one in written], dtype=cells.values.dtype)
    whole = pl.Series([one.whole for one in written], dtype=pl.Boolean)
    return _Cells(
        cells.at, cells.raw, cells.values.scatter(at, values), cells.whole.scatter(at, whole)
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
    return sent.values.scatter(missing, pl.Series(written, dtype=pl.String)), made


def _received(received: pl.Series, sent: _Cells, file_format: str) -> pl.Series:
    """When the calls were received: as it was sent if that is the same time."""
    at = received.cast(TIME)
    written = at if file_format == "parquet" else _as_text(at)
    if file_format == "json":
        written = '"' + written + '"'
    if sent.raw.null_count() == len(at):
        return written
    times = pl.select(_plain_times(pl.lit(sent.raw))).to_series()
    others = (sent.raw.is_not_null() & times.is_null()).arg_true()
    if len(others):
        found = [time_of(decoded(raw)) for raw in sent.raw.gather(others)]
        times = times.scatter(others, pl.Series(found, dtype=TIME))
    return sent.values.zip_with((times == at).fill_null(value=False), written)


def _as_text(at: pl.Series) -> pl.Series:
    """As `call_times.text_of`."""
    seconds = at.dt.to_string("%Y-%m-%dT%H:%M:%S")
    digits = at.dt.to_string("%.6f")
    none = pl.Series([""]).new_from_index(0, len(at))
    return seconds + none.zip_with(at.dt.microsecond() == 0, digits) + "Z"


def _events(names: pl.Series, file_format: str) -> pl.Series:
    found = [None if raw is None else _event(raw, file_format) for raw in names]
    return pl.Series(found, dtype=pl.String)


@lru_cache(4096)
def _event(raw: str, file_format: str) -> str | None:
    if not raw.startswith('"'):
        return None
    text = slug(cast("str", decoded(raw)))
    return json.dumps(text) if file_format == "json" else clean(text)


def _users(cells: Mapping[str, _Cells], file_format: str) -> tuple[pl.Series, pl.Series]:
    """C4: without a user id, an identify call is about whom its email names.

    The ids, and where they are so, or could be taken to be so.
    """
    users = cells["user_id"]
    emails = [None if raw is None else email_of(raw) for raw in cells["traits"].raw]
    at = [number for number, email in enumerate(emails) if email is not None]
    ids: dict[int, str] = {}
    same = dict.fromkeys(at, False)
    for number, raw in zip(at, users.raw.gather(at), strict=True):
        email = cast("str", emails[number])
        if raw in {None, "null", '""'}:
            ids[number] = json.dumps(email) if file_format == "json" else clean(email)
            same[number] = True
        elif raw.startswith('"'):
            same[number] = clean(cast("str", decoded(raw))) == clean(email)
    values = users.values.scatter([*ids], pl.Series([*ids.values()], dtype=pl.String))
    nobody = pl.repeat(value=False, n=len(emails), dtype=pl.Boolean, eager=True)
    return values, nobody.scatter([*same], pl.Series([*same.values()], dtype=pl.Boolean))


def _extra(calls: int, members: pl.DataFrame) -> pl.Series:
    """Members that no column holds, as a JSON object; null where there are none."""
    nothing: Any = pl.repeat(None, calls, dtype=pl.String, eager=True)
    if members.is_empty():
        return nothing
    names = members["name"].unique()
    quoted = pl.col("name").replace_strict(names, [json.dumps(name) for name in names])
    pairs = pl.concat_str(quoted, pl.lit(":"), "raw").str.join(",")
    found = members.group_by("row", maintain_order=True).agg(pairs.alias("pairs"))
    return nothing.scatter(found["row"], "{" + found["pairs"] + "}")
