#!/usr/bin/env python3
"""`make readers`: every file of some folders, read by seven readers and compared with Polars."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
INSTALLED = Path(".servers/readers")
ARROW = (INSTALLED / "arrow/bin/python", HERE / "with_arrow.py")
READERS: Mapping[str, tuple[str | Path, ...]] = {
    "duckdb": (*ARROW, "duckdb"),
    "pyarrow": (*ARROW, "pyarrow"),
    "clickhouse": (*ARROW, "clickhouse"),
    "datafusion": (*ARROW, "datafusion"),
    "spark": (*ARROW, "spark"),
    "fastparquet": (INSTALLED / "fastparquet/bin/python", HERE / "with_fastparquet.py"),
    "hyparquet": ("node", INSTALLED / "node/with_hyparquet.mjs"),
}
ONLY_PARQUET = {"fastparquet", "hyparquet"}
"""They are made for nothing else: CSV and JSON are read with what is around them."""
KNOWN = {"clickhouse": "a list that is null is read as empty: its arrays cannot be null"}

Seen = dict[str, dict[str, Any]]


def read_with(command: Iterable[str | Path], files: Iterable[str]) -> Seen:
    """What a reader says of each file, by its name: of each column rows, nulls and checksum."""
    done = subprocess.run(  # noqa: S603 - the commands above
        list(map(str, command)),
        input="\n".join(files) + "\n",
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(HERE)},
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stderr[-2000:]}")
    return dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))


def main(folders: list[str]) -> int:
    """Print the table; 1 if a reader sees anything else than what was written."""
    files = sorted(str(one.resolve()) for at in folders for one in _delivered(Path(at)))
    if not files:
        raise SystemExit("There is no file there. Run `make demo` first, or name folders.")
    every = read_with((*ARROW, "polars"), files)
    table = Table("reader", "files", "rows", "columns", "equal", "what differs")
    wrong = 0
    for name, command in READERS.items():
        written = {path: one for path, one in every.items() if _reads(name, path)}
        seen = read_with(command, written)
        different = sorted(_different(written, seen))
        known = name in KNOWN and all(kind == "lists" for _, kind in different)
        wrong += bool(different) and not known
        columns = sum(map(len, written.values()))
        rows = sum(next(iter(one.values()))[0] for one in seen.values() if "error" not in one)
        said = (
            KNOWN[name]
            if different and known
            else ", ".join(f"{a} ({b})" for a, b in different[:5])
        )
        table.add_row(
            name, str(len(seen)), str(rows), str(columns), str(columns - len(different)), said
        )
    Console().print(table)
    return int(wrong > 0)


def _delivered(folder: Path) -> Iterable[Path]:
    """The files of some feeds: all but the manifests; objects of messages have no suffix."""
    found = (one for one in folder.rglob("*") if one.is_file() and one.stat().st_size)
    return (one for one in found if one.parent.name != "_cio")


def _reads(reader: str, path: str) -> bool:
    return path.endswith(".parquet") or reader not in ONLY_PARQUET


def _different(written: Seen, seen: Seen) -> Iterable[tuple[str, str]]:
    """(file's column, what is other) of each column that a reader sees otherwise."""
    for path, columns in written.items():
        found = seen.get(path, {})
        for name, (rows, nulls, digest) in columns.items():
            rows_, nulls_, digest_ = found.get(name, (None, None, None))
            if (rows_, nulls_, digest_) != (rows, nulls, digest):
                lists = rows_ == rows and nulls and not nulls_
                yield (
                    f"{Path(path).name}:{name}",
                    "lists" if lists else found.get("error", "values"),
                )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or [".cio/bucket"]))
