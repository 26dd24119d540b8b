"""Rows that a load left out, kept in files like those that they came in, to be corrected."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.sources.json_lines import BadLine, numbered_lines


def set_aside(files: Sequence[Path], bad: Iterable[BadLine], folder: Path) -> None:
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
            _copy(file, numbers[file.name], folder / file.name)
    except OSError as error:
        raise InvalidConfig(
            f"The bad rows cannot be kept ({error.strerror}).", "Make space below CIO_HOME."
        ) from error


def _copy(file: Path, numbers: set[int], target: Path) -> None:
    match file.suffix.lower():
        case ".csv":
            _chosen(pl.read_csv(file.read_bytes(), infer_schema=False), numbers).write_csv(target)
        case ".parquet":
            _chosen(pl.read_parquet(file.read_bytes()), numbers).write_parquet(target)
        case _:
            with file.open("rb") as lines, target.open("wb") as out:
                for number, line in numbered_lines(lines):
                    if number in numbers:
                        out.write(line if line.endswith(b"\n") else line + b"\n")


def _chosen(rows: pl.DataFrame, numbers: set[int]) -> pl.DataFrame:
    return rows[sorted(number - 1 for number in numbers)]
