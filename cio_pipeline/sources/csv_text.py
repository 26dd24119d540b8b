"""CSV files as text cells, each row with the line that it begins with."""

import csv
from collections.abc import Sequence
from pathlib import Path

import polars as pl

COMMA = ","


def read_csv_text(file: Path, delimiter: str = COMMA) -> pl.DataFrame:
    r"""All cells as text; null for empty ones and `\N`, as databases write them.

    Raises OSError, PolarsError.
    """
    with file.open("rb") as content:
        return pl.read_csv(content, infer_schema=False, separator=delimiter, null_values=["\\N"])


def lines_of(file: Path, rows: int, delimiter: str = COMMA) -> Sequence[int]:
    """The line that each of so many rows begins with, the header being line 1.

    A cell may hold line feeds. Where the library counts otherwise, each row counts as one line.
    """
    found: list[int] = []
    before = 0
    try:
        with file.open(encoding="utf-8", newline="") as text:
            reader = csv.reader(text, delimiter=delimiter)
            for row in reader:
                if row:
                    found.append(before + 1)
                before = reader.line_num
    except csv.Error:
        found = []
    return found[1:] if len(found) == rows + 1 else range(2, rows + 2)
