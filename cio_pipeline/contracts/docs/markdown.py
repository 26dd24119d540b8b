"""Markdown tables and marked sections."""

from collections.abc import Iterable, Sequence

from cio_pipeline.model.errors import InvalidConfig

START = "<!-- generated: do not edit by hand -->"
END = "<!-- end of generated -->"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table; cells may hold any text of one line."""
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(_cell(text) for text in line)} |" for line in lines]


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def code(names: Iterable[str]) -> str:
    """Names as code, with commas."""
    return ", ".join(f"`{name}`" for name in names)


def with_section(page: str, section: str) -> str:
    """A page whose part between the two markers is replaced; the prose around it stays.

    Raises InvalidConfig if the page does not have each marker once, in order.
    """
    if page.count(START) != 1 or page.count(END) != 1 or page.index(END) < page.index(START):
        raise InvalidConfig(
            "The page has no place for its generated part.",
            f"Put a line '{START}' and, below it, a line '{END}' where it belongs.",
        )
    before, rest = page.split(START)
    return f"{before}{START}\n\n{section.strip()}\n\n{END}{rest.split(END)[1]}"
