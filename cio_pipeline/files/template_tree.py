"""What a compiled key template reads and how much it can make of it, from its syntax tree."""

from collections.abc import Iterator
from math import prod
from typing import Any, TypeAlias

Node: TypeAlias = dict[str, Any]
"""A node of jmespath's tree: `type`, `children`, and often `value`."""

ALL = "@"
"""Stands for the whole context, where a template reads it unnamed."""

_FIRST_ONLY = frozenset(
    {"index_expression", "projection", "value_projection", "filter_projection", "pipe"}
)
"""Only the first child of these looks at what the node itself looks at."""


def nodes(node: Node) -> Iterator[Node]:
    """A node and all that are below it."""
    yield node
    for child in node["children"]:
        yield from nodes(child)


def functions(tree: Node) -> set[str]:
    """The functions that are called, in any branch."""
    return {node["value"] for node in nodes(tree) if node["type"] == "function_expression"}


def paths(node: Node) -> Iterator[tuple[str, ...]]:
    """What is read from the context: `("metadata", "objectName")`, or `(ALL,)`."""
    kind, children = node["type"], node["children"]
    if kind == "field":
        yield (node["value"],)
    elif kind in {"current", "identity"}:
        yield (ALL,)
    elif kind == "subexpression" and children[0]["type"] == "field":
        yield tuple(child["value"] for child in children if child["type"] == "field")
    elif kind in _FIRST_ONLY or kind == "subexpression":
        yield from paths(children[0])
    elif kind != "expref":
        for child in children:
            yield from paths(child)


def fan_out(node: Node) -> int:
    """How many times over a result can hold what is read: each list of a chain multiplies."""
    grown = [fan_out(child) for child in node["children"]]
    if node["type"] in {"multi_select_list", "multi_select_dict"}:
        return max(1, sum(grown))
    if node["type"] == "function_expression":
        each = [n for n, c in zip(grown, node["children"], strict=True) if c["type"] == "expref"]
        return max(1, sum(grown) - sum(each)) * prod(each)
    return prod(grown)
