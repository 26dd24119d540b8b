"""Libraries that not every installation has: what needs one says how to get it."""

from importlib import import_module
from typing import Any

from cio_pipeline.model.errors import InvalidConfig

EXTRA_OF = {
    **dict.fromkeys(("apprise", "prometheus_client", "textual"), "operations"),
    **dict.fromkeys(
        (
            "altair",
            "customerio",
            "dagster_dbt",
            "duckdb",
            "phonenumbers",
            "sqlglot",
            "vl_convert",
        ),
        "warehouse",
    ),
}
"""The extra of the package that brings a library."""


def needs(library: str) -> Any:
    """A library's module; raises InvalidConfig with the line that installs it."""
    return imported(library)


def imported(module: str) -> Any:
    """A module; raises InvalidConfig if a library of an extra that it imports is not there."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in EXTRA_OF:
            raise
        raise InvalidConfig(
            f"This needs the library {library}, which is not installed.",
            f"pip install 'cio-pipeline[{EXTRA_OF[library]}]' -c constraints.txt",
        ) from None
