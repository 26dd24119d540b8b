"""Logs of runs as JSON lines: a time, a level, a message, and of which run, job and step (O1).

Named by `python_logs` in deploy/dagster.yaml. Of an error that nobody foresaw only the type is
told: its text, and that of a traceback, may hold a row or a key. Our own errors hold neither.
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any

_OURS = ("cio_pipeline.model.errors.", "dagster._core.definitions.events.Failure")


class JsonLines(logging.Formatter):
    """One JSON object a record, in one line."""

    def format(self, record: logging.LogRecord) -> str:
        """`at`, `level`, `logger`, `message`; `run`, `job`, `step`, `event` and `error`, if any."""
        meta: dict[str, Any] = getattr(record, "dagster_meta", None) or {}
        event = meta.get("dagster_event")
        told = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": meta.get("orig_message") or record.getMessage(),
            "run": meta.get("run_id"),
            "job": meta.get("job_name"),
            "step": meta.get("step_key"),
            "event": event.event_type.value if event is not None else None,
            "error": _error(record, event),
        }
        given = {name: value for name, value in told.items() if value is not None}
        return json.dumps(given, ensure_ascii=False)


def _error(record: logging.LogRecord, event: Any) -> str | None:
    """The last cause of what went wrong: one of ours as it is, any other by its type."""
    found = getattr(getattr(event, "event_specific_data", None), "error", None)
    if found is None:
        kind = record.exc_info[0] if record.exc_info else None
        return kind.__name__ if kind is not None else None
    while found.cause is not None:
        found = found.cause
    text = str(found.message).strip()
    return text if text.startswith(_OURS) else found.cls_name
