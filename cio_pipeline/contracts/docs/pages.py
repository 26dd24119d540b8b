"""Which pages there are, the section on source tables, and whether a folder is up to date."""

from pathlib import Path

from cio_pipeline.contracts.catalog import EXPORTS, VERSIONS
from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.contracts.docs.markdown import code, table, with_section
from cio_pipeline.contracts.docs.schema_page import schema_page
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.errors import InvalidConfig


def source_section() -> str:
    """An overview of all source tables, then each with its columns."""
    overview = table(
        ("table", "kind", "identity", "must grow"),
        (
            (f"[{t.name}](#{t.name})", t.kind.value, code(t.identity), code(_grows(t)))
            for t in SOURCE_TABLES.values()
        ),
    )
    sections = [line for t in SOURCE_TABLES.values() for line in _section(t)]
    return "\n".join([*overview, *sections])


def _grows(source: SourceTable) -> list[str]:
    return [source.grows] if source.grows else []


def _section(source: SourceTable) -> list[str]:
    driven = [e.name for e in EXPORTS.values() if e.source == source.name]
    joined = [e.name for e in EXPORTS.values() if source.name in e.joins]
    use = f"Drives {code(driven)}" + (f"; joined for {code(joined)}." if joined else ".")
    grows = f" `{source.grows}` must grow with every change." if source.grows else ""
    return [
        "",
        f"### {source.name}",
        "",
        f"{source.description} {use}",
        "",
        f"{source.kind.value.capitalize()}, one row per {code(source.identity)}.{grows}",
        "",
        *table(
            ("column", "type", "null", "description"),
            (
                (f"`{c.name}`", c.type.value, "no" if c.required else "yes", c.description)
                for c in source.columns
            ),
        ),
    ]


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
