"""The page of one contract version: every export with its columns, keys and file names."""

from cio_pipeline.contracts.catalog import exports_of
from cio_pipeline.contracts.declare import Afterwards, Column, Export, History
from cio_pipeline.contracts.docs.markdown import code, table
from cio_pipeline.contracts.docs.readers import readers_section

_WORKSPACE = 42

_INTRODUCTION = """\
# Data-out schemas, v{version}

Generated from the declarations in `cio_pipeline/contracts`; change those and run
`python -m cio_pipeline.contracts.docs docs`. *The seeds* in the notes are the vendor's published
pages that this contract follows: the one on Amazon S3 for v5, the one on Azure for v4.

**Types in Parquet.** INTEGER is INT64, STRING a UTF-8 STRING, BOOLEAN a BOOLEAN, TIMESTAMP an
INT64 TIMESTAMP(isAdjustedToUTC) in microseconds (milliseconds with `timestamp_unit: ms`) that also
carries the old ConvertedType, LIST OF STRING a LIST. *Required* columns are REQUIRED, *Nullable*
and *Optional* ones OPTIONAL. The schema
is the same in every file of an export, also where a column is null throughout, and the order of
the columns is part of the contract.

**Times** lie in the years 1 to 9999, in UTC. Spark 3 refuses those before 1900 unless
`spark.sql.parquet.datetimeRebaseModeInRead` is `CORRECTED`, as it is from Spark 4 on.

**Keys** hold within a workspace: put `workspace_id` in front of each. The *row key*, bold in the
tables, tells rows apart and removes duplicates. To see the present state, take of each *entity
key* the row with the largest *newest-by* value; if two are equal, one from a `chngs` file beats one
from a plain file, then the larger sequence counts, then the later row ([with views that do
it](../reading.md#the-newest-row)).

**Order.** In all but the first files of an export, rows that speak of the same entity come oldest
first, by the *newest-by* column (`seq_num` where there is one), within a file and from each to the
one with the next sequence; rows that arrive later with an older value come in a later file all the
same. Rows of different entities are in no order that means anything, and first files have the
order of the source's tables: there, and between plain and `chngs` files, go by *newest-by*.

**Refers to** names the export that the value can be joined with. It is documentation; nothing
enforces it.

**Personal** columns are emptied in a first export for people who are already deleted or suppressed,
and in all later files for as long as they are: null, or the empty string, `{{}}` or an empty list
where the column is Required. Exports that hold nothing else of them leave such rows out.
"""

_FIRST = {
    History.ALL: "all rows",
    History.CURRENT: "what is there at that moment",
    History.LAST_30_DAYS: "what was processed in the last 30 days",
}
_LATER = {
    Afterwards.CHANGED_ROWS: "rows that are new or changed, each in its latest state",
    Afterwards.NEW_ROWS: "rows that are new",
    Afterwards.NEW_AND_CHANGES: "new ones, and in `chngs` files those changed or deleted",
}


def schema_page(version: int) -> str:
    """The whole page `docs/schemas/v<version>.md`."""
    exports = exports_of(version)
    overview = table(
        ("export", "files", "row key", "first", "later"),
        (
            (
                f"[{e.name}](#{_anchor(e)})",
                code([f"{e.stem}_v{version}_*"]),
                code(e.row_key),
                e.history.value,
                e.afterwards.value,
            )
            for e in exports
        ),
    )
    sections = [line for e in exports for line in _section(e, version)]
    introduction = _INTRODUCTION.format(version=version)
    lines = [introduction, *overview, *readers_section(version), *sections]
    return "\n".join(lines) + "\n"


def file_names(export: Export, version: int) -> tuple[tuple[str, str], ...]:
    """Examples of an export's file names, and what each is (D5)."""
    plain, end = f"{export.stem}_v{version}_", f"{_WORKSPACE}_7.parquet"
    if export.split:
        return (
            (f"{plain}{end}", "the first files, then what is new"),
            (f"{plain}chngs_{end}", "what was changed or deleted"),
        )
    if export.numbered_parts:
        return (
            (f"{plain}{_WORKSPACE}_7_1.parquet", "the first files"),
            (f"{plain}{end}", "later ones"),
        )
    return ((f"{plain}{end}", "every file"),)


def _anchor(export: Export) -> str:
    return export.title.lower().replace(" ", "-")


def _section(export: Export, version: int) -> list[str]:
    columns = export.columns_of(version)
    notes = [f"- `{column.name}`: {column.note}" for column in columns if column.note]
    return [
        "",
        f"## {export.title}",
        "",
        f"Export `{export.name}`. {export.description}",
        "",
        *_facts(export, version),
        "",
        *table(
            ("column", "type", "presence", "refers to", "personal", "description"),
            (_row(column, export) for column in columns),
        ),
        *(["", "Notes:", "", *notes] if notes else []),
    ]


def _facts(export: Export, version: int) -> list[str]:
    names = ", ".join(f"`{name}` ({what})" for name, what in file_names(export, version))
    newest = f"; newest by `{export.newest_by}`" if export.newest_by else ""
    switch = f"- Turned on and off together as `{export.together}`." if export.together else ""
    return [
        f"- Files: {names}; a new one every {export.rows_per_file:,} rows.",
        f"- Row key: {code(export.row_key)}. Entity key: {code(export.entity_key)}{newest}.",
        f"- First export: {_FIRST[export.history]}. Later: {_LATER[export.afterwards]}.",
        *([switch] if switch else []),
    ]


def _row(column: Column, export: Export) -> tuple[str, ...]:
    name = f"`{column.name}`"
    return (
        f"**{name}**" if column.name in export.row_key else name,
        column.type.value,
        column.presence.value,
        column.references or "",
        "yes" if column.personal else "",
        column.description,
    )
