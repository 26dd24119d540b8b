"""`cio-pipeline sync upgrade --preview`: what an upgrade changes for readers, before it is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer
import yaml

from cio_pipeline.cli.output import CONSOLE, print_json, print_table
from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.differences import Difference, differences
from cio_pipeline.contracts.feeds import exports_of_sync, stem_of
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.sync import Sync
from cio_pipeline.reader.sql import DialectName
from cio_pipeline.reader.sql.dialects import DIALECTS
from cio_pipeline.reader.sql.relations import relations_of
from cio_pipeline.reader.sql.upgrade import altered


@dataclass(frozen=True)
class Preview:
    """All that a team wants to know first.

    `names`: export, and the patterns of its files before and after. `beside` is a second sync that
    sends the new version next to the old one.
    """

    differences: tuple[Difference, ...]
    names: tuple[tuple[str, str, str], ...]
    statements: tuple[str, ...]
    beside: Mapping[str, Any]


def preview(sync: Sync, newest: int, dialect: DialectName | None, schema: str) -> Preview:
    """What changes for the readers of a sync; InvalidConfig if it has the newest version."""
    if sync.version >= newest:
        raise InvalidConfig(f"Sync '{sync.id}' has the newest version, v{newest}, already.")
    upgraded = sync.model_copy(update={"version": newest})
    wanted = exports_of_sync(upgraded)
    shared = [name for name in exports_of_sync(sync) if name in wanted]
    stems = {name: stem_of(sync, EXPORTS[name]) for name in wanted}
    statements = (
        altered(
            relations_of(sync.feed, sync.version, stems, shared),
            relations_of(sync.feed, newest, stems, wanted),
            schema,
            DIALECTS[dialect],
        )
        if dialect
        else ()
    )
    return Preview(
        tuple(one for one in differences(sync.version, newest) if one.export in wanted),
        tuple(
            (one, f"{stems[one]}_v{sync.version}_*", f"{stems[one]}_v{newest}_*") for one in shared
        ),
        tuple(statements),
        _beside(upgraded),
    )


def _beside(sync: Sync) -> Mapping[str, Any]:
    """A sync of its own id and folder, so that numbers and files do not meet."""
    told = sync.model_dump(mode="json", exclude_defaults=True)
    place = {"type": sync.destination.type, **told["destination"]}
    # Below the other's folder it would be refused: this one lies beside it.
    path = f"{place['path']}-v{sync.version}" if place.get("path") else _ELSEWHERE
    told |= {"id": f"{sync.id}-v{sync.version}", "version": sync.version}
    return told | {"destination": {**place, "path": path}}


_ELSEWHERE = "a-path-in-another-bucket"
"""What fills a whole bucket leaves no room beside it."""


def show(found: Preview, sync: Sync, *, dialect: DialectName | None, as_json: bool) -> None:
    """Print a preview."""
    if as_json:
        print_json(found)
        return
    _differences(found.differences)
    print_table("Names of files", ("export", "before", "after"), found.names)
    if dialect:
        CONSOLE.print(f"\nBefore the first new file, in {dialect}:")
        typer.echo(
            "\n".join(one if one.startswith("--") else f"{one};" for one in found.statements)
        )
        CONSOLE.print("Loads and new tables: `cio-pipeline warehouse sql --version 5`.")
    else:
        CONSOLE.print("\nWhat to run in your tables first: the same with --dialect.")
    CONSOLE.print("\nTo run both side by side, apply this beside it:")
    typer.echo(yaml.safe_dump({"syncs": [dict(found.beside)]}, sort_keys=False).rstrip())
    CONSOLE.print(
        f"\nLoad it into tables of its own. Once `cio-pipeline status` names no first export of "
        f"{found.beside['id']} any more, `cio-pipeline verify --sync {found.beside['id']}` finds "
        f"it whole and your reports agree, run `cio-pipeline sync disable {sync.id}`. "
        f"Or upgrade in place: `cio-pipeline sync upgrade {sync.id}`."
    )


def _differences(found: Sequence[Difference]) -> None:
    columns = ("export", "column", "what", "before", "after")
    rows = [(one.export, one.column, one.what, one.before, one.after) for one in found]
    print_table("What changes for readers", columns, rows)
