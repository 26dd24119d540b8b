"""What a source row means in each export (D1-D4), a second time, over plain dicts.

Written from the specification and the seeds; nothing is shared with the product.
"""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

Row = dict[str, Any]

IDENTITY: dict[str, tuple[str, ...]] = {
    "people": ("internal_customer_id",),
    "attributes": ("internal_customer_id", "attribute_name"),
    "deliveries": ("delivery_id",),
    "delivery_content": ("delivery_id",),
    "metrics": ("event_id", "seq_num"),
    "subjects": ("subject_name",),
    "outputs": ("output_id",),
    "campaigns": ("campaign_id", "version", "updated_at"),
    "actions": ("campaign_id", "action_id", "version", "updated_at"),
    "broadcasts": ("broadcast_id", "updated_at"),
    "objects": ("internal_object_id",),
    "object_types": ("object_type_id",),
    "object_attributes": ("internal_object_id", "attribute_name"),
    "events": ("event_id",),
    "inbound": ("event_id",),
}
"""What tells the rows of a source table apart within a workspace. Exports are named like tables."""

APPENDED = {
    "delivery_content", "metrics", "campaigns", "actions", "broadcasts", "events", "inbound",
}  # fmt: skip
"""Tables whose rows are there once and never change."""

V4 = {"deliveries", "delivery_content", "metrics", "outputs", "people", "subjects", "attributes"}
SPLIT = {"people", "objects", "object_types"}
RECENT = {"events", "inbound"}
NEEDS = {
    "attributes": ("people",),
    "object_attributes": ("objects",),
    "inbound": ("people", "deliveries"),
    "deliveries": ("people",),
    "delivery_content": ("people",),
    "metrics": ("people",),
    "subjects": ("people",),
    "outputs": ("people",),
    "events": ("people",),
}
"""The other tables that an export looks at."""

NEWEST: dict[str, tuple[tuple[str, ...], str]] = {
    "people": (("internal_customer_id",), "updated_at"),
    "attributes": (("internal_customer_id", "attribute_name"), "timestamp"),
    "deliveries": (("delivery_id",), "seq_num"),
    "subjects": (("subject_name",), "seq_num"),
    "outputs": (("output_id",), "seq_num"),
    "objects": (("internal_object_id",), "updated_at"),
    "object_types": (("object_type_id",), "updated_at"),
    "object_attributes": (("internal_object_id", "attribute_name"), "timestamp"),
}
"""Exports that a reader merges: the key of what rows speak of, and the column of the newest."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_gone(row: Row) -> bool:
    """Whether a person or an object is no current one."""
    return bool(row["deleted"] or row.get("suppressed"))


def columns(row: Row, *names: str) -> Row:
    return {name: row[name] for name in ("workspace_id", *names)}


# --- one function an export: (source row, version of the contract) → the export's columns ---


def people(row: Row, version: int) -> Row:
    added = EPOCH if is_gone(row) else row["added_at"]
    id_changed = row["id_changed_at"] if row["id"] else None
    return {
        **columns(row, "internal_customer_id", "updated_at"),
        "customer_id": row["id"] or row["email"] or "",
        "deleted": bool(row["deleted"]),
        "suppressed": bool(row["suppressed"]),
        "created_at": added if version == 5 else (id_changed or row["updated_at"]),
        "email_addr": row["email"],
    }


class Wrong(str):
    """Why a value may not be sent, in its place."""

    __slots__ = ()


def attribute_value(text: str | None) -> str:
    """The value that is sent, if it is JSON."""
    if text is None:
        return ""
    try:
        value = json.loads(text)
    except ValueError:
        return Wrong("is no valid JSON")
    return value if isinstance(value, str) else text


def attributes(row: Row, version: int) -> Row:
    value = attribute_value(row["attribute_value"])
    return {
        **columns(row, "internal_customer_id", "attribute_name", "timestamp"),
        "attribute_value": value,
    }


def object_attributes(row: Row, version: int) -> Row:
    value = attribute_value(row["attribute_value"])
    names = ("object_type_id", "internal_object_id", "attribute_name", "timestamp")
    return {**columns(row, *names), "attribute_value": value}


def deliveries(row: Row, version: int) -> Row:
    return {name: value for name, value in row.items() if name != "recipient"}


def delivery_content(row: Row, version: int) -> Row:
    sent = {name: value for name, value in row.items() if name != "internal_customer_id"}
    if row["campaign_id"] is not None:
        sent |= {"newsletter_id": None, "content_id": None}
    elif row["newsletter_id"] is not None:
        sent |= {"campaign_id": None, "action_id": None, "content_id": row["content_id"] or 0}
    if version == 4:
        sent["body_plain"] = row["body_plain"] or ""
    return sent


def metrics(row: Row, version: int) -> Row:
    names = ("event_id", "delivery_id", "metric", "reason", "link_id", "created_at", "seq_num")
    url = row["link_url"]
    sent = columns(row, *names)
    sent["link_url"] = None if url is None else url.encode()[:1000].decode(errors="ignore")
    if version == 4:
        return sent
    email = row["channel"] == "email"
    opened, clicked = (email and row["metric"] == which for which in ("opened", "clicked"))
    sent |= {name: opened and bool(row[name]) for name in ("proxied", "prefetched")}
    sent |= {"machine": clicked and bool(row["machine"]), "user_agent": row["user_agent"]}
    of_email = ("email_client", "inbox_domain", "inbox_provider", "mx_host")
    return sent | {name: row[name] if email else None for name in of_email}


def subjects(row: Row, version: int) -> Row:
    return dict(row)


def outputs(row: Row, version: int) -> Row:
    return {name: value for name, value in row.items() if name != "internal_customer_id"}


def campaigns(row: Row, version: int) -> Row:
    return row | {"topic_names": row["topic_names"] or None}


def actions(row: Row, version: int) -> Row:
    return row | {"topic_names": row["topic_names"] or None, "name": row["name"] or None}


def objects(row: Row, version: int) -> Row:
    return row | {"deleted": bool(row["deleted"])}


def json_object(text: str | None) -> str:
    """The properties as they were written, if they are a JSON object."""
    if text is None:
        return "{}"
    try:
        return text if isinstance(json.loads(text), dict) else Wrong("is no JSON object")
    except ValueError:
        return Wrong("is no valid JSON")


def events(row: Row, version: int) -> Row:
    names = ("event_id", "internal_customer_id", "name", "type", "timestamp", "processed_at")
    return {
        **columns(row, *names),
        "data": json_object(row["properties"]),
        "sources": row["sources"] or [],
        "source_uas": row["source_uas"] or [],
    }


def inbound(row: Row, version: int) -> Row:
    return row | {"keyword": row["keyword"] or ""}


MEANING: dict[str, Callable[[Row, int], Row]] = {
    "people": people,
    "attributes": attributes,
    "object_attributes": object_attributes,
    "deliveries": deliveries,
    "delivery_content": delivery_content,
    "metrics": metrics,
    "subjects": subjects,
    "outputs": outputs,
    "campaigns": campaigns,
    "actions": actions,
    "broadcasts": campaigns,
    "objects": objects,
    "object_types": objects,
    "events": events,
    "inbound": inbound,
}


def replied_to(message: Row, deliveries: Iterable[Row]) -> str | None:
    """The latest SMS to that person and number in the 72 hours before a message (D3)."""
    found = [
        (sms["created_at"], sms["delivery_id"])
        for sms in deliveries
        if sms["delivery_type"] == "sms"
        and sms["workspace_id"] == message["workspace_id"]
        and sms["internal_customer_id"] == message["internal_customer_id"]
        and sms["recipient"] == message["from"]
        and timedelta(0) <= message["timestamp"] - sms["created_at"] <= timedelta(hours=72)
    ]
    return max(found)[1] if found else None


PERSONAL: dict[str, Row] = {
    "deliveries": {"internal_customer_id": None},
    "delivery_content": dict.fromkeys(
        ("reply_to", "bcc", "subject", "body_amp", "body_plain", "preheader", "url", "headers")
    )
    | {"recipient": "", "body": ""},
    "metrics": dict.fromkeys(
        (
            "reason",
            "link_url",
            "user_agent",
            "email_client",
            "inbox_domain",
            "inbox_provider",
            "mx_host",
        )
    ),
    "subjects": {"internal_customer_id": None},
    "outputs": {"explanation": ""},
    "events": {"internal_customer_id": "", "data": "{}", "sources": [], "source_uas": []},
    "inbound": {"internal_customer_id": "", "from": "", "to": "", "body": ""},
}
"""D4: the personal columns of an export, and what they become."""


def anonymised(export: str, version: int, sent: Row) -> Row:
    empty = {name: value for name, value in PERSONAL[export].items() if name in sent}
    if export == "delivery_content" and version == 4:
        empty["body_plain"] = ""
    return sent | empty


def broken(export: str, sent: Row) -> str | None:
    """Why a row may not be sent; None if it may."""
    if export == "events" and sent["type"] not in {"event", "page", "screen"}:
        return "type is not one of event, page, screen"
    wrong = (f"{name} {value}" for name, value in sent.items() if isinstance(value, Wrong))
    return next(wrong, None)


def cut_times(sent: Row, unit: str) -> Row:
    """Times as they are written: in microseconds, or in whole milliseconds."""
    if unit == "us":
        return sent
    return {
        name: value.replace(microsecond=value.microsecond // 1000 * 1000)
        if isinstance(value, datetime)
        else value
        for name, value in sent.items()
    }
