"""The object of a message without what is personal in it: nothing of its payload (M1)."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from cio_pipeline.files.addresses import holding
from cio_pipeline.model.erasure import Traces
from cio_pipeline.model.json_text import decoded, exact_text

EMPTY = b'{"data": {}}'

_OF_CUSTOMERS = frozenset(
    {"consumerref", "customerid", "customer_id", "userid", "user_id", "externalid", "external_id"}
)
"""Members whose value is a customer's id: elsewhere, a short id may be anything's."""


def erase_message(copy: Path, to: Path, traces: Traces) -> int | None:
    """Write an object that names the person without its payload; None, and no file, for others.

    It names them where a text in it holds their address or is their internal id, or a member that
    holds a customer's id holds theirs. Raises OSError, NotJson.
    """
    address = re.compile(holding(traces.emails)) if traces.emails else None
    named = (
        (address is not None and address.search(text) is not None)
        or text in traces.people
        or (member.lower() in _OF_CUSTOMERS and text in traces.names)
        for member, text in _texts("", decoded(copy.read_text(encoding="utf-8")))
    )
    if not any(named):
        return None
    to.write_bytes(EMPTY)
    return 1


def _texts(member: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every text and number in a value, with the member that holds it; names of members, too."""
    waiting: list[tuple[str, Any]] = [(member, value)]
    while waiting:
        name, one = waiting.pop()
        if isinstance(one, str):
            yield name, one
        elif isinstance(one, dict):
            its = cast("dict[str, Any]", one)
            yield from (("", key) for key in its)
            waiting += its.items()
        elif isinstance(one, list):
            waiting += [(name, inner) for inner in cast("list[Any]", one)]
        elif isinstance(one, int | float) and not isinstance(one, bool):
            yield name, exact_text(one)
