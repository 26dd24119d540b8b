"""Dagster's files in SQLite: each is opened once, not for each of the hundreds of a run's events.

Opening them, and making SQLAlchemy's statements anew for each, took a third of a small window's
time. Neither is the disk waited for with each event: these files have a write-ahead log, so that a
loss of power takes the last events at most, and no position. Other storages see nothing of it.
"""

import atexit
import os
from threading import Lock
from typing import Any

from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import QueuePool

FILES = 8
"""So many are kept open: each run has one of its own."""

_PREFIX = "sqlite:///"


class Opened:
    """Engines by their URLs and the files that these lead to, the one used last at the end."""

    def __init__(self) -> None:
        self._engines: dict[tuple[str, int], Engine] = {}
        self._lock = Lock()

    def engine(self, url: str, **given: Any) -> Engine:
        """The engine of a file; whoever asks may dispose of it without any effect."""
        try:
            key = (url, os.stat(url.removeprefix(_PREFIX)).st_ino)  # noqa: PTH116 - for each event
        except OSError:
            return create_engine(url, **given)  # It makes the file, which is another one then.
        with self._lock:
            found = self._engines.pop(key, None)
            if found is None:
                # However many threads ask: of theirs, too, each had a connection of its own.
                pool = {"poolclass": QueuePool, "max_overflow": -1}
                found = create_engine(url, **(given | pool))
                found.dispose = _stay
                event.listen(found, "connect", _await_no_disk)
            self._engines[key] = found
            if len(self._engines) > FILES:
                self._close(next(iter(self._engines)))
            return found

    def close(self) -> None:
        """Close all files."""
        for key in tuple(self._engines):
            self._close(key)

    def _close(self, key: tuple[str, int]) -> None:
        Engine.dispose(self._engines.pop(key))


def _await_no_disk(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")


def _stay(*_: object, **__: object) -> None:
    """Stay open."""


_OPENED = Opened()


def keep_open() -> None:
    """From now on, until this process ends."""
    for module in (sqlite_event_log, sqlite_run_storage):
        # Another release of Dagster that opens its files in another way is left alone.
        if getattr(module, "create_engine", None) is create_engine:
            vars(module)["create_engine"] = _OPENED.engine
            atexit.register(_OPENED.close)
