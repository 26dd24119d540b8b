"""Where Dagster keeps its runs when the command line starts them."""

import os
import re
import shutil
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import QueuePool

from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.settings import settings

_MISTAKEN = re.compile(r"\?|%[0-9A-Fa-f]{2}")
"""What means something else in the URLs that Dagster makes of its folder."""


def use_dagster_home() -> Path:
    """Set DAGSTER_HOME to a folder below CIO_HOME unless it is set, make it, and return it.

    A new folder of ours gets `dagster.yaml`, if the working directory has it. Raises
    InvalidConfig for a folder that Dagster's storage takes for another one.
    """
    given = os.environ.get("DAGSTER_HOME")
    home = Path(given) if given else settings().dagster_home
    if wrong := _MISTAKEN.search(str(home.absolute())):
        raise InvalidConfig(
            f"Dagster cannot keep its runs in a folder with {wrong.group()!r} in its path.",
            "Set DAGSTER_HOME to another folder.",
        )
    home.mkdir(parents=True, exist_ok=True)
    if given:
        return home
    config = home / "dagster.yaml"
    if not config.exists():
        own = Path("dagster.yaml")
        if own.is_file():
            shutil.copyfile(own, config)
        else:
            config.write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(home)
    return home


FILES = 8
"""Of Dagster's files in SQLite, so many are kept open: each run has one of its own."""


@contextmanager
def files_kept_open() -> Generator[None]:
    """Open each of Dagster's SQLite files once, and not for each of the hundreds of a run's events.

    Opening them took a third of a small window's time. Other storages see nothing of it.
    """
    # Dagster takes seconds to import.
    from dagster._core.storage.event_log.sqlite import sqlite_event_log  # noqa: PLC0415
    from dagster._core.storage.runs.sqlite import sqlite_run_storage  # noqa: PLC0415

    opened = _Opened()
    with ExitStack() as stack:
        stack.callback(opened.close)
        for module in (sqlite_event_log, sqlite_run_storage):
            # Another release of Dagster that opens its files in another way is left alone.
            if getattr(module, "create_engine", None) is create_engine:
                stack.callback(setattr, module, "create_engine", create_engine)
                vars(module)["create_engine"] = opened.engine
        yield


class _Opened:
    """Engines by their URLs, the one used last at the end."""

    def __init__(self) -> None:
        self._engines: dict[str, Engine] = {}
        self._lock = Lock()

    def engine(self, url: str, **given: Any) -> Engine:
        """The engine of a file; whoever asks may dispose of it without any effect."""
        with self._lock:
            found = self._engines.pop(url, None)
            if found is None:
                found = create_engine(url, **(given | {"poolclass": QueuePool}))
                found.dispose = _stay
            self._engines[url] = found
            if len(self._engines) > FILES:
                self._close(next(iter(self._engines)))
            return found

    def close(self) -> None:
        """Close all files."""
        for url in tuple(self._engines):
            self._close(url)

    def _close(self, url: str) -> None:
        Engine.dispose(self._engines.pop(url))


def _stay(*_: object, **__: object) -> None:
    """Stay open."""
