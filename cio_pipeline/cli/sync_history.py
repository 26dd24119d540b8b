"""The history of a sync: who did what to it, and when."""

from collections.abc import Sequence

from cio_pipeline.cli.context import services
from cio_pipeline.cli.output import print_json, print_table, told
from cio_pipeline.cli.parameters import AsJson, SyncId
from cio_pipeline.model.history import HistoryLine


def history(sync_id: SyncId, as_json: AsJson = False) -> None:
    """Show who did what to a sync, and when."""
    found = services()
    found.ledger.registry.get(sync_id)
    entries = found.ledger.registry.history(sync_id)
    if as_json:
        print_json(entries)
        return
    print_history(sync_id, entries)


def print_history(sync_id: str, entries: Sequence[HistoryLine]) -> None:
    """A line per change, oldest first."""
    rows = [(f"{e.at:%Y-%m-%d %H:%M:%S}", e.who, e.what, _from_to(e)) for e in entries]
    print_table(f"History of {sync_id}", ("at (UTC)", "who", "what", "from → to"), rows)


def _from_to(entry: HistoryLine) -> str:
    if not entry.before:
        return "registered" if entry.after else ""
    return "; ".join(
        f"{name}: {_value(entry.before.get(name))} → {_value(value)}"
        for name, value in entry.after.items()
    )


def _value(value: object) -> str:
    return told(value) or "none"
