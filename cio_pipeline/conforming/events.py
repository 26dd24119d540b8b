"""Names of events: one spelling for each, and which are allowed with which properties (O2)."""

from collections.abc import Iterator

import polars as pl

from cio_pipeline.conforming.columns import Check
from cio_pipeline.conforming.properties import problems
from cio_pipeline.model.data_contract import EventTerms, ExportTerms
from cio_pipeline.model.event_names import words

UNKNOWN = "is none of the events of the data contract"


def declared_names(terms: ExportTerms, names: pl.Series) -> pl.Series:
    """Each name in its declared spelling; others as they are."""
    known = names.drop_nulls().unique()
    found = [_declared(terms, name) for name in known]
    return names.replace(known, pl.Series(found, dtype=pl.String)) if len(known) else names


def renames(terms: ExportTerms) -> bool:
    """Whether any name has another spelling."""
    return terms.normalise or len(terms.spelling) > len(terms.events or {})


def _declared(terms: ExportTerms, name: str) -> str:
    listed = terms.spelling.get(name)
    if listed is not None or not terms.normalise:
        return listed or name
    return {words(text): of for text, of in terms.spelling.items()}.get(words(name), name)


def checks_of_events(
    terms: ExportTerms, name: str, properties: str, is_event: pl.Expr
) -> Iterator[Check]:
    """That events have allowed names, and these the properties that they are to have.

    `name` and `properties` are columns, the latter of JSON objects. Names are declared ones.
    """
    if terms.events is None:
        return
    told = pl.col(name)
    if terms.other_events == "quarantine":
        unknown = is_event & ~told.is_in([*terms.events]).fill_null(value=False)
        yield unknown, pl.lit(f"{name} {UNKNOWN}")
    asked = {of: one for of, one in terms.events.items() if _asks(one)}
    if asked:
        wanted = pl.when(is_event & told.is_in([*asked])).then(told)
        found = pl.struct(wanted.alias("name"), pl.col(properties).alias("texts")).map_batches(
            lambda rows: _problems(asked, properties, rows),
            return_dtype=pl.String(),
            is_elementwise=True,
        )
        yield found.is_not_null(), found


def _asks(one: EventTerms) -> bool:
    return bool(one.required or one.properties) or one.other_properties == "quarantine"


def _problems(asked: dict[str, EventTerms], column: str, rows: pl.Series) -> pl.Series:
    frame = rows.struct.unnest().with_row_index("row")
    found = pl.Series([None], dtype=pl.String).new_from_index(0, len(rows))
    for (name,), some in frame.partition_by("name", as_dict=True).items():
        if name is not None:
            told = problems(asked[name], name, column, some["texts"])
            if told.null_count() < len(told):
                found = found.scatter(some["row"], told)
    return found
