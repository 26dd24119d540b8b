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
    found = _lines(file, rows, delimiter)
    return [line for line, _ in found] if found else range(2, rows + 2)


def short_rows(file: Path, rows: int, width: int, delimiter: str = COMMA) -> dict[int, int]:
    """Of so many rows, by their number from 1, how many cells those have that lack some.

    Nothing where the library counts rows otherwise.
    """
    counted = enumerate(_lines(file, rows, delimiter), 1)
    return {number: cells for number, (_, cells) in counted if cells < width}


def _lines(file: Path, rows: int, delimiter: str) -> Sequence[tuple[int, int]]:
    """The line that each of so many rows begins with, and its cells; none if there are others."""
    found: list[tuple[int, int]] = []
    before = 0
    try:
        with file.open(encoding="utf-8", newline="") as text:
            reader = csv.reader(text, delimiter=delimiter)
            for row in reader:
                if row:
                    found.append((before + 1, len(row)))
                before = reader.line_num
    except csv.Error:
        found = []
    return found[1:] if len(found) == rows + 1 else ()
