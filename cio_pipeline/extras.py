"""Libraries that not every installation has: what needs one says how to get it."""

from importlib import import_module
from typing import Any

from cio_pipeline.model.errors import InvalidConfig

EXTRA_OF = {
    **dict.fromkeys(("apprise", "prometheus_client", "textual"), "operations"),
    **dict.fromkeys(("dagster_dbt", "duckdb", "phonenumbers"), "warehouse"),
}
"""The extra of the package that brings a library."""


def needs(library: str) -> Any:
    """A library's module; raises InvalidConfig with the line that installs it."""
    top = library.partition(".")[0]
    try:
        return import_module(library)
    except ModuleNotFoundError as error:
        if error.name != top:
            raise
        raise InvalidConfig(
            f"This needs the library {top}, which is not installed.",
            f"pip install 'cio-pipeline[{EXTRA_OF[top]}]' -c constraints.txt",
        ) from None
