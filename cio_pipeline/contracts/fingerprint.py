"""A short digest of what a reader of the files depends on."""

import hashlib
import json

from cio_pipeline.contracts.declare import Export

_LENGTH = 16


def fingerprint(export: Export, version: int, timestamp_unit: str = "us") -> str:
    """16 hex digits that change exactly when a file's schema or keys do (D2, D10).

    Covers names, order, types, nullability, timestamp unit, row key and entity key; not titles,
    descriptions, notes or references.
    """
    content = {
        "export": export.name,
        "version": version,
        "timestamp_unit": timestamp_unit,
        "columns": [
            [column.name, column.type.value, column.required]
            for column in export.columns_of(version)
        ],
        "row_key": list(export.row_key),
        "entity_key": list(export.entity_key),
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:_LENGTH]
