"""Whether the dbt project's models are shown: only where CIO_DBT_PROJECT names it.

What needs dagster-dbt is in `models.py`, which is imported for that alone: it takes as long to
import as all the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from cio_pipeline.extras import needs


@dataclass(frozen=True)
class Models:
    """What the definitions have of a warehouse: loading, a dbt project; nothing, without them."""

    assets: tuple[Any, ...] = ()
    jobs: tuple[Any, ...] = ()
    resources: Mapping[str, Any] = field(default_factory=dict[str, Any])
    sensors: tuple[Any, ...] = ()
    schedules: tuple[Any, ...] = ()

    def __add__(self, other: "Models") -> "Models":
        """What both have."""
        return Models(
            self.assets + other.assets,
            self.jobs + other.jobs,
            {**self.resources, **other.resources},
            self.sensors + other.sensors,
            self.schedules + other.schedules,
        )


NO_MODELS = Models()


def warehouse_models(project: Path | None) -> Models:
    """The models of a dbt project as assets; raises InvalidConfig without dagster-dbt."""
    if project is None:
        return NO_MODELS
    needs("dagster_dbt")
    return import_module("cio_pipeline.defs.models").build_models(project)
