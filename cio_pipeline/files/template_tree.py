"""What a compiled key template reads and how much it can make of it, from its syntax tree."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, TypeAlias

Node: TypeAlias = dict[str, Any]
"""A node of jmespath's tree: `type`, `children`, and often `value`."""

Path: TypeAlias = tuple[str, ...]
"""A place in the context, `()` being the whole: `("metadata", "objectName")`."""

ALL = "@"
"""Stands for the whole context, where a template reads it unnamed."""

_Value: TypeAlias = "Path | Mapping[str, _Value] | None"
"""What a node gives: a place, an object made of such, or anything else."""

_CHAINS = frozenset({"subexpression", "pipe", "index_expression"})
"""Each child of these looks at what the one before it gives."""

_PROJECTIONS = frozenset({"projection", "value_projection", "filter_projection", "flatten"})
"""Only the first child of these looks at what the node itself looks at."""


def children(node: Node) -> list[Node]:
    """The nodes right below one; those of a slice are its numbers, and none."""
    return [child for child in node["children"] if isinstance(child, dict)]


def nodes(node: Node) -> Iterator[Node]:
    """A node and all that are below it."""
    yield node
    for child in children(node):
        yield from nodes(child)


def calls(tree: Node) -> Iterator[tuple[str, int]]:
    """The functions that are called, in any branch, each with its number of arguments."""
    for node in nodes(tree):
        if node["type"] == "function_expression":
            yield node["value"], len(node["children"])


def paths(tree: Node) -> Sequence[Path]:
    """What is read from the context: `("metadata", "objectName")`, or `(ALL,)`.

    A place is followed as far as the tree alone tells: not into lists and functions.
    """
    reading = _Reading()
    reading.used([reading.value(tree, ())])
    return reading.found


_TWO = 2


def joined(tree: Node) -> tuple[str, Sequence[str | Path]] | None:
    """Separator and parts of a template that joins texts and fields of the context, as most do.

    A part is a text, or the path of a field right below a name of the context. None for others.
    """
    if (tree["type"], tree.get("value"), len(tree["children"])) != (
        "function_expression",
        "join",
        2,
    ):
        return None
    separator, parts = children(tree)
    if not _is_text(separator) or parts["type"] != "multi_select_list":
        return None
    found: list[str | Path] = []
    for one in children(parts):
        part = one["value"] if _is_text(one) else _field_of(one)
        if part is None:
            return None
        found.append(part)
    return separator["value"], found


def _is_text(node: Node) -> bool:
    return node["type"] == "literal" and isinstance(node["value"], str)


def _field_of(node: Node) -> Path | None:
    below = children(node)
    if node["type"] != "subexpression" or [one["type"] for one in below] != ["field", "field"]:
        return None
    return tuple(one["value"] for one in below)


class _Reading:
    """Follows what a template reads, through pipes and objects that it makes."""

    def __init__(self) -> None:
        self.found: list[Path] = []

    def value(self, node: Node, seen: _Value) -> _Value:
        """What a node gives that looks at `seen`; what it reads of the context is noted."""
        kind, below = node["type"], children(node)
        if kind == "field":
            return self._field(node["value"], seen)
        if kind in {"current", "identity"}:
            return seen
        if kind in _CHAINS:
            for child in below:
                seen = self.value(child, seen)
            return seen
        if kind == "multi_select_dict":
            return {one["value"]: self.value(children(one)[0], seen) for one in below}
        if kind in _PROJECTIONS:
            below = below[:1]
        self.used(self.value(child, seen) for child in below if child["type"] != "expref")
        return None

    def used(self, values: Iterable[_Value]) -> None:
        """Note what goes where it is not followed: there, all of it may be read."""
        for value in values:
            if isinstance(value, Mapping):
                self.used(value.values())
            elif value == ():
                self.found.append((ALL,))

    def _field(self, name: str, seen: _Value) -> _Value:
        if isinstance(seen, Mapping):
            return seen.get(name)
        if seen is None:
            return None
        self.found.append((*seen, name))
        return self.found[-1]


def fan_out(node: Node) -> int:
    """How many times over a result can hold what is read: each list of a chain multiplies."""
    below = children(node)
    grown = [fan_out(child) for child in below]
    if node["type"] in {"multi_select_list", "multi_select_dict"}:
        return max(1, sum(grown))
    if node["type"] == "function_expression":
        each = [n for n, c in zip(grown, below, strict=True) if c["type"] == "expref"]
        return max(1, sum(grown) - sum(each)) * prod(each)
    return prod(grown)
