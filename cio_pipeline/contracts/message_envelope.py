"""The messages feed as its seed declares it: metadata, template context, samples (M1, M2)."""

OVERWRITING = frozenset({"messages"})
"""The exports whose objects may replace one another (M4)."""

METADATA = (
    "projectId",
    "installationId",
    "connectionId",
    "destinationId",
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
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "date",
    "datetime",
    "unix",
    "rfc3339",
    "rfc3339_nano",
)
"""What a key template can say of the message's timestamp."""

NAMESPACES = ("metadata", "time", "data")
"""The roots of a key template."""

DEFAULT_KEY_TEMPLATE = "join('', [metadata.timestamp, '_', metadata.\"event-id\", '.json'])"

_IDS = {
    "projectId": "9482e676-4874-43a4-beea-fa8081d13a07",
    "installationId": "085353b1-07f1-4209-b471-7e028c0a68c8",
}
_MESSAGE = {
    **_IDS,
    "connectionId": "76db06b2-e546-5884-2abd-75acc4e2fc22",
    "destinationId": "0b43c25c-cf23-40e2-3492-d4d3141479dc",
    "event-id": "0199e0a8-149d-7ee9-9f50-0514403517f9",
    "timestamp": "2025-10-14T02:58:59.323405308Z",
}

SAMPLES = {
    "read": (
        {
            **_MESSAGE,
            "operationId": "0199e0a8-149d-7ee9-9f50-0514403517f9",
            "objectName": "contacts",
            "topic": "read.triggered",
        },
        (
            '{"action":"read","projectId":"9482e676-4874-43a4-beea-fa8081d13a07",'
            '"provider":"hubspot","groupRef":"group-id-1","groupName":"group-name-1",'
            '"consumerRef":"user-id","consumerName":"user-name",'
            '"installationId":"085353b1-07f1-4209-b471-7e028c0a68c8",'
            '"installationUpdateTime":"2025-10-14T02:58:55.595861Z","objectName":"contacts",'
            '"operationId":"0199e0a8-149d-7ee9-9f50-0514403517f9",'
            '"operationTime":"2025-10-14T02:58:59.323405308Z","result":[{"fields":{"id":"438",'
            '"firstname":"Maria"},"raw":{"archived":false,"id":"438"}}]}'
        ),
    ),
    "subscribe": (
        {**_MESSAGE, "objectName": "company", "topic": "subscribe.triggered"},
        (
            '{"action":"subscribe","projectId":"9482e676-4874-43a4-beea-fa8081d13a07",'
            '"provider":"salesforce","groupRef":"group-id-1","groupName":"group-name-1",'
            '"consumerRef":"user-id","consumerName":"user-name",'
            '"installationId":"085353b1-07f1-4209-b471-7e028c0a68c8",'
            '"installationUpdateTime":"2025-04-10T23:00:52.618406Z","objectName":"company",'
            '"operationTime":"2025-04-10T23:22:25.000Z","result":[{"fields":{"id":"001Dp0"},'
            '"subscribeEventType":"update","providerEventType":"UPDATE","raw":{"Id":"001Dp0"},'
            '"rawEvent":{"ChangeEventHeader":{"commitNumber":12041091891110}}}]}'
        ),
    ),
}
"""A message of each kind, as the seed shows them: metadata, and the payload's JSON text.

Subscribe messages have no operation id.
"""
