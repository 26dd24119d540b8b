"""Who a person is, by what the source and the delivered files tell, and whether they are gone."""

from collections.abc import Collection, Iterable, Sequence

import polars as pl

from cio_pipeline.changesets.build import about_people
from cio_pipeline.changesets.rules import IS_GONE, PERSON
from cio_pipeline.contracts.declare import History
from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.ledger.cuts import ERASED
from cio_pipeline.model.cuts import TableCut
from cio_pipeline.model.erasure import Traces
from cio_pipeline.model.errors import StillNamed, UnknownPerson
from cio_pipeline.model.plans import Plan
from cio_pipeline.model.registry import ExportState, RegisteredSync
from cio_pipeline.pipeline.services import Services

PEOPLE = SOURCE_TABLES["people"]
_WORKSPACE, _ID = PERSON
_TELL = {"deliveries": "delivery_id", "metrics": "delivery_id", "delivery_content": "delivery_id",
         "outputs": "delivery_id"}  # fmt: skip
_JOURNEYS = {"subjects": "subject_name", "outputs": "subject_name"}


def is_named(text: str, person: str, customer: str, email: str) -> pl.Expr:
    """Whether a row is of whom `text` names: by internal id, customer id or address."""
    by_email = pl.col(email).str.to_lowercase() == text.lower()
    return ((pl.col(person) == text) | (pl.col(customer) == text) | by_email).fill_null(value=False)


def in_source(services: Services, workspace: int, text: str) -> Traces:
    """Whom the source's people name so; nobody where it has none of them, or no people."""
    rows = _people(services, workspace, _newest(services, PEOPLE.name))
    if rows is None:
        return Traces()
    found = rows.filter(is_named(text, _ID, "id", "email")).select(_ID, "id", "email")
    return _traces(found.collect(engine="streaming"), "id", "email")


def _traces(found: pl.DataFrame, customer: str, email: str) -> Traces:
    people, customers, emails = (
        frozenset(found[name].drop_nulls()) - {""} for name in (_ID, customer, email)
    )
    return Traces(people, people | customers | emails, emails)


def as_listed(found: pl.DataFrame) -> Traces:
    """The same of rows of delivered people files."""
    return _traces(found, "customer_id", "email_addr")


def one_person(workspace: int, text: str, found: Traces) -> Traces:
    """What is known of the one person that is named so, if exports know them.

    Raises UnknownPerson if they are several. Calls and messages may name somebody whom no people
    tell.
    """
    if len(found.people) > 1:
        raise UnknownPerson(
            f"{len(found.people)} people of workspace {workspace} are named so: "
            f"{', '.join(sorted(found.people))}.",
            "Erase each by that internal id.",
        )
    emails = {text} if "@" in text else set[str]()
    return found | Traces(names=frozenset({text}), emails=frozenset(emails))


def followed(services: Services, workspace: int, traces: Traces) -> Traces:
    """What the source's tables tell besides: the person's deliveries and journeys."""
    deliveries = _told(services, workspace, traces, _TELL)
    journeys = _told(services, workspace, traces, _JOURNEYS)
    return traces | Traces(deliveries=deliveries, journeys=journeys)


def _told(
    services: Services, workspace: int, traces: Traces, columns: dict[str, str]
) -> frozenset[str]:
    found: set[str] = set()
    for name, column in columns.items():
        cut = _newest(services, name) if traces.people else None
        if cut is not None:
            rows = services.source.snapshot(SOURCE_TABLES[name], cut, workspaces=[workspace])
            its = rows.filter(pl.col(_WORKSPACE) == workspace, pl.col(_ID).is_in(traces.people))
            told = its.select(pl.col(column).drop_nulls().unique())
            found.update(told.collect(engine="streaming")[column])
    return frozenset(found)


def _newest(services: Services, table: str) -> TableCut | None:
    now = services.clock()
    return services.source.look(SOURCE_TABLES[table], now, None, now).reached


def _people(services: Services, workspace: int, cut: TableCut | None) -> pl.LazyFrame | None:
    if cut is None:
        return None
    people = services.source.snapshot(PEOPLE, cut, workspaces=[workspace])
    return people.filter(pl.col(_WORKSPACE) == workspace)


def still_named(
    services: Services, workspace: int, traces: Traces, states: Iterable[ExportState]
) -> StillNamed | None:
    """Why later files would name the person again; None if they are gone, and that was sent.

    As long as they are current in the source, or were where an export of current values stands,
    changes name them; so do plans that are under way.
    """
    states = [state for state in states if about_people(ALL_EXPORTS[state.export])]
    waiting = under_way(states)
    if waiting is not None:
        return waiting
    cuts = {_newest(services, PEOPLE.name): "source"}
    for state in states:
        current = ALL_EXPORTS[state.export].history is History.CURRENT
        if current and state.registered.disabled_at is None and state.position is not None:
            cuts.setdefault(state.position.tables.get(PEOPLE.name), state.sync.id)
    for cut, where in cuts.items():
        people = _people(services, workspace, cut) if traces.people else None
        if people is None:
            continue
        current = people.filter(pl.col(_ID).is_in(traces.people), ~IS_GONE).select(pl.len())
        if current.collect(engine="streaming").item():
            return _in_source() if where == "source" else _on_the_way(where)
    return None


def under_way(states: Iterable[ExportState]) -> StillNamed | None:
    """Why files that are not committed yet may name the person; None if there are none."""
    plans = (one.open_plan for one in states if about_people(ALL_EXPORTS[one.export]))
    plan = next((plan for plan in plans if plan is not None), None)
    return None if plan is None else _under_way(plan)


def _under_way(plan: Plan) -> StillNamed:
    return StillNamed(
        f"Files of {plan.export} of sync '{plan.sync_id}' are under way and may name the person.",
        f"Let them be sent (`cio-pipeline export --sync {plan.sync_id}`), then erase.",
    )


def _in_source() -> StillNamed:
    return StillNamed(
        "The person is neither deleted nor suppressed in the source: later files would name them "
        "again.",
        "Delete or suppress them there, let a window send that, then erase them.",
    )


def _on_the_way(sync_id: str) -> StillNamed:
    return StillNamed(
        f"That the person is gone was not sent to sync '{sync_id}' yet: the file that says so will "
        "name them.",
        f"Let its next window run (`cio-pipeline export --sync {sync_id}`), then erase them. An "
        "export that is paused has to be resumed for that.",
    )


def states_of(services: Services, syncs: Sequence[RegisteredSync]) -> Sequence[ExportState]:
    """Where the exports of some syncs stand."""
    exports = {export for one in syncs for export in one.switches}
    return services.ledger.registry.states(exports, [one.sync.id for one in syncs])


def stay_erased(
    services: Services, workspace: int, traces: Traces, subject: str, states: Iterable[ExportState]
) -> None:
    """Let later files keep the person anonymous, as if they had been gone before the first (D4)."""
    begun = {
        (state.export, state.begun or state.registered.created_at)
        for state in states
        if not state.sync.feed.facts.forwards
    }
    for export, at in sorted(begun) if traces.people else ():
        people: dict[int, Collection[str]] = {workspace: traces.people}
        services.ledger.gone.keep(at, people, export, f"{ERASED} {subject[:16]}")
