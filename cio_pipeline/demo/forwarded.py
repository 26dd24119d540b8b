"""What the feeds forward: messages of a connected CRM, and calls of SDKs.

One of each every five minutes for each workspace.
"""

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.demo.chance import key_of
from cio_pipeline.demo.world import MINUTE, Span, Workspace
from cio_pipeline.model.times import moment

_EVERY = 5 * MINUTE
_OBJECTS = ("contacts", "companies", "deals")


def message_rows(workspace: Workspace, span: Span) -> pl.DataFrame:
    """The messages of a span, in the order of their arrival."""
    rows = list(_messages(workspace, span))
    return pl.DataFrame(rows, source_schema(SOURCE_TABLES["messages"]))


def _messages(workspace: Workspace, span: Span) -> Iterator[dict[str, Any]]:
    first = -(-span.start // _EVERY)
    for number in range(first, -(-span.end // _EVERY)):
        at = f"{moment(number * _EVERY):%Y-%m-%dT%H:%M:%S}.{key_of('nanos', number) % 10**9:09}Z"
        name = _OBJECTS[number % len(_OBJECTS)]
        told = {
            "operationId": f"{key_of(workspace.salt('operation'), number):016x}",
            "objectName": name,
            "event-id": f"msg_{key_of(workspace.salt('message'), number):016x}",
            "timestamp": at,
            "topic": "read.triggered",
        }
        fields = {"id": str(number), "owner": f"Owner {number % 7}"}
        payload = {
            "action": "read",
            "provider": "hubspot",
            "objectName": name,
            "operationId": told["operationId"],
            "operationTime": at,
            "result": [{"fields": fields, "raw": {"id": number, "properties": fields}}],
        }
        yield {
            "workspace_id": workspace.number,
            "message_id": told["event-id"],
            "arrival": number,
            "timestamp": at,
            "metadata": json.dumps(told),
            "payload": json.dumps(payload),
        }


_CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("identify", {"traits": {"plan": "basic", "visits": 3}}),
    ("page", {"name": "Home", "properties": {"path": "/"}}),
    ("track", {"event": "Order Completed", "properties": {"total": 19.9, "currency": "EUR"}}),
    ("track", {"event": "checkout_started", "properties": {"items": ["a", "b"]}}),
    ("screen", {"name": "Cart", "properties": {}}),
    ("group", {"groupId": "acme", "traits": {"seats": 12}}),
    ("alias", {"previousId": "anonymous"}),
)


def call_rows(workspace: Workspace, span: Span) -> pl.DataFrame:
    """The calls of a span, the types in turn."""
    rows = list(_calls(workspace, span))
    return pl.DataFrame(rows, source_schema(SOURCE_TABLES["calls"]))


def _calls(workspace: Workspace, span: Span) -> Iterator[dict[str, Any]]:
    first = -(-span.start // _EVERY)
    for number in range(first, -(-span.end // _EVERY)):
        at = moment(number * _EVERY)
        kind, own = _CALLS[number % len(_CALLS)]
        call_id = f"call_{key_of(workspace.salt('call'), number):016x}"
        common = {
            "messageId": call_id,
            "type": kind,
            "userId": f"user-{number % 50}",
            "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}.{number % 1000:03}Z",
            "context": {"library": {"name": "analytics.js", "version": "2.11.1"}},
        }
        yield {
            "workspace_id": workspace.number,
            "call_id": call_id,
            "type": kind,
            "received_at": at,
            "payload": json.dumps({**common, **own}),
        }
