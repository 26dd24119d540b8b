"""Rows of source tables as chance has them: few identities, so that everything happens to each."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline_tests.changesets.rows import filled
from cio_pipeline_tests.convergence.meaning import Row

WORKSPACES = (1, 2)
PEOPLE = ("p0", "p1", "p2")
VALUES = (
    '"gold"', '"\\u00e9\\n"', '""', "12345678901234567890", "1.50", "true", "null", None,
    '{"a": [1, 2]}', " [1]",
)  # fmt: skip
"""Attribute values; None is a removed one."""
BAD_VALUES = ("{", "gold")
GOOD_PROPERTIES = (None, "{}", ' {"a": 12345678901234567890}', '{"b": "é"}')
BAD_PROPERTIES = ("[1]", "{")
AGES = tuple(timedelta(days=d, seconds=s) for d, s in ((0, 1), (30, 0), (30, 1), (31, 0)))
"""How long before the end of its window an event was processed: 30 days are just recent."""
ONE_LETTER_MORE = "é" * 501
STEP = timedelta(microseconds=5001)
"""Between any two times of rows: also different in whole milliseconds."""


class Clock:
    """The times and numbers that rows are stamped with: always later than all before."""

    def __init__(self, start: datetime) -> None:
        self.last = start
        self.number = 0

    def stamp(self, at: datetime) -> datetime:
        self.last = max(self.last, at) + STEP
        return self.last

    def count(self) -> int:
        self.number += 1
        return self.number


def make(table: str, chance: Random, clock: Clock, at: datetime) -> Row:
    """A whole row of a table, of an identity that may be known, written at a time."""
    row = {"workspace_id": chance.choice(WORKSPACES), **ROWS[table](chance, clock, at)}
    return filled(SOURCE_TABLES[table], row)


def _someone(chance: Random) -> Row:
    return {"internal_customer_id": chance.choice((*PEOPLE, None))}


def _people(chance: Random, clock: Clock, at: datetime) -> Row:
    name = chance.choice(PEOPLE)
    return {
        "internal_customer_id": name,
        "id": chance.choice((None, "", name)),
        "email": chance.choice((None, f"{name}@acme.example")),
        "added_at": at,
        "id_changed_at": chance.choice((None, at)),
        "updated_at": clock.stamp(at),
        "deleted": chance.random() < 0.2,
        "suppressed": chance.random() < 0.2,
    }


def _attribute(chance: Random, clock: Clock, at: datetime) -> Row:
    return {
        "attribute_name": chance.choice(("plan", 'a "b"')),
        "attribute_value": chance.choice((*VALUES, *BAD_VALUES)),
        "timestamp": clock.stamp(at),
    }


def _attributes(chance: Random, clock: Clock, at: datetime) -> Row:
    return {"internal_customer_id": chance.choice(PEOPLE), **_attribute(chance, clock, at)}


def _deliveries(chance: Random, clock: Clock, at: datetime) -> Row:
    return {
        "delivery_id": chance.choice(("d0", "d1", "d2")),
        **_someone(chance),
        "delivery_type": chance.choice(("sms", "sms", "email")),
        "recipient": chance.choice(("+1", "+2", None)),
        "campaign_id": chance.choice((None, 7)),
        "created_at": at - chance.choice((timedelta(0), timedelta(hours=71), timedelta(hours=72))),
        "seq_num": clock.count(),
    }


def _delivery_content(chance: Random, clock: Clock, at: datetime) -> Row:
    number = clock.count()
    return {
        "delivery_id": f"c{number}",
        **_someone(chance),
        "campaign_id": chance.choice((None, 7)),
        "action_id": chance.choice((None, 8)),
        "newsletter_id": chance.choice((None, 9)),
        "content_id": chance.choice((None, 0, 1)),
        "from": "us@acme.example",
        "subject": chance.choice((None, f"s{number}")),
        "body_plain": chance.choice((None, "plain")),
    }


def _metrics(chance: Random, clock: Clock, at: datetime) -> Row:
    number = clock.count()
    flags: dict[str, Any] = {
        name: chance.choice((None, True, False)) for name in ("proxied", "prefetched", "machine")
    }
    return {
        "event_id": f"m{number}",
        "delivery_id": "d0",
        **_someone(chance),
        "channel": chance.choice(("email", "email", "sms")),
        "metric": chance.choice(("opened", "clicked", "sent")),
        "reason": chance.choice((None, "550 5.1.1 <p0@acme.example> unknown")),
        "link_url": chance.choice((None, "https://acme.example/", ONE_LETTER_MORE)),
        "created_at": at,
        "seq_num": number,
        **flags,
        "user_agent": chance.choice((None, "ua")),
        "email_client": chance.choice((None, "client")),
        "inbox_domain": chance.choice((None, "acme.example")),
    }


def _subjects(chance: Random, clock: Clock, at: datetime) -> Row:
    return {
        "subject_name": chance.choice(("s0", "s1", "s2")),
        **_someone(chance),
        "trigger_id": chance.choice((None, 3)),
        "created_at": at,
        "seq_num": clock.count(),
    }


def _outputs(chance: Random, clock: Clock, at: datetime) -> Row:
    return {
        "output_id": chance.choice(("o0", "o1", "o2")),
        **_someone(chance),
        "explanation": chance.choice(("why", "")),
        "draft": chance.choice((None, True, False)),
        "delay_ends_at": chance.choice((None, at)),
        "created_at": at,
        "seq_num": clock.count(),
    }


def _edited(chance: Random, clock: Clock, at: datetime) -> Row:
    return {
        "name": chance.choice(("Spring", "Autumn")),
        "created_at": at,
        "updated_at": clock.stamp(at),
        "topic_names": chance.choice((None, [], ["a"], ["a", "b"])),
    }


def _campaigns(chance: Random, clock: Clock, at: datetime) -> Row:
    return {
        "campaign_id": chance.choice((1, 2)),
        "version": chance.choice((1, 2)),
        **_edited(chance, clock, at),
    }


def _actions(chance: Random, clock: Clock, at: datetime) -> Row:
    row = {**_campaigns(chance, clock, at), "action_id": chance.choice((1, 2))}
    return {**row, "name": chance.choice((None, "", "Step"))}


def _broadcasts(chance: Random, clock: Clock, at: datetime) -> Row:
    return {"broadcast_id": chance.choice((1, 2)), **_edited(chance, clock, at)}


def _objects(chance: Random, clock: Clock, at: datetime) -> Row:
    return {
        "object_type_id": 1,
        "internal_object_id": chance.choice(("b0", "b1")),
        "object_id": chance.choice(("Acme", "Beta")),
        "deleted": chance.random() < 0.3,
        "created_at": at,
        "updated_at": clock.stamp(at),
    }


def _object_types(chance: Random, clock: Clock, at: datetime) -> Row:
    return {
        "object_type_id": chance.choice((1, 2)),
        "name": chance.choice(("Accounts", "Companies")),
        "deleted": chance.random() < 0.3,
        "enabled": chance.random() < 0.5,
        "updated_at": clock.stamp(at),
    }


def _object_attributes(chance: Random, clock: Clock, at: datetime) -> Row:
    return {"internal_object_id": chance.choice(("b0", "b1")), **_attribute(chance, clock, at)}


def _received(chance: Random, clock: Clock, at: datetime) -> Row:
    return {
        "event_id": f"e{clock.count()}",
        "internal_customer_id": chance.choice(PEOPLE),
        "timestamp": at,
        "processed_at": window_end(at) - chance.choice(AGES),
    }


def _events(chance: Random, clock: Clock, at: datetime) -> Row:
    return {
        **_received(chance, clock, at),
        "type": chance.choice(("event", "page", "screen", "event", "odd")),
        "properties": chance.choice((*GOOD_PROPERTIES, *BAD_PROPERTIES)),
        "sources": chance.choice((None, [], ["js"])),
        "source_uas": chance.choice((None, ["ua"])),
    }


def _inbound(chance: Random, clock: Clock, at: datetime) -> Row:
    return {
        **_received(chance, clock, at),
        "from": chance.choice(("+1", "+2")),
        "keyword": chance.choice((None, "", "STOP")),
        "optout": chance.random() < 0.5,
    }


ROWS: dict[str, Callable[[Random, Clock, datetime], Row]] = {
    "people": _people,
    "attributes": _attributes,
    "deliveries": _deliveries,
    "delivery_content": _delivery_content,
    "metrics": _metrics,
    "subjects": _subjects,
    "outputs": _outputs,
    "campaigns": _campaigns,
    "actions": _actions,
    "broadcasts": _broadcasts,
    "objects": _objects,
    "object_types": _object_types,
    "object_attributes": _object_attributes,
    "events": _events,
    "inbound": _inbound,
}


def window_end(at: datetime) -> datetime:
    return at.replace(minute=at.minute // 15 * 15, second=0) + timedelta(minutes=15)


def mended(table: str, row: Row) -> Row:
    """The row with what breaks the contract put right."""
    if table == "events":
        kind = row["type"] if row["type"] != "odd" else "event"
        data = row["properties"] if row["properties"] in GOOD_PROPERTIES else "{}"
        return row | {"type": kind, "properties": data}
    if table.endswith("attributes") and row["attribute_value"] in BAD_VALUES:
        return row | {"attribute_value": "1"}
    return row
