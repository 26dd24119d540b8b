"""What the project says is in its own words: no long stretch stands so in the seed documents.

The documents are not part of the repository: these tests need them beside the checkout.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SEEDS = ROOT.parent / "shared" / "seeds"
OURS = ("cio_pipeline/**/*.py", "docs/**/*.md", "examples/**/*.md", "README.md")

STRETCH = 9
"""Words in a row that two texts share by chance at most."""

JOINED = re.compile(r'"\s*\n\s*f?"')
"""The seam of a string that goes on in the next line."""


def words(text: str) -> list[str]:
    """Runs of letters and digits in lower case; an underscore is a space."""
    plain = text.lower().replace("\\_", "_").replace("_", " ")
    return re.sub(r"[^a-z0-9 ]", " ", plain).split()


def stretches(text: str) -> Iterator[str]:
    """Every stretch of STRETCH words."""
    found = words(text)
    for start in range(len(found) - STRETCH + 1):
        yield " ".join(found[start : start + STRETCH])


def test_stretches_are_found_across_lines_signs_and_the_seams_of_strings():
    text = JOINED.sub("", '"One two, `three_four` five "\n    f"six\nseven (eight) NINE."')
    assert list(stretches(text)) == ["one two three four five six seven eight nine"]


@pytest.mark.skipif(not SEEDS.is_dir(), reason="the seed documents are not here")
@pytest.mark.parametrize("pattern", OURS)
def test_nothing_stands_word_for_word_in_the_seeds(pattern: str):
    seeds = {s for path in SEEDS.glob("*.txt") for s in stretches(path.read_text("utf-8"))}
    paths = sorted(ROOT.glob(pattern))
    assert seeds
    assert paths
    copied = [
        f"{path.relative_to(ROOT)}: {stretch}"
        for path in paths
        for stretch in stretches(JOINED.sub("", path.read_text("utf-8")))
        if stretch in seeds
    ]
    assert not copied
