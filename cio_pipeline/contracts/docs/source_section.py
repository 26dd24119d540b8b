"""The generated part of `docs/source-tables.md`: one table per source table."""

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.contracts.docs.markdown import code, table
from cio_pipeline.contracts.source_tables import SOURCE_TABLES


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
