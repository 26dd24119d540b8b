"""Reading a sync file (D11) and checking it against the contracts and the other syncs."""

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Annotated, Any, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cio_pipeline.model.destinations import archive_of
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.feeds.makers import MAKERS
from cio_pipeline.pipeline.syncs.mistakes import in_lines

Location: TypeAlias = tuple[str, ...]
"""A destination as parts: equal or enclosing destinations have one as a prefix of the other."""


class SyncFile(BaseModel):
    """The whole file: a list of syncs."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    syncs: Annotated[tuple[Sync, ...], Field(min_length=1)]


class _UniqueKeys(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error, not a silent choice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the base's signature
        keys = Counter(str(key.value) for key, _ in node.value)
        twice = [key for key, count in keys.items() if count > 1]
        if twice:
            raise yaml.MarkedYAMLError(
                problem=f"the key '{twice[0]}' stands twice", problem_mark=node.start_mark
            )
        return super().construct_mapping(node, deep)

    def construct_object(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - the same
        try:
            return super().construct_object(node, deep)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        except ValueError:
            raise yaml.MarkedYAMLError(
                problem="a date or number that cannot be read", problem_mark=node.start_mark
            ) from None


def read_sync_file(text: str) -> tuple[Sync, ...]:
    """The syncs of a YAML text, checked one by one; every mistake is named.

    Raises InvalidConfig.
    """
    try:
        content: Any = yaml.load(text, _UniqueKeys)  # noqa: S506 - derived from SafeLoader
    except yaml.YAMLError as error:
        raise InvalidConfig(f"The sync file is no YAML: {_where(error, text)}.") from error
    except RecursionError:
        raise InvalidConfig(
            "The sync file is nested so deeply that it cannot be read.", "See docs/sync-file.md."
        ) from None
    try:
        syncs = SyncFile.model_validate(content).syncs
    except ValidationError as error:
        raise InvalidConfig(
            in_lines(error, content, _UniqueKeys(text).get_single_node()), "See docs/sync-file.md."
        ) from None
    for sync in syncs:
        check_sync(sync)
    return syncs


def _where(error: yaml.YAMLError, text: str) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem or 'not readable'} in line {error.problem_mark.line + 1}"
    at = getattr(error, "position", 0)
    return f"a character that YAML does not allow in line {text.count(chr(10), 0, at) + 1}"


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
