"""The project on a clock that a file gives: code server and runs of a fault day load it."""

import os
from datetime import datetime
from pathlib import Path

from cio_pipeline import wiring

CLOCK = "MADE_CLOCK"


def _now() -> datetime:
    return datetime.fromisoformat(Path(os.environ[CLOCK]).read_text(encoding="utf-8"))


if CLOCK in os.environ:
    wiring.now = _now

from cio_pipeline.definitions import defs  # noqa: E402 - it takes the clock at its import

__all__ = ["defs"]
