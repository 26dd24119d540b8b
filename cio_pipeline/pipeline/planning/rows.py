"""The rows that a cohort sends, as lazy frames, and whom they may not name (D4).

People who were gone when an export's first files were made, and still are, stay anonymous. Who that
was is remembered in the ledger then, per workspace and cut: the source need not keep that version,
and later plans look only for the people of their own rows.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

import polars as pl

from cio_pipeline.changesets.build import Changeset, about_people, build
from cio_pipeline.changesets.quarantine import identity_expr
from cio_pipeline.changesets.rules import IS_GONE, PERSON, Note
from cio_pipeline.conforming.columns import InForce
from cio_pipeline.contracts.declare import Export, History, TableKind
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.files.encode import Shape, named_errors
from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.changeset import CHANGE, DELETED, NEW, VERSION
from cio_pipeline.model.cuts import Cut, TableSlice
from cio_pipeline.model.plans import Mode, PlanDraft
from cio_pipeline.model.slices import Slice
from cio_pipeline.pipeline.planning.cohorts import Cohort, P
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Source

PEOPLE = SOURCE_TABLES["people"]
_WORKSPACE, _ID = PERSON


def changeset_of(
    source: Source,
    ledger: Ledger,
    cohort: Cohort[P],
    part: Slice | None = None,
    retried: pl.DataFrame | None = None,
    *,
    note: Note | None = None,
    terms: InForce | None = None,
) -> Changeset:
    """The lazy frames of a cohort, or of a slice of it; whom its rows may name is read at once.

    A retry sends the rows that are in quarantine, or `retried` (columns IDENTITY). `note` is
    told of the people whom first files find gone. `terms` are those of the plans' data contract.
    Raises the source's errors for tables that cannot be read at the cut.
    """
    plan, export = cohort.model, cohort.export
    driving = _driving(source, cohort, part)
    if plan.mode is Mode.RETRY:
        wanted = _in_quarantine(ledger, cohort) if retried is None else retried
        driving = _only(cohort, driving, wanted)
    anonymous = stay_anonymous(source, ledger, export, cohort.plans, driving)
    shape = Shape(export, plan.version, plan.timestamp_unit, plan.rows_per_file)
    with named_errors(driving, shape):
        return build(
            export,
            plan.version,
            plan.timestamp_unit,
            plan.mode,
            driving,
            joins=_joins(source, cohort),
            workspaces=cohort.workspaces,
            floor=plan.floor,
            anonymous=anonymous,
            note=note,
            terms=terms,
        )


def _joins(source: Source, cohort: Cohort[P]) -> dict[str, pl.LazyFrame]:
    upper = cohort.model.upper
    names = [name for name in cohort.export.joins if name in upper.tables]
    return {name: _at(source, name, upper, cohort.workspaces) for name in names}


def in_force(services: Services, plan: PlanDraft) -> InForce | None:
    """What holds for the rows of a plan, whatever the sync's contract says by now.

    Raises SecretMissing if its salt cannot be read.
    """
    if plan.contract is None:
        return None
    terms = services.ledger.contracts.terms(plan.contract)
    salt = services.secret(terms.salt).encode() if terms.salt else b""
    return InForce(terms.of, salt)


def forwarded_rows(
    source: Source,
    ledger: Ledger,
    cohort: Cohort[P],
    part: Slice | None = None,
    retried: pl.DataFrame | None = None,
) -> pl.LazyFrame:
    """The source rows that a cohort of a feed which forwards sends, or a slice of them.

    Columns: the table's, `identity` as quarantine names it, and VERSION (0 if the rows are not
    read as changes). Not sorted. A retry is told as in changeset_of.
    """
    plan, export = cohort.model, cohort.export
    rows = _driving(source, cohort, part)
    if plan.mode is Mode.RETRY:
        wanted = _in_quarantine(ledger, cohort) if retried is None else retried
        rows = _only(cohort, rows, wanted)
    if plan.mode is Mode.INITIAL or plan.mode is Mode.RETRY or plan.lower is None:
        rows = rows.with_columns(pl.lit(0, dtype=pl.Int64).alias(VERSION))
    else:
        rows = rows.filter(pl.col(CHANGE) == NEW)
    ours = pl.col("workspace_id").is_in(sorted(cohort.workspaces))
    return rows.filter(ours).with_columns(identity_expr(export).alias("identity"))


def _driving(source: Source, cohort: Cohort[P], part: Slice | None) -> pl.LazyFrame:
    plan, export = cohort.model, cohort.export
    table = SOURCE_TABLES[export.source]
    if isinstance(part, TableSlice):
        at = plan.upper.tables[table.name]
        return source.snapshot(table, at, part, workspaces=cohort.workspaces)
    if plan.mode in {Mode.INITIAL, Mode.RETRY} or plan.lower is None:
        return _at(source, export.source, plan.upper, cohort.workspaces)
    lower, upper = plan.lower.tables[table.name], plan.upper.tables[table.name]
    if part is None:
        changes = source.changes(table, lower, upper)
    else:
        changes = source.changes(table, lower, upper, part, cohort.workspaces)
    return changes if plan.until is None else _newest(source, cohort, changes, plan.until)


def _newest(source: Source, cohort: Cohort[P], changes: pl.LazyFrame, until: Cut) -> pl.LazyFrame:
    """Changes without those of rows that changed again after them, up to a cut."""
    table = SOURCE_TABLES[cohort.export.source]
    upper, later = cohort.model.upper.tables[table.name], until.tables[table.name]
    if table.kind is TableKind.APPEND_ONLY or upper == later:
        return changes
    identity = list(table.identity)
    ours = pl.col(_WORKSPACE).is_in(sorted(cohort.workspaces))
    pieces = source.feed(table, upper, later, identity)
    again = [piece.filter(ours).select(identity).unique() for piece in pieces]
    if not again:
        return changes
    return changes.join(
        pl.concat(again).unique().lazy(), on=identity, how="anti", maintain_order="left"
    )


def _at(source: Source, table: str, cut: Cut, workspaces: Collection[int]) -> pl.LazyFrame:
    declared = SOURCE_TABLES[table]
    at = cut.tables.get(table)
    if at is None:
        return pl.LazyFrame(schema=source_schema(declared))
    return source.snapshot(declared, at, workspaces=workspaces)


def _in_quarantine(ledger: Ledger, cohort: Cohort[P]) -> pl.DataFrame:
    return ledger.quarantine.held([plan.sync_id for plan in cohort.plans], cohort.export.name)


def _only(cohort: Cohort[P], rows: pl.LazyFrame, identities: pl.DataFrame) -> pl.LazyFrame:
    wanted = identities.lazy().select("workspace_id", _identity="identity").unique()
    unit = cohort.model.timestamp_unit
    return (
        rows.with_columns(identity_expr(cohort.export, unit).alias("_identity"))
        .join(wanted, on=["workspace_id", "_identity"], how="semi")
        .drop("_identity")
    )


def remember_gone(
    source: Source, ledger: Ledger, export: Export, plans: Collection[PlanDraft]
) -> None:
    """Keep who is gone at the cut that the first files of a cohort are made from, once.

    Where that was not kept (an older release made them, or the ledger was rebuilt), whoever is gone
    at the cut of the next plan is kept for it: `people` is read once, and who is removed from it
    later stays anonymous.
    Raises the source's errors.
    """
    plan = next(iter(plans))
    first = plan.mode is Mode.INITIAL
    known = PEOPLE.name in plan.upper.tables
    if not about_people(export) or not (first or known):
        return
    begun = {one.workspace_id: one.upper.at if first else one.begun for one in plans}
    new = _not_kept(ledger, {place: at for place, at in begun.items() if at is not None})
    if not new:
        return
    gone: dict[int, list[str]] = {workspace: [] for workspace in new}
    if known:
        people = _people(source, plan.upper, new)
        rows = people.filter(IS_GONE, pl.col(_WORKSPACE).is_in(sorted(new)))
        for workspace, person in _collected(rows, plan, export).iter_rows():
            gone[workspace].append(person)
    for at in sorted(set(new.values())):
        ledger.gone.keep(at, {place: ids for place, ids in gone.items() if new[place] == at})


def remember_unknown(
    ledger: Ledger, plan: PlanDraft, seen: Collection[pl.DataFrame], part: str
) -> None:
    """Keep whom the rows of first files were about, of those whom `people` does not know at all.

    They were removed from it, or will be loaded later: until they are people, they have no name.
    `part` names what was read of the history, so that reading it again changes nothing.
    """
    if not seen:
        return
    people = pl.concat(seen).unique().drop_nulls()
    workspaces = people[_WORKSPACE].unique().to_list()
    at = plan.upper.at
    known = _among(ledger, people, dict.fromkeys(workspaces, at), plan.export)
    unknown: dict[int, list[str]] = {}
    for workspace, person in people.join(known, on=PERSON, how="anti").iter_rows():
        unknown.setdefault(workspace, []).append(person)
    if unknown:
        ledger.gone.keep(at, unknown, plan.export, part)


def stay_anonymous(
    source: Source,
    ledger: Ledger,
    export: Export,
    plans: Collection[PlanDraft],
    changes: pl.LazyFrame,
) -> pl.DataFrame | None:
    """The people (PERSON) of some changes whom plans of one cohort may not name; None for nobody.

    A change of the people's own rows concerns readers as soon as it begins or ends with a current
    person: so they are named then. A retry of such rows sends what was news when it was held back.
    A replay names whom its window named, but for those who were erased since: that goes by what is
    remembered, so that it comes to the same bytes whenever it is encoded. Raises the source's
    errors.
    """
    own = export.source == PEOPLE.name
    begun = {plan.workspace_id: plan.begun for plan in plans if plan.begun is not None}
    plan = next(iter(plans))
    if not begun or not about_people(export) or PEOPLE.name not in plan.upper.tables:
        return None
    if own and plan.mode is Mode.RETRY:
        return None
    served = changes.filter(pl.col(_WORKSPACE).is_in(sorted(begun)))
    asked = _collected(served, plan, export)
    there = set(asked[_WORKSPACE].unique())
    begun = {workspace: at for workspace, at in begun.items() if workspace in there}
    gone = _among(ledger, asked, begun, export.name)
    # A preview remembers nothing: so some may have been gone where nothing was remembered before.
    unsure = asked.filter(pl.col(_WORKSPACE).is_in(sorted(_not_kept(ledger, begun))))
    if not unsure.is_empty():
        rows = _among_people(source, plan.upper, unsure).filter(IS_GONE)
        gone = pl.concat([gone, _collected(rows, plan, export)])
    replayed = plan.mode is Mode.REPLAY
    erased = _among(ledger, asked, begun, export.name, erased=True) if replayed else gone.clear()
    gone = pl.concat([_not_named(source, export, plan, served, gone), erased]).unique()
    return None if gone.is_empty() else gone


def _not_named(
    source: Source, export: Export, plan: PlanDraft, served: pl.LazyFrame, gone: pl.DataFrame
) -> pl.DataFrame:
    """Those of some gone people whom nothing makes current people for the changes of a plan."""
    if export.source == PEOPLE.name:
        now = served.filter(pl.col(CHANGE) != DELETED, ~IS_GONE)
        gone = gone.join(_collected(now, plan, export), on=PERSON, how="anti")
    for cut in _cuts_that_name(export, plan):
        if not gone.is_empty():
            current = _among_people(source, cut, gone).filter(~IS_GONE)
            gone = gone.join(_collected(current, plan, export), on=PERSON, how="anti")
    return gone


def _cuts_that_name(export: Export, plan: PlanDraft) -> list[Cut]:
    """The cuts at which current people are named; of their own changes, the rows tell the upper.

    Current values of somebody who was there at the lower cut were told: so is their end.
    """
    cuts = [] if export.source == PEOPLE.name else [plan.upper]
    if export.history is History.CURRENT and plan.lower is not None:
        cuts.append(plan.lower)
    return [cut for cut in cuts if PEOPLE.name in cut.tables]


def _not_kept(ledger: Ledger, begun: Mapping[int, datetime]) -> dict[int, datetime]:
    kept = ledger.gone.kept(begun.items())
    return {workspace: at for workspace, at in begun.items() if workspace not in kept}


def _among(
    ledger: Ledger,
    people: pl.DataFrame,
    begun: Mapping[int, datetime],
    export: str,
    *,
    erased: bool = False,
) -> pl.DataFrame:
    """Those of some people who are remembered, in some order: a part of them at a time."""
    # Not `as_dict`: that makes a lazy frame for the key of each.
    parts = {part.item(0, _WORKSPACE): part for part in people.partition_by(_WORKSPACE)}
    found = [people.clear()]
    for gone in ledger.gone.of(begun.items(), export, erased=erased):
        some = [parts[workspace] for workspace in gone[_WORKSPACE].unique()]
        known = gone.rename({"person": _ID})
        found += [pl.concat(some).join(known, on=PERSON, how="semi")] if some else []
    return pl.concat(found).unique()


def _people(source: Source, cut: Cut, workspaces: Collection[int]) -> pl.LazyFrame:
    """All people of some workspaces at a cut; others may be among them."""
    return source.snapshot(PEOPLE, cut.tables[PEOPLE.name], workspaces=workspaces)


def _among_people(source: Source, cut: Cut, some: pl.DataFrame) -> pl.LazyFrame:
    """Those of some who are people at a cut, as they are there."""
    people = _people(source, cut, some[_WORKSPACE].unique().to_list())
    return people.join(some.lazy(), on=PERSON, how="semi")


def _collected(people: pl.LazyFrame, plan: PlanDraft, export: Export) -> pl.DataFrame:
    found = people.select(PERSON).drop_nulls().unique()
    shape = Shape(export, plan.version, plan.timestamp_unit, plan.rows_per_file)
    with named_errors(found, shape):
        return found.collect(engine="streaming")
