"""A small feed as it is once loaded: tables of the contract, with rows worked out by hand.

Now is noon of 20 November 2026. What each person is there for stands beside them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from cio_pipeline.contracts.catalog import exports_of
from cio_pipeline.contracts.declare import Column, ColumnType, Export

NOW = "2026-11-20 12:00:00"

Row = Mapping[str, Any]

_TYPES = {
    ColumnType.INTEGER: ("BIGINT", 0),
    ColumnType.STRING: ("VARCHAR", ""),
    ColumnType.BOOLEAN: ("BOOLEAN", False),
    ColumnType.TIMESTAMP: ("TIMESTAMPTZ", "2026-01-01 00:00:00+00"),
    ColumnType.STRINGS: ("VARCHAR[]", []),
}


def november(day: int, time: str = "08:00:00") -> str:
    return f"2026-11-{day:02} {time}+00"


def person(who: str, customer_id: str, email: str | None, **more: Any) -> Row:
    return {
        "internal_customer_id": who,
        "customer_id": customer_id,
        "email_addr": email,
        "updated_at": november(1),
        **more,
    }


def sent(name: str, who: str | None, **more: Any) -> Row:
    return {
        "delivery_id": name,
        "internal_customer_id": who,
        "delivery_type": "email",
        "campaign_id": 7,
        "created_at": november(15),
        "seq_num": 1,
        **more,
    }


def happened(delivery: str, metric: str, at: str, **more: Any) -> Row:
    event = more.pop("event_id", f"{delivery}-{metric}-{at}")
    return {
        "event_id": event,
        "delivery_id": delivery,
        "metric": metric,
        "created_at": at,
        "seq_num": 1,
        **more,
    }


def did(number: int, who: str, name: str, at: str, **more: Any) -> Row:
    return {
        "event_id": f"e{number}",
        "internal_customer_id": who,
        "name": name,
        "type": "event",
        "data": "{}",
        "timestamp": at,
        **more,
    }


V5: Mapping[str, Sequence[Row]] = {
    "people": [
        # Clicked the winback mail, ordered twice, then left a checkout.
        person("ann", "user-1", " Ann.Smith+shop@GMail.com "),
        # A machine clicked for him, as became known later. He unsubscribed, and ordered.
        person("bob", "user-2", "bob@example.com"),
        # Known by phone alone, from an SMS.
        person("cem", "user-6", None),
        # Deleted, suppressed: in no audience, whatever they did.
        person("dee", "user-3", "dee@example.com"),
        person("dee", "", None, deleted=True, updated_at=november(19)),
        person("eve", "user-4", "eve@example.com"),
        person("eve", "", None, suppressed=True, updated_at=november(19)),
        # Left a checkout and looked around.
        person("fay", "user-8", "fay@example.com"),
        # Ordered long ago. The same address as ann in another workspace is somebody else.
        person("gus", "", "gus@example.com"),
        person("hal", "user-1", "ann.smith@gmail.com", workspace_id=2),
    ],
    "attributes": [
        {
            "internal_customer_id": who,
            "attribute_name": name,
            "attribute_value": value,
            "timestamp": at,
        }
        for who, name, value, at in (
            ("ann", "phone", "(030) 123 45 67", november(1)),
            ("ann", "first_name", "Anna", november(1)),
            ("ann", "first_name", "Ann", november(2)),
            ("bob", "first_name", "Bob", november(1)),
            ("bob", "first_name", "", november(2)),
        )
    ],
    "deliveries": [
        sent("d1", "ann"),
        sent("d2", "bob"),
        sent("d3", "eve"),
        sent("d4", "dee"),
        sent("d5", "ann", campaign_id=8),
        sent("s1", "cem", delivery_type="sms", campaign_id=8),
        sent("s2", "ann", delivery_type="sms", campaign_id=8),
        sent("n1", "fay", campaign_id=None, newsletter_id=7),
        sent("d6", None),
    ],
    "delivery_content": [
        {"delivery_id": "s1", "type": "sms", "recipient": "+49 170 1234567", "body": "Hi"},
        {"delivery_id": "s2", "type": "sms", "recipient": "+49 30 9999999", "body": "Hi"},
    ],
    "metrics": [
        *(happened(one, "sent", november(15)) for one in ("d1", "d2", "d3", "d4", "n1", "d6")),
        *(happened(one, "delivered", november(15)) for one in ("d1", "d2", "d3", "n1")),
        happened("d4", "bounced", november(15)),
        happened("d1", "opened", november(15, "09:00:00")),
        happened("d1", "opened", november(15, "08:00:01"), prefetched=True, proxied=True),
        happened("d2", "opened", november(15, "09:00:00"), proxied=True),
        happened("d1", "clicked", november(18)),
        happened("d2", "clicked", november(18), event_id="c2"),
        happened("d2", "clicked", november(18), event_id="c2", seq_num=2, machine=True),
        happened("d3", "clicked", november(18)),
        happened("d2", "unsubscribed", november(10)),
        happened("n1", "clicked", november(1)),
        happened("s1", "sent", november(19)),
        happened("s2", "sent", november(16)),
    ],
    "campaigns": [
        {"campaign_id": 7, "name": "Draft", "version": 1, "updated_at": november(1)},
        {"campaign_id": 7, "name": "WinBack spring", "version": 2, "updated_at": november(2)},
        {"campaign_id": 8, "name": "Welcome", "version": 1, "updated_at": november(2)},
    ],
    "events": [
        did(1, "ann", "Checkout Started", november(19)),
        did(2, "bob", "checkout_started", november(18)),
        did(3, "bob", "Order Completed", november(18, "09:00:00"), data='{"total":12.5}'),
        did(4, "fay", " Checkout  started! ", november(17)),
        did(5, "fay", "Home", november(16), type="page"),
        did(6, "fay", "Home", november(18), type="screen"),
        did(7, "gus", "Order Completed", "2026-10-01 08:00:00+00", data='{"total":"x"}'),
        did(8, "dee", "Checkout Started", november(18)),
        did(9, "dee", "Home", november(18), type="page"),
        did(10, "dee", "Home", november(18), type="page"),
    ],
    "inbound": [
        {
            "event_id": "i1",
            "internal_customer_id": "cem",
            "timestamp": november(19, "09:00:00"),
            "optout": True,
        }
    ],
}

V4: Mapping[str, Sequence[Row]] = {
    "people": [person("ida", "user-9", "ida@example.com")],
    "deliveries": [sent("d9", "ida")],
    "metrics": [
        happened("d9", "sent", november(18)),
        happened("d9", "opened", november(18)),
        happened("d9", "clicked", november(18)),
    ],
}


def write_feeds(file: Path) -> None:
    """Both feeds in a DuckDB file, each in a schema of its own."""
    with duckdb.connect(file) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for schema, version, rows in (("acme", 5, V5), ("beta", 4, V4)):
            connection.execute(f"CREATE SCHEMA {schema}")
            for export in exports_of(version):
                # What was not switched on in the sync has no table.
                if version < 5 or export.name not in {"objects", "outputs"}:
                    _write(connection, schema, export, version, rows.get(export.name, ()))


def _write(
    connection: duckdb.DuckDBPyConnection,
    schema: str,
    export: Export,
    version: int,
    rows: Sequence[Row],
) -> None:
    columns = export.columns_of(version)
    table = f"{schema}.{export.name}"
    declared = ", ".join(f'"{one.name}" {_TYPES[one.type][0]}' for one in columns)
    connection.execute(f"CREATE TABLE {table} ({declared})")
    marks = ", ".join("?" for _ in columns)
    for row in rows:
        values = [row.get(one.name, _default(one)) for one in columns]
        connection.execute(f"INSERT INTO {table} VALUES ({marks})", values)  # noqa: S608


def _default(column: Column) -> Any:
    if column.name == "workspace_id":
        return 1
    return _TYPES[column.type][1] if column.required else None
