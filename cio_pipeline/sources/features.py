"""Which features of Delta tables can be read; others are refused by name, before the first file."""

import json
from typing import Any, cast

from deltalake import DeltaTable

from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.sources.errors import unknown_feature

_WIDENING = ("typeWidening", "typeWidening-preview")
_READ = {
    "columnMapping",  # by name or id it is refused below, the feature alone changes nothing
    "deletionVectors",
    "timestampNtz",
    "v2Checkpoint",
    "vacuumProtocolCheck",
    *_WIDENING,
}
_INTEGERS = {"byte", "short", "integer", "long"}


def require_readable(found: DeltaTable, table: SourceTable) -> None:
    """Raise SourceError, which names what a table needs of its readers and cannot be read."""
    features = found.protocol().reader_features or []
    unread = [name for name in features if name not in _READ]
    mode = found.metadata().configuration.get("delta.columnMapping.mode", "none")
    if mode != "none":
        unread.append(f"columnMapping ({mode})")
    widened = _widened(found, table)
    if widened:
        unread.append(f"typeWidening (of {', '.join(widened)})")
    if unread:
        raise unknown_feature(table.name, ", ".join(unread))


def _widened(found: DeltaTable, table: SourceTable) -> list[str]:
    """The declared columns that were of another type than an integer before they were widened."""
    declared = {column.name for column in table.columns}
    fields = json.loads(found.schema().to_json())["fields"]
    return [
        field["name"]
        for field in cast("list[dict[str, Any]]", fields)
        if field["name"] in declared
        and any(
            change.get("fromType") not in _INTEGERS
            for change in field["metadata"].get("delta.typeChanges", [])
        )
    ]
