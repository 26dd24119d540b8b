"""A world of people who come and go, and rows about them that name them wherever text can."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from deltalake import CommitProperties, DeltaTable

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.declare import ColumnType, TableKind
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.pipeline.lifecycle.order import Order
from cio_pipeline.pipeline.services import Services
from cio_pipeline_tests.changesets.rows import Row
from cio_pipeline_tests.lifecycle.doing import Do
from cio_pipeline_tests.world import World, during

ABOUT_PEOPLE = (
    "deliveries", "delivery_content", "metrics", "subjects", "outputs", "events", "inbound",
)  # fmt: skip
"""Tables whose rows concern people, beside people and attributes."""

GONE: dict[str, dict[str, Any]] = {"deleted": {"deleted": True}, "suppressed": {"suppressed": True}}
"""People who go before anything is sent."""
LATER = {"leaving": {"deleted": True}, "muted": {"suppressed": True}}
"""People who go when all exports were sent once."""
STAYING = "staying"
EVERYBODY = (*GONE, *LATER, STAYING)

VOCABULARY = {
    "delivery_id", "subject_id", "subject_name", "event_id", "output_id", "delivery_type", "type",
    "channel", "metric", "method", "campaign_type", "output_type", "name", "from", "keyword",
    "messaging_service_sid", "message_sid",
}  # fmt: skip
"""Text that the platform or the workspace makes up, and that names nobody (`from` of content)."""

_TYPES = {"type": "event", "channel": "email", "delivery_type": "sms", "keyword": ""}


def identifiers(person: str) -> tuple[str, str, str]:
    """What tells who somebody is: id, e-mail address, telephone number."""
    return f"cio-{person}", f"{person}@x.example", f"+49151{sum(map(ord, person)):07}"


def person(name: str, number: int, **fields: Any) -> Row:
    """A row of people, as it is after change `number`."""
    cio_id, email, _ = identifiers(name)
    known = {"internal_customer_id": cio_id, "id": f"own-{cio_id}", "email": email}
    return {**known, "added_at": during(-9), "updated_at": during(-5 + number), **fields}


def row(table: str, name: str, key: str, number: int) -> Row:
    """A row about somebody, with everything that tells who it is in every text that may say so."""
    cio_id, email, phone = identifiers(name)
    told = f"{cio_id} <{email}> {phone}"
    personal = ("from", "keyword") if table == "inbound" else ()
    texts = {
        column.name: told
        for column in SOURCE_TABLES[table].columns
        if column.type is ColumnType.STRING
        and (column.name not in VOCABULARY or column.name in personal)
    }
    columns = {column.name for column in SOURCE_TABLES[table].columns}
    keys = {
        name for name in SOURCE_TABLES[table].identity if name not in {"workspace_id", "seq_num"}
    }
    # What happened to a delivery, or on a journey, is of whom that was of.
    keys |= {"delivery_id", "subject_name"} & columns
    others: Row = {
        **_TYPES,
        "properties": f'{{"who": "{told}"}}',
        "sources": [told],
        "source_uas": [told],
        "seq_num": number,
        "trigger_id": number,
        "timestamp": during(-1),
        "processed_at": during(-1),
    }
    sms = {"deliveries": {"recipient": phone}, "inbound": {"from": phone, "to": phone}}
    return {
        **texts,
        **{name: value for name, value in others.items() if name in columns},
        **sms.get(table, {}),
        **dict.fromkeys(keys, key),
        "internal_customer_id": cio_id,
    }


def attribute(name: str, number: int) -> Row:
    cio_id, email, _ = identifiers(name)
    value = f'"{email} {number}"'
    known = {"internal_customer_id": cio_id, "attribute_name": "address"}
    return {**known, "attribute_value": value, "timestamp": during(-5 + number)}


def texts(world: World, sync_id: str) -> Iterator[tuple[str, str, str]]:
    """(export, column, text) of every value in any file of a sync."""
    for export in EXPORTS:
        for sent in world.read(export, sync_id).to_dicts():
            for column, value in sent.items():
                yield export, column, str(value)


def told(world: World, sync_id: str, name: str) -> Iterator[tuple[str, str]]:
    """(export, column) of every text in any file that tells who somebody is."""
    return telling(texts(world, sync_id), name)


def telling(found: Iterable[tuple[str, str, str]], name: str) -> Iterator[tuple[str, str]]:
    """(export, column) of every text that tells who somebody is."""
    known = (*identifiers(name), f"own-cio-{name}")
    return ((export, column) for export, column, text in found if any(one in text for one in known))


def write(world: World, number: int, key: str, about: tuple[str, ...] = EVERYBODY) -> None:
    """Rows about people in every table that has any, in a window."""
    for table in ABOUT_PEOPLE:
        rows = [row(table, name, f"{key}-{place}", number) for place, name in enumerate(about)]
        world.commit(table, *rows, at=during(number))
    world.commit("attributes", *(attribute(name, number) for name in about), at=during(number))


def change(world: World, number: int) -> None:
    """The rows that everybody had at first are others now, where a table's rows may change."""
    for table in ABOUT_PEOPLE:
        if SOURCE_TABLES[table].kind is TableKind.MUTABLE:
            rows = [row(table, name, f"old-{n}", number) for n, name in enumerate(EVERYBODY)]
            world.commit(table, *rows, at=during(number))


def names(world: World, *people: str) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Where somebody is named, by sync and person."""
    every = {sync_id: list(texts(world, sync_id)) for sync_id in ("a", "b")}
    named = {(s, name): sorted(set(telling(every[s], name))) for s in every for name in people}
    return {key: found for key, found in named.items() if found}


def run(world: World, number: int, services: Services | None = None) -> None:
    """Run a window of all exports that are about people."""
    outcomes = world.run(number, "people", "attributes", *ABOUT_PEOPLE, services=services)
    assert not [one.error for one in outcomes if one.error]


def live(world: World, verb: Do, sync_id: str, at: datetime) -> None:
    """Do something to a sync."""
    assert verb(world.services, Order(sync_id, at, "ann", (), sure=True))


def remove(world: World, table: str, where: str, at: datetime) -> None:
    """Rows are removed for good."""
    DeltaTable(f"{world.source_uri}/{table}").delete(where, commit_properties=_at(at))


def update(world: World, table: str, to: dict[str, str], where: str, at: datetime) -> None:
    """Rows are changed in place, of an append-only table too."""
    table_ = DeltaTable(f"{world.source_uri}/{table}")
    table_.update(updates=to, predicate=where, commit_properties=_at(at))


def _at(at: datetime) -> CommitProperties:
    return CommitProperties(custom_metadata={"cio.committed_at": at.isoformat()})
