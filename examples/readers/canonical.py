"""A column as a checksum that no reader's types change: standard library alone."""

import csv
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

Columns = Mapping[str, Iterable[object]]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def text(value: object) -> str:
    """One value: null as ~, times as microseconds, texts with the length of their UTF-8."""
    if value is None:
        return "~"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        time = value if value.tzinfo else value.replace(tzinfo=UTC)
        since = time - _EPOCH
        return str((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)
    if isinstance(value, str):
        return f"{len(value.encode())}:{value}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(text, value)) + "]"
    return repr(value)


def told(columns: Columns) -> dict[str, list[object]]:
    """Of each column: rows, nulls, checksum."""
    found: dict[str, list[object]] = {}
    for name, values in columns.items():
        rows, nulls, digest = 0, 0, hashlib.sha256()
        for value in values:
            rows += 1
            nulls += value is None
            digest.update(f"{text(value)}\n".encode())
        found[name] = [rows, nulls, digest.hexdigest()]
    return found


def texts(path: str) -> dict[str, list[object]]:
    """The columns of a file of CSV or JSON that hold texts alone, as Python reads them.

    Of objects within objects `data.name`. Readers make types of their own of everything else; an
    empty cell of CSV is null.
    """
    with Path(path).open(encoding="utf-8", newline="") as file:
        if path.endswith(".csv"):
            rows = [{k: v or None for k, v in row.items()} for row in csv.DictReader(file)]
        else:
            rows = [dict(_leaves(json.loads(one))) for one in file.read().split("\n") if one]
    names = dict.fromkeys(name for row in rows for name in row)
    found = {name: [row.get(name) for row in rows] for name in names}
    return {
        name: cells
        for name, cells in found.items()
        if all(cell is None or isinstance(cell, str) for cell in cells)
    }


def _leaves(row: Mapping[str, object], of: str = "") -> Iterator[tuple[str, object]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{of}{name}.")
        else:
            yield f"{of}{name}", value


def tell(read: Callable[[str], Columns]) -> None:
    """Read the files that standard input names, one a line; print what was seen as JSON lines."""
    for line in sys.stdin:
        path = line.strip()
        try:
            seen: object = told(read(path))
        except Exception as error:  # noqa: BLE001 - what a reader says of a file is the result
            seen = {"error": f"{type(error).__name__}: {str(error)[:200]}"}
        print(json.dumps([path, seen]), flush=True)  # noqa: T201
