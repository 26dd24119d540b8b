"""`cio-pipeline warehouse sql`: what to run in a warehouse of one's own."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from cio_pipeline.cli.output import console, print_json
from cio_pipeline.cli.parameters import AsJson, Stems, stems_of
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.feeds import Feed
from cio_pipeline.reader.feed import Feed as Delivered
from cio_pipeline.reader.sql import DialectName
from cio_pipeline.reader.sql.dialects import DIALECTS
from cio_pipeline.reader.sql.erase import Whom
from cio_pipeline.reader.sql.kit import STEPS, Statement, Step, erasure, script
from cio_pipeline.reader.sql.loads import Place
from cio_pipeline.reader.sql.redshift import write_manifests
from cio_pipeline.reader.sql.relations import relations_of

ACCESS: Mapping[DialectName, str] = {
    "snowflake": "a storage integration",
    "redshift": "the ARN of a role",
}
"""What a dialect needs to be told, to read the files."""


READS: Mapping[DialectName, tuple[str, ...]] = {
    "snowflake": ("s3://", "gcs://", "azure://"),
    "bigquery": ("gs://",),
    "redshift": ("s3://",),
    "databricks": ("s3://", "gs://", "abfss://", "/Volumes/"),
    "clickhouse": ("s3://", "gs://", "https://", ""),
    "duckdb": ("s3://", "gs://", "az://", "azure://", "abfss://", ""),
    "postgres": ("s3://", "az://", "azure://", "abfss://", "file://", ""),
}
"""What a location begins with that a dialect's statements can load from; empty: a folder."""


Location = Annotated[
    str,
    typer.Argument(
        help="Where the files lie, as the warehouse names it: s3://bucket/path, gs://, azure://, "
        "https://, or a folder."
    ),
]
Tables = Annotated[
    list[str] | None, typer.Option("--table", help="Only this table; repeatable. Default: all.")
]
Access = Annotated[
    str, typer.Option(help="What reads the files: Snowflake's integration, Redshift's role.")
]
Person = Annotated[
    str | None, typer.Option(help="Only what takes this person out: WORKSPACE/PERSON.")
]
Manifest = Annotated[
    Path | None,
    typer.Option(help="Also write Redshift's manifest files of what is there into this folder."),
]


def sql(
    location: Location,
    dialect: Annotated[DialectName, typer.Option(help="Whose SQL.")],
    schema: Annotated[str, typer.Option(help="Schema or dataset of the tables.")] = "data_out",
    feed: Annotated[Feed, typer.Option(help="data-out, or calls as Parquet.")] = Feed.DATA_OUT,
    version: Annotated[int, typer.Option(min=4, max=5, help="Version of data-out.")] = 5,
    tables: Tables = None,
    stems: Stems = None,
    layout: Annotated[Literal["flat", "dated"], typer.Option(help="Layout of the sync.")] = "flat",
    access: Access = "",
    step: Annotated[Step | None, typer.Option(help="Only this step. Default: all.")] = None,
    erase: Person = None,
    manifest: Manifest = None,
    since: Annotated[int, typer.Option(min=0, help="With --manifest: only what came after.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Print tables with comments, loads, views of newest rows and the deletion of who is gone.

    Redshift loads what its own manifest files name, BigQuery and PostgreSQL load all anew, the
    others each file once.
    """
    _needs_access(dialect, access)
    _needs_location(dialect, location)
    _needs_sense(dialect, erase, step, manifest)
    relations = relations_of(feed, version, named := stems_of(stems), tables or ())
    place = Place(location.rstrip("/"), schema, layout == "dated", access or "role")
    chosen = DIALECTS[dialect]
    if manifest is not None:
        _write_manifests(place, manifest, since, named)
    if erase is None:
        statements = script(relations, place, chosen)
    else:
        statements = erasure(relations, place, chosen, _whom(erase))
    shown = [one for one in statements if not step or one.step == step]
    if as_json:
        print_json(shown)
    else:
        typer.echo(_text(shown))


def _write_manifests(place: Place, folder: Path, since: int, stems: Mapping[str, str]) -> None:
    feed = Delivered(place.location, stems=stems)
    found = write_manifests(feed, place.location, folder, since)
    files = sum(found.values())
    console(stderr=True).print(
        f"{files} files in {len(found)} manifests below {folder}; COPY expects them below "
        f"{place.location}-load."
    )


def _needs_access(dialect: DialectName, access: str) -> None:
    if dialect in ACCESS and not access:
        raise InvalidConfig(
            f"{dialect} reads files with {ACCESS[dialect]}.", "Name it with --access."
        )


def _needs_location(dialect: DialectName, location: str) -> None:
    known = tuple(one for one in READS[dialect] if one)
    if not location.startswith(known) and ("://" in location or "" not in READS[dialect]):
        raise InvalidConfig(
            f"What {dialect} runs reads nothing from '{location}'.",
            f"Name a location that begins with {', '.join(known)}.",
        )
    # Beside the feed's folder lie the manifest files: beside a bucket lies another bucket.
    if dialect == "redshift" and not location.removeprefix("s3://").strip("/").count("/"):
        raise InvalidConfig(
            "Redshift's manifest files lie beside the feed's folder, where a bucket has no room.",
            "Load a sync that has a `path` in its bucket.",
        )


def _needs_sense(
    dialect: DialectName, erase: str | None, step: Step | None, manifest: Path | None
) -> None:
    if erase is not None and step not in {None, "erase"}:
        raise InvalidConfig(f"--erase prints no step '{step}'.", "Leave --step out.")
    if manifest is not None and dialect != "redshift":
        raise InvalidConfig(f"{dialect} reads no manifest files.", "Leave --manifest out.")


def _whom(text: str) -> Whom:
    workspace, sign, person = text.partition("/")
    if not sign or not person or not workspace.isdecimal():
        raise InvalidConfig(
            f"'{text}' names no person.", "Write --erase 42/0a1b2c3d, workspace and cio_id."
        )
    return Whom(int(workspace), person)


def _text(statements: Iterable[Statement]) -> str:
    """A script; each step begins with a line that says when it is run."""
    lines: list[str] = []
    step = None
    for one in statements:
        if one.step != step:
            lines.append(f"-- {one.step}: {STEPS[one.step]}\n")
            step = one.step
        # What begins with a backslash is psql's own and ends with its line.
        lines.append(one.sql if one.sql.startswith("\\") else f"{one.sql};")
        lines.append("")
    return "\n".join(lines).rstrip()
