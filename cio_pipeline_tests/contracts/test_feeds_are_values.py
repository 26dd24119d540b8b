"""What is special to a feed is declared, so that nothing asks which feed it serves (ADR 9)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import cio_pipeline
from cio_pipeline.contracts.feeds import FEEDS, PROMISES
from cio_pipeline.defs.feeds import SHOWN
from cio_pipeline.model.feeds import Feed
from cio_pipeline.pipeline.feeds.makers import MAKERS
from cio_pipeline.reader.tables import KINDS
from cio_pipeline.verification.judges import JUDGES

ROOT = Path(cio_pipeline.__file__).parent

DECLARING = (
    "contracts/feeds.py",
    "pipeline/feeds/makers.py",
    "verification/judges.py",
    "reader/tables.py",
    "defs/feeds.py",
    "reader/sql/relations.py",
)
"""Modules that may say something of each feed by its name: each in one table."""

NAMES = {feed.value for feed in Feed} | set(Feed.__members__)


def asks(node: ast.AST) -> bool:
    """Whether a comparison, or a case of a match, is with one of the feeds."""
    match node:
        case ast.Compare(left=left, comparators=others):
            return any(is_a_feed(one) for operand in (left, *others) for one in ast.walk(operand))
        case ast.MatchValue(value=value):
            return is_a_feed(value)
        case _:
            return False


def is_a_feed(node: ast.AST) -> bool:
    """Whether an expression is `Feed.X`, the name of an export of one, or a feed's name."""
    match node:
        case ast.Attribute(value=ast.Name(id="Feed")):
            return True
        case ast.Attribute(value=ast.Name(id="CALLS" | "MESSAGES"), attr="name"):
            return True
        case ast.Constant(value=str(text)):
            return text in NAMES
        case _:
            return False


def keyed(node: ast.AST) -> bool:
    """Whether a dict says something of each feed."""
    return isinstance(node, ast.Dict) and any(
        isinstance(key, ast.Attribute) and is_a_feed(key) for key in node.keys
    )


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def test_adr9_nothing_asks_which_feed_it_serves() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name, tree in modules()
        for node in ast.walk(tree)
        if (asks(node) or (keyed(node) and name not in DECLARING))
        and isinstance(node, ast.expr | ast.pattern)
    ]
    assert found == [], "read a fact of model/feeds.py, or call what the feed declares"


def test_every_feed_is_declared_in_every_table() -> None:
    for table in (PROMISES, FEEDS, MAKERS, JUDGES, KINDS, SHOWN):
        assert set(table) == set(Feed)
