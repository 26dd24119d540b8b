"""Where Dagster keeps its runs when the command line starts them."""

import os
import re
import shutil
from pathlib import Path

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
