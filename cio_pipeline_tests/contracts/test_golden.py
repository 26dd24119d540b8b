"""The public contract as files: a difference here is a change that readers notice.

It belongs in the changelog's Feed section. To accept it:
`CIO_UPDATE_GOLDEN=1 pytest cio_pipeline_tests/contracts/test_golden.py`
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from cio_pipeline.contracts.arrow import source_arrow_schema
from cio_pipeline.contracts.catalog import exports_of
from cio_pipeline.contracts.declare import fingerprint
from cio_pipeline.contracts.dtypes import arrow_schema, polars_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES

GOLDEN = Path(__file__).parent / "golden"


def arrow_text(schema: object) -> list[str]:
    return [
        f"  {field.name}: {field.type}{'' if field.nullable else ' not null'}"
        for field in schema  # pyright: ignore[reportGeneralTypeIssues]
    ]


def arrow_schemas(version: int, _folder: Path) -> str:
    lines: list[str] = []
    for export in exports_of(version):
        lines += [export.name, *arrow_text(arrow_schema(export, version)), ""]
    return "\n".join(lines)


def parquet_schemas(version: int, folder: Path) -> str:
    """What a file's footer says, as written by the sink."""
    texts: list[str] = []
    for export in exports_of(version):
        path = folder / export.name
        pl.LazyFrame(schema=polars_schema(export, version)).sink_parquet(
            path, arrow_schema=arrow_schema(export, version)
        )
        texts.append(str(pq.ParquetFile(path).schema).split("\n", 1)[1])
    return "".join(
        f"{export.name}\n{text.rstrip()}\n\n"
        for export, text in zip(exports_of(version), texts, strict=True)
    )


def facts(version: int, _folder: Path) -> str:
    """Stems, keys, policies and fingerprints."""
    content = {
        export.name: {
            "stem": export.stem,
            "chngs": export.split,
            "two_sequences_at_first": export.numbered_parts,
            "row_key": export.row_key,
            "entity_key": export.entity_key,
            "newest_by": export.newest_by,
            "initial": export.history,
            "afterwards": export.afterwards,
            "rows_per_file": export.rows_per_file,
            "fingerprint": {unit: fingerprint(export, version, unit) for unit in ("us", "ms")},
        }
        for export in exports_of(version)
    }
    return json.dumps(content, indent=1) + "\n"


def source_tables(_version: int, _folder: Path) -> str:
    lines: list[str] = []
    for table in SOURCE_TABLES.values():
        head = f"{table.name} ({table.kind}), identity {', '.join(table.identity)}"
        lines += [f"{head}, grows {table.grows}", *arrow_text(source_arrow_schema(table)), ""]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "render", "version"),
    [
        ("arrow-v4.txt", arrow_schemas, 4),
        ("arrow-v5.txt", arrow_schemas, 5),
        ("parquet-v4.txt", parquet_schemas, 4),
        ("parquet-v5.txt", parquet_schemas, 5),
        ("facts-v4.json", facts, 4),
        ("facts-v5.json", facts, 5),
        ("source-tables.txt", source_tables, 5),
    ],
)
def test_d1_d2_d5_the_public_contract_is_the_golden_one(
    name: str, render: Callable[[int, Path], str], version: int, tmp_path: Path
):
    path, text = GOLDEN / name, render(version, tmp_path)
    if os.environ.get("CIO_UPDATE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text
