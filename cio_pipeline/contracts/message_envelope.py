"""The messages feed as its seed declares it: metadata, template context, samples (M1, M2)."""

import json

_WHOSE = ("projectId", "installationId", "connectionId", "destinationId")
"""Entries that say whose a message is and where it goes."""

METADATA = (
    *_WHOSE,
    "operationId",
    "objectName",
    "event-id",
    "timestamp",
    "topic",
)
"""The entries that a message carries, and its object with it; absent ones are left out."""

EVENT_ID = "event-id"
TIMESTAMP = "timestamp"

TIME = (
    *("rfc3339", "rfc3339_nano", "unix", "datetime", "date"),
    *("year", "month", "day", "hour", "minute", "second"),
)
"""What a key template can say of the message's timestamp."""

NAMESPACES = ("metadata", "time", "data")
"""The roots of a key template."""

DEFAULT_KEY_TEMPLATE = "join('', [metadata.timestamp, '_', metadata.\"event-id\", '.json'])"

_PROJECT, _INSTALLATION = (
    "11f0c8de-6a52-4f0e-9d37-2f6f9a3c5b10",
    "7c1d9a44-0b8e-4c6f-8f52-d3e0a1b2c3d4",
)
_MESSAGE = {
    "projectId": _PROJECT,
    "installationId": _INSTALLATION,
    "connectionId": "5a0e7f12-93bc-5d41-a6f8-08c4e2d6b913",
    "destinationId": "e4b7d2c0-1f36-4a98-b05d-6c7a8f9e0d21",
    "event-id": "01985b1c-7d2e-7a40-8c11-5e9f03b6a274",
    "timestamp": "2026-03-08T09:07:05.040302010Z",
}


def _payload(action: str, provider: str, **rest: object) -> str:
    """JSON text of a payload: who asked for it, then what happened."""
    asked = {
        "action": action,
        "projectId": _PROJECT,
        "provider": provider,
        "groupRef": "northwind",
        "groupName": "Northwind",
        "consumerRef": "user-17",
        "consumerName": "Ada",
        "installationId": _INSTALLATION,
        "installationUpdateTime": "2026-03-01T00:00:00Z",
    }
    return json.dumps(asked | rest, separators=(",", ":"))


SAMPLES = {
    "read": (
        _MESSAGE
        | {
            "operationId": _MESSAGE["event-id"],
            "objectName": "invoices",
            "topic": "read.triggered",
        },
        _payload(
            "read",
            "stripe",
            objectName="invoices",
            operationId=_MESSAGE["event-id"],
            operationTime=_MESSAGE["timestamp"],
            result=[{"fields": {"id": "17"}, "raw": {"id": "17", "paid": True}}],
        ),
    ),
    "subscribe": (
        _MESSAGE | {"objectName": "deal", "topic": "subscribe.triggered"},
        _payload(
            "subscribe",
            "pipedrive",
            objectName="deal",
            operationTime="2026-03-08T09:07:05Z",
            result=[
                {
                    "fields": {"id": "D-9"},
                    "subscribeEventType": "update",
                    "providerEventType": "updated",
                    "raw": {"id": "D-9"},
                    "rawEvent": {"meta": {"attempt": 1}},
                }
            ],
        ),
    ),
}
"""A message of each kind, in the shape that the seed shows: metadata, and the payload's JSON text.

Subscribe messages have no operation id.
"""
