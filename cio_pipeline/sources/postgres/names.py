"""How the tables and columns of a database are called: what a file says, else our own names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.model.errors import InvalidConfig

_DOCS = "See docs/postgres.md."


class Named(BaseModel):
    """One table: where it is, and the columns that are called otherwise than ours.

    A number in place of a column's name is the value of all rows (`workspace_id: 1`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    schema_: Annotated[str | None, Field(alias="schema", min_length=1)] = None
    table: Annotated[str | None, Field(min_length=1)] = None
    columns: Mapping[str, Annotated[str, Field(min_length=1)] | int] = {}


class Names(BaseModel):
    """The whole file.

    `timelines` are those that went on from the one before without a loss: positions from before
    such a failover stay good.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    schema_: Annotated[str, Field(alias="schema", min_length=1)] = "public"
    tables: Mapping[str, Named] = {}
    timelines: frozenset[int] = frozenset()

    def place(self, table: SourceTable) -> tuple[str, str]:
        """Schema and name of the relation that stands for a table."""
        named = self.tables.get(table.name, Named())
        return named.schema_ or self.schema_, named.table or table.name

    def column(self, table: SourceTable, column: str) -> str | int:
        """What a column is called, or its value."""
        return self.tables.get(table.name, Named()).columns.get(column, column)

    def first_timeline(self, timeline: int) -> int:
        """The timeline that this one is the unbroken continuation of."""
        while timeline in self.timelines:
            timeline -= 1
        return timeline


def read_names(path: Path, tables: Mapping[str, SourceTable]) -> Names:
    """The names in a YAML file. Raises InvalidConfig for what it cannot mean."""
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        names = Names.model_validate({} if content is None else content)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "that is no UTF-8 text"
        raise InvalidConfig(
            f"The names of the source's tables cannot be read: {why}.",
            "Correct CIO_SOURCE_NAMES.",
        ) from error
    except yaml.YAMLError as error:
        raise InvalidConfig("The file of CIO_SOURCE_NAMES is no YAML.", _DOCS) from error
    except ValidationError as error:
        places = sorted({".".join(map(str, one["loc"])) for one in error.errors()})
        raise InvalidConfig(
            f"The file of CIO_SOURCE_NAMES says something else than it may at {', '.join(places)}.",
            _DOCS,
        ) from None
    _require_known(names, tables)
    return names


def _require_known(names: Names, tables: Mapping[str, SourceTable]) -> None:
    for name, named in names.tables.items():
        if name not in tables:
            raise InvalidConfig(
                f"CIO_SOURCE_NAMES names a table {name} that is not read.",
                f"The tables are {', '.join(tables)}.",
            )
        ours = {column.name for column in tables[name].columns}
        odd = sorted(named.columns.keys() - ours)
        if odd:
            raise InvalidConfig(
                f"CIO_SOURCE_NAMES names columns of {name} that it does not have: "
                f"{', '.join(odd)}.",
                f"Its columns are {', '.join(sorted(ours))}.",
            )
