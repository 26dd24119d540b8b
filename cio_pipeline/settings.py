"""Settings of the command line and of Dagster, from `CIO_*` variables with good defaults."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.windows import hour_of, parse_time

LEAST_SPOOL = 2 * 1024**3
"""Files are encoded while half of it is free, and those of a slice must fit in there."""


@dataclass(frozen=True)
class Settings:
    """Where state and source are.

    `home` (CIO_HOME) holds ledger, spool, Dagster's own state and the demo's data. `source`
    (CIO_SOURCE) is `delta:<uri>`, `ledger` (CIO_LEDGER) an SQLAlchemy URL. The ledger keeps what
    ended within `keep_days` (CIO_KEEP_DAYS), Dagster its runs for `keep_run_days`
    (CIO_KEEP_RUN_DAYS). Windows are served in so many `shards` (CIO_SHARDS).
    Partitions begin with the hour of the first sync, or with that of `first_window`
    (CIO_FIRST_WINDOW). All runs of a machine spool at most `spool_bytes` (CIO_SPOOL_BYTES; None:
    what the disk has). `alerts` (CIO_ALERTS) says who is told of what is wrong. The models of
    `dbt_project` (CIO_DBT_PROJECT) are shown in Dagster, which loads `warehouse` (CIO_WAREHOUSE), a
    DuckDB file, after each manifest. `storage_options` are the AWS_* and
    AZURE_* variables, for a source in a cloud store.
    """

    home: Path
    source: str = field(repr=False)
    ledger: str = field(repr=False)
    keep_days: int = 30
    keep_run_days: int = 90
    shards: int = 1
    first_window: datetime | None = None
    spool_bytes: int | None = None
    storage_options: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)
    source_password: str | None = None
    source_names: Path | None = None
    alerts: Path | None = None
    dbt_project: Path | None = None
    warehouse: Path | None = None

    @property
    def spool(self) -> Path:
        """Where files are encoded before they are delivered."""
        return self.home / "spool"

    @property
    def proven(self) -> Path:
        """Where `verify` keeps what it proved of each sync."""
        return self.home / "proven"

    @property
    def ledger_seen(self) -> Path:
        """The file that remembers which ledger was used, and how far it had come."""
        return self.home / "ledger.seen"

    @property
    def dagster_home(self) -> Path:
        """Where Dagster keeps its runs unless DAGSTER_HOME says otherwise."""
        return self.home / "dagster"


def settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of an environment.

    Raises InvalidConfig for a home that is no folder, and for numbers that are none.
    """
    home = Path(environment.get("CIO_HOME") or ".cio").absolute()
    if home.exists() and not home.is_dir():
        raise InvalidConfig("CIO_HOME is not a folder.", "Point it to a folder.")
    return Settings(
        home=home,
        source=environment.get("CIO_SOURCE") or f"delta:{home / 'source'}",
        ledger=environment.get("CIO_LEDGER") or f"sqlite:///{quote(str(home / 'ledger.db'))}",
        keep_days=_whole("CIO_KEEP_DAYS", environment.get("CIO_KEEP_DAYS") or "30", 99_999),
        keep_run_days=_whole(
            "CIO_KEEP_RUN_DAYS", environment.get("CIO_KEEP_RUN_DAYS") or "90", 99_999
        ),
        spool_bytes=_bytes(environment.get("CIO_SPOOL_BYTES")),
        shards=_whole("CIO_SHARDS", environment.get("CIO_SHARDS") or "1", 999),
        first_window=_hour(environment.get("CIO_FIRST_WINDOW")),
        storage_options={
            name: value
            for name, value in environment.items()
            if name.startswith(("AWS_", "AZURE_"))
        },
        source_password=_reference(environment.get("CIO_SOURCE_PASSWORD") or None),
        source_names=_path(environment.get("CIO_SOURCE_NAMES")),
        alerts=_path(environment.get("CIO_ALERTS")),
        dbt_project=_path(environment.get("CIO_DBT_PROJECT")),
        warehouse=_path(environment.get("CIO_WAREHOUSE")),
    )


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _hour(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        return hour_of(parse_time(text))
    except InvalidConfig as error:
        raise InvalidConfig(f"CIO_FIRST_WINDOW: {error.message}", error.next_step) from None


def _bytes(text: str | None) -> int | None:
    if not text:
        return None
    found = _whole("CIO_SPOOL_BYTES", text, 2**60)
    if found < LEAST_SPOOL:
        raise InvalidConfig(
            "CIO_SPOOL_BYTES is less than the files of one slice may take.",
            f"Give it {LEAST_SPOOL:,} bytes at least, or leave it out.",
        )
    return found


def _whole(name: str, text: str, most: int) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,18}", text) or int(text) > most:
        raise InvalidConfig(f"{name} is no number.", f"Use a whole one from 1 to {most:,}.")
    return int(text)


def _reference(text: str | None) -> str | None:
    if text is not None and not text.startswith(("env:", "file:/")):
        raise InvalidConfig(
            "CIO_SOURCE_PASSWORD is no reference.",
            "Put the password into a variable or a file, and write env:NAME or file:/path.",
        )
    return text
