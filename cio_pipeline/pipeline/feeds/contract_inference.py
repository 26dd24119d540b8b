"""What a data contract could say of a sync's rows: counted, batch by batch (O1).

Memory holds what was seen of names and types, never rows: of very many names the first ones.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl

from cio_pipeline.conforming.agreeing import has_events, keys_of
from cio_pipeline.conforming.columns import ATTRIBUTE, is_empty
from cio_pipeline.conforming.properties import seen_in
from cio_pipeline.contracts.declare import Column, ColumnType, Export
from cio_pipeline.contracts.feeds import ALL_EXPORTS, facts_of
from cio_pipeline.files.call_members import taken_apart
from cio_pipeline.files.encode import Shape, named_errors
from cio_pipeline.model.event_names import words
from cio_pipeline.model.json_text import decoded
from cio_pipeline.model.plans import Mode, PlanDraft
from cio_pipeline.model.registry import ExportState
from cio_pipeline.pipeline.planning.cohorts import Cohort, rest_of, with_slices
from cio_pipeline.pipeline.planning.cuts import peek_cut, tables_of
from cio_pipeline.pipeline.planning.plan_export import draft
from cio_pipeline.pipeline.planning.rows import changeset_of, forwarded_rows
from cio_pipeline.pipeline.services import Services

BATCH = 10_000
"""Events that are looked at at a time."""

MOST_NAMES = 500
"""Names of events, of an event's properties, and of attributes that are kept in mind."""

_PERSON = "internal_customer_id"


@dataclass
class EventSeen:
    """Events whose names have the same words."""

    spellings: Counter[str] = field(default_factory=Counter[str])
    properties: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    """See `properties.seen_in`."""

    @property
    def count(self) -> int:
        """How many there are."""
        return self.spellings.total()


@dataclass
class ExportSeen:
    """Rows of an export: columns that are always filled, events by their words, attributes.

    `more` if there were too many names to keep them all in mind.
    """

    export: Export
    rows: int = 0
    empty: Counter[str] = field(default_factory=Counter[str])
    events: dict[str, EventSeen] = field(default_factory=dict[str, EventSeen])
    attributes: Counter[str] = field(default_factory=Counter[str])
    more: bool = False

    def add_events(self, names: pl.Series, texts: pl.Series) -> None:
        """Some events, and their properties as JSON objects."""
        frame = pl.DataFrame({"name": names, "text": texts.fill_null("{}")})
        for (name,), some in frame.partition_by("name", as_dict=True).items():
            if not name:
                continue
            key = words(name)
            if key not in self.events and len(self.events) >= MOST_NAMES:
                self.more = True
                continue
            seen = self.events.setdefault(key, EventSeen())
            seen.spellings[name] += some.height
            for prop, counts in seen_in(some["text"]).items():
                if prop in seen.properties or len(seen.properties) < MOST_NAMES:
                    seen.properties.setdefault(prop, Counter()).update(counts)
                else:
                    self.more = True


def infer(services: Services, sync_id: str, since: datetime, until: datetime) -> list[ExportSeen]:
    """What the exports of a sync hold whose time lies in `[since, until)`, of those that are on.

    Raises UnknownSync, InvalidConfig if `until` is to come, and the source's errors.
    """
    found: list[ExportSeen] = []
    for state in services.ledger.registry.states(list(ALL_EXPORTS), [sync_id]):
        export = ALL_EXPORTS[state.export]
        if state.switch.enabled and not facts_of(export.name).overwrites:
            seen = ExportSeen(export)
            for rows, plan in _rows(services, state, since, until):
                _look(seen, rows, plan)
            found.append(seen)
    return found


def _rows(
    services: Services, state: ExportState, since: datetime, until: datetime
) -> Iterator[tuple[pl.LazyFrame, PlanDraft]]:
    """All rows that the source has, part by part, as they would be sent."""
    export = ALL_EXPORTS[state.export]
    upper = peek_cut(services, until, tables_of(export.name))
    if export.source not in upper.tables:
        return
    whole = replace(draft(state, Mode.INITIAL, upper), lower=None)
    for plan in with_slices(services.source, [whole], services.slice_rows):
        cohort = Cohort(export, (plan,))
        for part in rest_of(services.source, plan):
            if facts_of(export.name).forwards:
                rows = forwarded_rows(services.source, services.ledger, cohort, part)
            else:
                rows = changeset_of(services.source, services.ledger, cohort, part).rows
            if export.time_column is not None:
                time = pl.col(export.time_column)
                rows = rows.filter(time.is_between(since, until, closed="left"))
            yield rows, plan


def _look(seen: ExportSeen, rows: pl.LazyFrame, plan: PlanDraft) -> None:
    export = seen.export
    columns = export.columns_of(plan.version)
    with named_errors(rows, Shape(export, plan.version, plan.timestamp_unit, plan.rows_per_file)):
        if facts_of(export.name).forwards:
            _look_at_calls(seen, rows)
            return
        if any(c.name == _PERSON and c.required and c.personal for c in columns):
            # Rows about people who are gone are empty for that reason.
            rows = rows.filter(pl.col(_PERSON) != "")
        counts = [is_empty(c).sum().alias(c.name) for c in could_be_empty(export, columns)]
        found = rows.select(pl.len().alias("_rows"), *counts).collect(engine="streaming")
        seen.rows += found["_rows"].item()
        seen.empty.update({name: found[name].item() for name in found.columns if name != "_rows"})
        if has_events(export):
            events = rows.filter(pl.col("type") == "event").select("name", "data")
            for batch in events.collect_batches(chunk_size=BATCH, engine="streaming"):
                seen.add_events(batch["name"], batch["data"])
        if any(column.name == ATTRIBUTE for column in columns):
            names = rows.group_by(ATTRIBUTE).len().collect(engine="streaming")
            for name, count in names.iter_rows():
                if name in seen.attributes or len(seen.attributes) < MOST_NAMES:
                    seen.attributes[name] += count
                else:
                    seen.more = True


def could_be_empty(export: Export, columns: tuple[Column, ...]) -> list[Column]:
    """Columns of which the schema does not say already that they hold something."""
    known = keys_of(export) | {*export.needs}
    texts = {ColumnType.STRING, ColumnType.STRINGS}
    return [c for c in columns if c.name not in known and (not c.required or c.type in texts)]


def _look_at_calls(seen: ExportSeen, rows: pl.LazyFrame) -> None:
    chosen = rows.select(pl.col("type").str.strip_chars().str.to_lowercase(), "payload")
    for batch in chosen.collect_batches(chunk_size=BATCH, engine="streaming"):
        seen.rows += batch.height
        tracks = batch.filter(pl.col("type") == "track", pl.col("payload").is_not_null())
        parts, _ = taken_apart(tracks["payload"])
        for members in parts:
            raw = members.raw("event")
            is_text = raw.str.starts_with('"').fill_null(value=False)
            names = raw.filter(is_text)
            known = names.unique()
            said = [str(decoded(one)).encode(errors="replace").decode() for one in known]
            names = names.replace(known, pl.Series(said, dtype=pl.String))
            seen.add_events(names, members.raw("properties").filter(is_text))
