"""Reading a sync file (D11) and checking it against the contracts and the other syncs."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cio_pipeline.conforming.agreeing import Place
from cio_pipeline.model.destinations import archive_of
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.feeds.makers import MAKERS
from cio_pipeline.pipeline.syncs.contract_file import read_contract, require_agreement
from cio_pipeline.pipeline.syncs.mistakes import in_lines
from cio_pipeline.pipeline.syncs.yaml_text import YamlText, read_yaml

Location: TypeAlias = tuple[str, ...]
"""A destination as parts: equal or enclosing destinations have one as a prefix of the other."""


class SyncFile(BaseModel):
    """The whole file: a list of syncs."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    syncs: Annotated[tuple[Sync, ...], Field(min_length=1)]


ReadText: TypeAlias = Callable[[str], str]
"""Reads a file that a sync file names."""


def no_files(name: str) -> str:
    """Where a sync file has nothing beside it."""
    raise InvalidConfig(f"The data contract {name} that a sync names cannot be read here.")


def read_sync_file(text: str, beside: ReadText = no_files) -> tuple[Sync, ...]:
    """The syncs of a YAML text, checked one by one; every mistake is named.

    Data contracts that it names are read from `beside` it, and become part of their syncs. Raises
    InvalidConfig, also for a contract that cannot hold.
    """
    file = read_yaml(text, "sync file", "write `syncs:`, and a list of syncs below it")
    named = _named(file.content, beside)
    content = _taken_in(file.content, named)
    try:
        syncs = SyncFile.model_validate(content).syncs
    except ValidationError as error:
        raise InvalidConfig(in_lines(error, file), "See docs/sync-file.md.") from None
    for number, sync in enumerate(syncs):
        check_sync(sync)
        if sync.contract is not None:
            where = (named[number], ()) if number in named else (file, _inline(number))
            require_agreement(sync.contract, sync, *where)
    return syncs


def _inline(number: int) -> Place:
    return "syncs", number, "contract"


def _named(content: Any, beside: ReadText) -> dict[int, YamlText]:
    """The data contracts that syncs name, by the sync's place; each file is read once."""
    names = {number: name for number, name in _names(content) if isinstance(name, str)}
    files = {name: read_contract(beside(name), name)[1] for name in dict.fromkeys(names.values())}
    return {number: files[name] for number, name in names.items()}


def _names(content: Any) -> Iterator[tuple[int, Any]]:
    """What stands at `contract` of each sync; the content may be anything."""
    try:
        yield from enumerate(sync.get("contract") for sync in content["syncs"])
    except (TypeError, KeyError, AttributeError):
        return


def _taken_in(content: Any, contracts: Mapping[int, YamlText]) -> Any:
    """The content with what the named contracts hold in place of their names."""
    if not contracts:
        return content
    syncs = [
        {**sync, "contract": contracts[number].content} if number in contracts else sync
        for number, sync in enumerate(content["syncs"])
    ]
    return {**content, "syncs": syncs}


def check_sync(sync: Sync) -> tuple[str, ...]:
    """Check a sync against the contract of its feed: warnings.

    Raises InvalidConfig or UnknownExport.
    """
    return MAKERS[sync.feed].check_sync(sync)


def told_of_archive(sync: Sync) -> tuple[str, ...]:
    """What a sync cannot do whose files lie in an archive class (M3); nothing for any other."""
    name = archive_of(sync.destination)
    if name is None:
        return ()
    told = (
        f"its files lie in {name}: readers have to restore each in the bucket before they can load "
        "it, `verify` proves names and sizes but reads no bytes, `export --restore` puts back what "
        "is missing but cannot tell what was altered; manifests stay readable"
    )
    if sync.feed.facts.overwrites and sync.destination.type == "azure":
        return told, "a message whose key lies there already cannot replace it: it stops the sync"
    return (told,)


def check_together(syncs: Iterable[Sync], located: Callable[[Sync], Location]) -> None:
    """Check that ids are unique and that no destination lies in another (D8, D11).

    Raises InvalidConfig that names the two syncs.
    """
    placed = sorted(((located(sync), sync.id) for sync in syncs), key=lambda place: place)
    twice = [sync_id for sync_id, count in Counter(one for _, one in placed).items() if count > 1]
    if twice:
        raise InvalidConfig(f"Two syncs have the id '{twice[0]}'.", "Rename one of them.")
    # Sorted by its parts, whatever lies within a folder follows it at once.
    for (outer, one), (inner, other) in pairwise(placed):
        if inner[: len(outer)] == outer:
            raise InvalidConfig(
                f"The destinations of '{one}' and '{other}' are equal or one lies within the "
                "other.",
                "Give each sync a path of its own.",
            )
