"""Verification of the numbers of files: each delivered once or declared void (D5, D10)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from cio_pipeline.model.manifests import Manifest, manifest_key
from cio_pipeline.model.plans import Series
from cio_pipeline.verification.report import RESTORE_ALL, Finding, Problem, ProblemKind


@dataclass(frozen=True)
class _Number:
    """A number that a manifest accounts for; `key` is None if it is void."""

    ordinal: int
    sequence: int
    part: int | None
    key: str | None

    @property
    def place(self) -> tuple[int, int, int]:
        return self.ordinal, self.sequence, self.part or 0

    @property
    def where(self) -> str:
        return self.key or manifest_key(self.ordinal)


def check_sequences(manifests: Iterable[Manifest]) -> Iterator[Finding]:
    """What is wrong with the numbers of each export and series, over all manifests.

    They start at 1 and go on by one, also from one generation to the next. The parts of an initial
    metrics export count from 1 within their number. A chain that begins anew tells where numbers
    go on.
    """
    manifests = list(manifests)
    begun = first_numbers(manifests)
    counted: dict[tuple[str, Series], set[_Number]] = defaultdict(set)
    seen: set[str] = set()
    for manifest in manifests:
        facts = manifest.feed.facts
        for file in manifest.files:
            # A key listed twice is a problem of its own, but for messages.
            if file.key not in seen or facts.overwrites:
                seen.add(file.key)
                # The types of calls share a number (C1), within one manifest.
                key = manifest_key(manifest.ordinal) if facts.shared_numbers else file.key
                counted[file.export, file.series].add(
                    _Number(manifest.ordinal, file.sequence, file.part, key)
                )
        for void in manifest.void:
            counted[void.export, void.series].add(
                _Number(manifest.ordinal, void.sequence, None, None)
            )
    return chain.from_iterable(
        _walk(
            f"{export} ({series})",
            sorted(numbers, key=lambda n: n.place),
            begun.get((export, series), 1) - 1,
        )
        for (export, series), numbers in counted.items()
    )


def first_numbers(manifests: Iterable[Manifest]) -> dict[tuple[str, Series], int]:
    """The numbers that series begin with in this chain, of those that do not begin with 1."""
    return {
        (one.export, one.series): one.sequence
        for manifest in manifests
        for one in manifest.begins or ()
    }


def _walk(name: str, numbers: list[_Number], last: int) -> Iterator[Finding]:
    last_part = None
    for number in numbers:
        same = number.sequence == last and None not in {number.part, last_part}
        expected = (last, (last_part or 0) + 1) if same else (last + 1, 1)
        found = (number.sequence, number.part or 1)
        if found < expected:
            yield _finding(
                ProblemKind.REUSED, number, f"{_text(number)} of {name} was used before."
            )
            continue
        if found > expected:
            yield _finding(ProblemKind.GAP, number, _missing(name, expected, number))
        last, last_part = number.sequence, number.part


def _text(number: _Number) -> str:
    return f"Number {number.sequence}" + (f", part {number.part}," if number.part else "")


def _missing(name: str, expected: tuple[int, int], number: _Number) -> str:
    first, last = expected[0], number.sequence - 1
    if first > last:
        return f"{_text(number)} of {name} comes after missing parts."
    one = first == last
    numbers = f"Number {first}" if one else f"Numbers {first} to {last}"
    verb = "is" if one else "are"
    return f"{numbers} of {name} {verb} neither delivered nor void."


def _finding(kind: ProblemKind, number: _Number, message: str) -> Finding:
    return Finding(Problem(kind, number.where, f"{message} {RESTORE_ALL}"), number.ordinal)
