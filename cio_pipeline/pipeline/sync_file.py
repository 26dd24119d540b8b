"""Reading a sync file (D11) and checking it against the contracts and the other syncs."""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from cio_pipeline.contracts.catalog import EXPORTS, export, exports_of
from cio_pipeline.files.names import check_stem
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.sync import Sync


class SyncFile(BaseModel):
    """The whole file: a list of syncs."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    syncs: tuple[Sync, ...]


def read_sync_file(text: str) -> tuple[Sync, ...]:
    """The syncs of a YAML text, checked one by one; every mistake is named.

    Raises InvalidConfig.
    """
    try:
        content: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidConfig(f"The sync file is no YAML: {_where(error)}.") from error
    try:
        syncs = SyncFile.model_validate(content).syncs
    except ValidationError as error:
        raise InvalidConfig(_mistakes(error, content), "See docs/sync-file.md.") from None
    for sync in syncs:
        check_sync(sync)
    return syncs


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "not readable"
    return f"{problem} in line {mark.line + 1}" if mark else str(problem)


def _mistakes(error: ValidationError, content: object) -> str:
    """All mistakes, a line each; values are left out since one may be a pasted secret."""
    lines = [
        f"  {_place(item['loc'], content)}: {item['msg']}"
        for item in error.errors(include_input=False, include_url=False, include_context=False)
    ]
    return "\n".join(["The sync file is not valid:", *lines])


def _place(loc: Sequence[int | str], content: object) -> str:
    named = [str(part) for part in loc]
    if len(loc) > 1 and loc[0] == "syncs" and isinstance(content, dict):
        try:
            named[:2] = [f"sync '{content['syncs'][loc[1]]['id']}'"]
        except (KeyError, TypeError, IndexError):
            named[:2] = [f"sync number {int(loc[1]) + 1}"]
    return ", ".join(named) or "file"


def check_sync(sync: Sync) -> None:
    """Check exports and stems against the contract; raises InvalidConfig or UnknownExport."""
    names = exports_of_sync(sync)
    unknown = sorted(set(sync.stems) - set(EXPORTS))
    if unknown:
        raise InvalidConfig(
            f"Sync '{sync.id}' names stems of unknown exports: {', '.join(unknown)}.",
            f"Known are {', '.join(EXPORTS)}.",
        )
    stems = {name: sync.stems.get(name, EXPORTS[name].stem) for name in names}
    for stem in stems.values():
        check_stem(stem)
    for one, other in combinations(stems, 2):
        if stems[one] == stems[other]:
            raise InvalidConfig(
                f"Sync '{sync.id}': {one} and {other} have the same stem '{stems[one]}'.",
                "Give each export a stem of its own.",
            )


def exports_of_sync(sync: Sync) -> tuple[str, ...]:
    """The exports that a sync names, in the catalog's order, with those that come together.

    Raises UnknownExport for a name that its version does not have.
    """
    known = exports_of(sync.version)
    if sync.exports == "all":
        return tuple(one.name for one in known)
    named = {export(name, sync.version).name for name in sync.exports}
    together = {one.together for one in known if one.name in named} - {None}
    return tuple(one.name for one in known if one.name in named or one.together in together)


def check_together(syncs: Iterable[Sync], overlaps: Callable[[Sync, Sync], bool]) -> None:
    """Check that ids are unique and that no destination lies in another (D8, D11).

    Raises InvalidConfig that names the two syncs.
    """
    for one, other in combinations(list(syncs), 2):
        if one.id == other.id:
            raise InvalidConfig(f"Two syncs have the id '{one.id}'.", "Rename one of them.")
        if overlaps(one, other):
            raise InvalidConfig(
                f"The destinations of '{one.id}' and '{other.id}' are equal or one lies within "
                "the other.",
                "Give each sync a path of its own.",
            )
