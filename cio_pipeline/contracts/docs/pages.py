"""Which pages there are, and whether those in a folder are up to date."""

from pathlib import Path

from cio_pipeline.contracts.catalog import VERSIONS
from cio_pipeline.contracts.docs.markdown import with_section
from cio_pipeline.contracts.docs.schema_page import schema_page
from cio_pipeline.contracts.docs.source_section import source_section
from cio_pipeline.model.errors import InvalidConfig

SOURCE_TABLES_PAGE = "source-tables.md"


def pages(folder: Path) -> dict[str, str]:
    """Path below the documentation folder → text that the page has to have.

    The prose of `source-tables.md` is kept from the folder. Raises InvalidConfig if that page is
    missing or has lost its markers.
    """
    prose = folder / SOURCE_TABLES_PAGE
    if not prose.is_file():
        raise InvalidConfig(
            f"There is no {SOURCE_TABLES_PAGE} in the folder.", "Name the documentation folder."
        )
    return {
        **{f"schemas/v{version}.md": schema_page(version) for version in VERSIONS},
        SOURCE_TABLES_PAGE: with_section(prose.read_text(encoding="utf-8"), source_section()),
    }


def stale(folder: Path) -> list[str]:
    """The pages that are missing or differ from what the declarations say."""
    return [
        name
        for name, text in pages(folder).items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    ]


def write(folder: Path) -> list[str]:
    """Bring all pages up to date; returns those that were not."""
    written = stale(folder)
    texts = pages(folder)
    for name in written:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(texts[name], encoding="utf-8")
    return written
