"""Rows that a load left out, kept in files like those that they came in, to be corrected."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.sources.csv_text import COMMA, lines_of, read_csv_text
from cio_pipeline.sources.json_lines import BadLine, numbered_lines


def set_aside(
    files: Sequence[Path], bad: Iterable[BadLine], folder: Path, delimiter: str = COMMA
) -> None:
    """Write the bad rows of each file to a file of its name and format in a folder.

    Rows are as they were, and can be loaded once they are right. Raises InvalidConfig if they
    cannot be written, or if two files with bad rows have one name.
    """
    numbers: dict[str, set[int]] = {}
    for one in bad:
        numbers.setdefault(one.file, set()).add(one.line)
    named = [file for file in files if file.name in numbers]
    if len({file.name for file in named}) < len(named):
        raise InvalidConfig(
            "Two files with bad rows have the same name.", "Load them one after another."
        )
    try:
        for file in named:
            folder.mkdir(parents=True, exist_ok=True)
            _copy(file, numbers[file.name], folder / file.name, delimiter)
    except OSError as error:
        raise InvalidConfig(
            f"The bad rows cannot be kept ({error.strerror}).", "Make space below CIO_HOME."
        ) from error


def _copy(file: Path, numbers: set[int], target: Path, delimiter: str) -> None:
    match file.suffix.lower():
        case ".csv":
            rows = read_csv_text(file, delimiter)
            lines = lines_of(file, rows.height, delimiter)
            chosen = rows[[at for at, line in enumerate(lines) if line in numbers]]
            chosen.write_csv(target, separator=delimiter)
        case ".parquet":
            rows = pl.read_parquet(file.read_bytes())
            rows[sorted(number - 1 for number in numbers)].write_parquet(target)
        case _:
            with file.open("rb") as lines, target.open("wb") as out:
                for number, line in numbered_lines(lines):
                    if number in numbers:
                        out.write(line if line.endswith(b"\n") else line + b"\n")
