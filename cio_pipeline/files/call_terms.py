"""Calls held to the terms of a sync's data contract: which break them, what is sent (O1, O2)."""

import json
from collections.abc import Collection

import polars as pl

from cio_pipeline.conforming.columns import (
    JSON_OBJECTS,
    InForce,
    checks_of_columns,
    empty,
    hashed,
    masked,
    members_hidden,
)
from cio_pipeline.conforming.events import checks_of_events, declared_names, renames
from cio_pipeline.contracts.declare import Column
from cio_pipeline.contracts.exports.calls import COLUMNS
from cio_pipeline.files.call_made import clean
from cio_pipeline.files.call_members import Members
from cio_pipeline.files.call_rows import JSON_COLUMNS
from cio_pipeline.files.call_table import call_table, emails_in
from cio_pipeline.model.data_contract import ExportTerms
from cio_pipeline.model.event_names import slug
from cio_pipeline.model.json_text import decoded

_SLUG, _NAME, _PROPERTIES, _EXTRA = "event", "event_text", "properties", "extra"
_USER, _TRAITS = "user_id", "traits"
_NULL = "null"


def table_under(
    terms: InForce, calls: pl.DataFrame, members: Members, kind: str, how: tuple[str, str]
) -> tuple[pl.DataFrame, pl.Series]:
    """See `call_table`, `how` being format and unit; and why each call breaks the terms, or null.

    What is hidden is not in `extra` either, nor in columns that are made of it.
    """
    file_format, _ = how
    hidden, columns = _hidden(terms.of), COLUMNS[kind]
    whose = _way_of_email(terms.of) if kind == "identify" and _USER not in hidden else None
    withheld = {*hidden, _USER} if whose else {*hidden}
    if terms.of.values:
        withheld |= JSON_OBJECTS - {column.name for column in columns}
    table = call_table(calls, members, kind, *how, hidden=withheld)
    told = table.select(_as_text(table, column, file_format) for column in columns)
    if _NAME in told.columns and terms.of.events is not None and renames(terms.of):
        told, table = _renamed(terms.of, told, table, file_format)
    found = [*checks_of_columns(terms.of, columns)]
    if _NAME in told.columns:
        found += checks_of_events(terms.of, _NAME, _PROPERTIES, pl.lit(value=True))
    asked = [pl.when(wrong).then(text) for wrong, text in found]
    why = told.select(pl.coalesce(asked) if asked else pl.lit(None, dtype=pl.String))
    broken = why.to_series()
    if len(broken) < table.height:
        broken = broken.new_from_index(0, table.height)
    shown = _shown(terms, columns, told, table, file_format)
    if whose:
        same = _emails(told[_USER], members.raw(_TRAITS))
        as_sent = _way(terms, whose, told[_USER].gather(same), file_format)
        shown = shown.with_columns(shown[_USER].scatter(same, as_sent))
    return shown, broken


def _way_of_email(terms: ExportTerms) -> str | None:
    """How the email of traits is hidden, which a user id may be (C4)."""
    return "leave_out" if _TRAITS in terms.leave_out else terms.values.get("email")


def _emails(users: pl.Series, traits: pl.Series) -> list[int]:
    """The calls whose user id is the email of their traits."""
    return [number for number, email in emails_in(traits).items() if users[number] == clean(email)]


def _way(terms: InForce, way: str, texts: pl.Series, file_format: str) -> pl.Series:
    """Texts left out, hashed or masked, as they are written."""
    if way == "leave_out":
        return texts.clear(len(texts))
    value = pl.col(texts.name)
    sent = hashed(value, terms.salt) if way == "hash" else masked(value)
    return _as_written(texts.to_frame().select(sent).to_series(), file_format)


def _hidden(terms: ExportTerms) -> Collection[str]:
    return frozenset((*terms.leave_out, *terms.hash, *terms.mask))


def _as_text(table: pl.DataFrame, column: Column, file_format: str) -> pl.Series:
    """A column of JSON texts as what they say: text; what is no text stays as it is."""
    raw = table[column.name]
    if file_format != "json" or column.name in JSON_COLUMNS or column.name == _EXTRA:
        return raw.set(raw == _NULL, None) if raw.dtype == pl.String else raw
    escaped = raw.str.contains("\\", literal=True).fill_null(value=False).arg_true()
    text = raw.set(raw == _NULL, None).str.strip_prefix('"').str.strip_suffix('"')
    if len(escaped):
        said = [str(decoded(one)).encode(errors="replace").decode() for one in raw.gather(escaped)]
        text = text.scatter(escaped, said)
    return text


def _renamed(
    terms: ExportTerms, told: pl.DataFrame, table: pl.DataFrame, file_format: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Names of events in their declared spelling, and slugs of these."""
    names = declared_names(terms, told[_NAME])
    other = names.ne_missing(told[_NAME])
    if not other.any():
        return told, table
    written = {
        _NAME: _as_written(names, file_format),
        _SLUG: _as_written(_slugs(names), file_format),
    }
    changed = [table[name].zip_with(~other, its).alias(name) for name, its in written.items()]
    return told.with_columns(names.alias(_NAME)), table.with_columns(changed)


def _slugs(names: pl.Series) -> pl.Series:
    known = names.drop_nulls().unique()
    found = pl.Series([slug(name) for name in known], dtype=pl.String)
    return names.replace(known, found) if len(known) else names


def _as_written(texts: pl.Series, file_format: str) -> pl.Series:
    if file_format != "json":
        return texts
    written = [None if text is None else json.dumps(text) for text in texts]
    return pl.Series(texts.name, written, dtype=pl.String)


def _shown(
    terms: InForce,
    columns: Collection[Column],
    told: pl.DataFrame,
    table: pl.DataFrame,
    file_format: str,
) -> pl.DataFrame:
    """The table with columns and members left out, hashed or masked."""
    found = dict[str, pl.Series | pl.Expr]()
    for column in columns:
        name = column.name
        if name in terms.of.leave_out:
            found[name] = empty(column, table.schema[name])
        elif name in terms.of.hash or name in terms.of.mask:
            value = pl.col(name)
            way = hashed(value, terms.salt) if name in terms.of.hash else masked(value)
            texts = told.select(way).to_series()
            found[name] = _as_written(texts, file_format)
            if name == _NAME:
                found.setdefault(_SLUG, _as_written(_slugs(texts), file_format))
        elif name in JSON_OBJECTS and terms.of.values:
            found[name] = members_hidden(terms, pl.col(name))
        if name == _NAME and name in terms.of.leave_out:
            found.setdefault(_SLUG, empty(column, table.schema[_SLUG]))
    return table.with_columns(**found)
