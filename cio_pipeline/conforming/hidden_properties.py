"""Single properties of events that are sent hashed, masked or not at all."""

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

import polars as pl

from cio_pipeline.model.json_text import NotJson, fields

Ways = Mapping[str, pl.Expr]
"""How texts of a column `said` are sent, by the name of the way; nothing where they are not."""

_UNTOLD = '"[]"'
"""Of a list or an object, a mask shows nothing."""


def hidden_properties(texts: pl.Expr, how: Mapping[str, str], ways: Ways) -> pl.Expr:
    """JSON objects with some of their members hidden; what else they hold keeps its text."""
    each = partial(_hidden, how, ways)
    return texts.map_batches(each, return_dtype=pl.String(), is_elementwise=True)


def _hidden(how: Mapping[str, str], ways: Ways, texts: pl.Series) -> pl.Series:
    # A name that is not there as it is may be written with escapes.
    there = texts.str.contains_any([*how, "\\"]).fill_null(value=False).arg_true()
    objects = [_members(text) for text in texts.gather(there)]
    for name, way in how.items():
        having = [one for one in objects if one.get(name, "null") not in {"null", '""'}]
        if way not in ways:
            for one in objects:
                one.pop(name, None)
        elif having:
            said = pl.DataFrame({"said": [_said(one[name], way) for one in having]})
            for one, text in zip(having, said.select(ways[way]).to_series(), strict=True):
                one[name] = json.dumps(text)
    return texts.scatter(there, pl.Series([*map(_object, objects)], dtype=pl.String))


def _object(members: Mapping[str, str]) -> str:
    return f"{{{','.join(f'{json.dumps(key)}:{text}' for key, text in members.items())}}}"


def _members(text: str) -> dict[str, str]:
    with suppress(NotJson):  # What is no object is held back elsewhere.
        return fields(text, twice=True)
    return {}


def _said(raw: str, way: str) -> str:
    """The text of a value that is text, else its JSON."""
    if way == "mask" and raw[0] in "[{":
        raw = _UNTOLD
    # Halves of surrogate pairs cannot be hashed.
    return json.loads(raw).encode(errors="replace").decode() if raw[0] == '"' else raw
