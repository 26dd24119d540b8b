"""Messages that a connected CRM sends: one every five minutes for each workspace."""

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.demo.chance import key_of
from cio_pipeline.demo.world import MINUTE, Span, Workspace, moment

_EVERY = 5 * MINUTE
_OBJECTS = ("contacts", "companies", "deals")


def message_rows(workspace: Workspace, span: Span) -> pl.DataFrame:
    """The messages of a span, in the order of their arrival."""
    rows = list(_rows(workspace, span))
    return pl.DataFrame(rows, source_schema(SOURCE_TABLES["messages"]))


def _rows(workspace: Workspace, span: Span) -> Iterator[dict[str, Any]]:
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
