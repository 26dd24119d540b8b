"""The part of a schema page about programs that read the files: what each needs to be told."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

from cio_pipeline.contracts.catalog import exports_of
from cio_pipeline.contracts.declare import ColumnType
from cio_pipeline.contracts.docs.markdown import code, table


@dataclass(frozen=True)
class _Reader:
    """A program, what it needs, and what it needs where a version has columns of lists."""

    name: str
    needs: str
    lists: str = ""


_READERS: Sequence[_Reader] = (
    _Reader(
        "Snowflake",
        "`USE_LOGICAL_TYPE = TRUE` in the file format; without it, by public reports, times come "
        "as bare integers, in the year 55 million. In `COPY`, `MATCH_BY_COLUMN_NAME = "
        "CASE_INSENSITIVE`.",
        "Lists load into ARRAY or VARIANT.",
    ),
    _Reader(
        "Redshift",
        "`COPY … FORMAT PARQUET` loads by position: make the table with the columns in the order "
        "below. It takes a prefix of names, so that `…/people_v{version}_` takes the `chngs` files "
        "too; `MANIFEST`, with the `content_length` of each file, names them one by one.",
        "Lists load into SUPER, with `SERIALIZETOJSON`.",
    ),
    _Reader(
        "BigQuery",
        "One `*` in each URI: `…/people_v{version}_*.parquet`.",
        "Set `enable_list_inference` (`--parquet_enable_list_inference`); without it, a list is a "
        "record `list.element`.",
    ),
    _Reader(
        "Spark",
        "A path for each export (`…/people_v{version}_*.parquet`): a folder with several is no "
        "table. No schema merging is needed. It skips `_cio/` and the empty `cio-validate`. Spark "
        "3.1 and older, and old Glue and Hive, know times by their ConvertedType, which is there.",
    ),
    _Reader(
        "DuckDB",
        "`read_parquet('…/people_v{version}_*.parquet')`; `…/*` stops at `cio-validate`, which is "
        "no Parquet file. With `layout: dated` a column `dt` is added, unless `hive_partitioning = "
        "false` is given. `fetchall` of times needs the package `pytz`.",
    ),
    _Reader(
        "Polars",
        "`scan_parquet('…/people_v{version}_*.parquet')`; `scan_parquet(folder)` refuses the "
        "manifests' folder. Of a dated folder it adds `dt`, unless `hive_partitioning=False`.",
    ),
    _Reader(
        "pyarrow",
        "`dataset(folder)` leaves out `_cio/` and stops at `cio-validate`: give it the files of "
        "one export, or `exclude_invalid_files=True`.",
    ),
    _Reader(
        "pandas",
        "With the engine `pyarrow` as above.",
        "With `fastparquet`, compare a column of lists first: in an environment that has "
        "`pyarrow` too, 2026.9 reads lists as null wherever a page has no dictionary.",
    ),
    _Reader(
        "hyparquet",
        "Files are zstd: give it `compressors` of `hyparquet-compressors`.",
        "Some releases give `undefined` for a list that is null: treat it as null.",
    ),
    _Reader(
        "ClickHouse, chdb",
        "`file('…/people_v{version}_*.parquet', Parquet)`.",
        "A list that is null is read as an empty one.",
    ),
)

_INTRODUCTION = """
## Readers

Readers that follow the manifests (`_cio/<n>.manifest`) know each file and need no patterns. All
others match names from beginning to end: {anchored}.
The files of an export and version are read together, without merging schemas.
"""


def readers_section(version: int) -> list[str]:
    """The lines of the section."""
    with_lists = [
        f"{export.name}.{column.name}"
        for export in exports_of(version)
        for column in export.columns_of(version)
        if column.type is ColumnType.STRINGS
    ]
    told = f"Columns of lists: {code(with_lists)}." if with_lists else ""
    rows = [(one.name, _needs(one, version, lists=bool(with_lists))) for one in _READERS]
    return [
        *_INTRODUCTION.format(anchored=_anchored(version)).splitlines(),
        *([told, ""] if told else [""]),
        *table(("reader", "what it needs"), rows),
    ]


def _needs(reader: _Reader, version: int, *, lists: bool) -> str:
    text = f"{reader.needs} {reader.lists}" if lists else reader.needs
    return text.replace("{version}", str(version)).strip()


def _anchored(version: int) -> str:
    """What a name's beginning must be matched for, with the stems that end in another one."""
    for short, long in _clashes(version):
        return (
            f"`{short}_v{version}_*.parquet`, since\n`*{short}_v{version}_*` also takes "
            f"`{long}_v{version}_…`"
        )
    return f"`people_v{version}_*.parquet`"


def _clashes(version: int) -> Iterator[tuple[str, str]]:
    stems = [export.stem for export in exports_of(version)]
    return ((one, other) for one, other in permutations(stems, 2) if other.endswith(one))
