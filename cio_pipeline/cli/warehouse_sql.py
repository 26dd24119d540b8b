"""`cio-pipeline warehouse sql`: what to run in a warehouse of one's own."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

import typer

from cio_pipeline.cli.output import print_json
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.feeds import Feed
from cio_pipeline.reader.sql.dialects import DIALECTS, DialectName
from cio_pipeline.reader.sql.erase import Whom
from cio_pipeline.reader.sql.kit import STEPS, Statement, Step, erasure, script
from cio_pipeline.reader.sql.loads import Place
from cio_pipeline.reader.sql.relations import Relation, calls, data_out

ACCESS: Mapping[DialectName, str] = {
    "snowflake": "a storage integration",
    "redshift": "the ARN of a role",
}
"""What a dialect needs to be told, to read the files."""


def sql(
    location: Annotated[
        str,
        typer.Argument(
            help="Where the files lie, as the warehouse names it: s3://bucket/path, gs://, "
            "azure://, https://, or a folder."
        ),
    ],
    dialect: Annotated[DialectName, typer.Option(help="Whose SQL.")],
    schema: Annotated[str, typer.Option(help="Schema or dataset of the tables.")] = "data_out",
    feed: Annotated[Feed, typer.Option(help="data-out or calls.")] = Feed.DATA_OUT,
    version: Annotated[int, typer.Option(min=4, max=5, help="Version of data-out.")] = 5,
    table: Annotated[
        list[str] | None, typer.Option(help="Only this table; repeatable. Default: all.")
    ] = None,
    stem: Annotated[
        list[str] | None,
        typer.Option(help="EXPORT=STEM where the sync names files otherwise; repeatable."),
    ] = None,
    layout: Annotated[Literal["flat", "dated"], typer.Option(help="Layout of the sync.")] = "flat",
    access: Annotated[
        str, typer.Option(help="What reads the files: Snowflake's integration, Redshift's role.")
    ] = "",
    step: Annotated[Step | None, typer.Option(help="Only this step. Default: all.")] = None,
    erase: Annotated[
        str | None, typer.Option(help="Only what takes this person out: WORKSPACE/PERSON.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print tables with comments, loads, views of newest rows and the deletion of who is gone.

    Redshift loads what its own manifest files name, BigQuery and PostgreSQL load all anew, the
    others each file once.
    """
    _needs_access(dialect, access)
    relations = _relations(feed, version, _stems(stem or ()), table or ())
    place = Place(location.rstrip("/"), schema, layout == "dated", access or "role")
    chosen = DIALECTS[dialect]
    if erase is not None:
        statements = list(erasure(relations, place, chosen, _whom(erase)))
    else:
        statements = list(script(relations, place, chosen))
    shown = [one for one in statements if not step or one.step == step]
    if as_json:
        print_json(shown)
    else:
        typer.echo(_text(shown))


def _needs_access(dialect: DialectName, access: str) -> None:
    if dialect in ACCESS and not access:
        raise InvalidConfig(
            f"{dialect} reads files with {ACCESS[dialect]}.", "Name it with --access."
        )


def _relations(
    feed: Feed, version: int, stems: dict[str, str], wanted: Sequence[str]
) -> tuple[Relation, ...]:
    if feed is Feed.DATA_OUT:
        return data_out(version, stems, wanted)
    if feed is Feed.CALLS:
        return calls("parquet", wanted)
    raise InvalidConfig(
        "Messages are objects of their own, not tables.", "Use --feed data-out or --feed calls."
    )


def _stems(given: Iterable[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    for export, sign, stem in pairs:
        if not sign or not stem.replace("_", "").isalnum():
            raise InvalidConfig(
                f"'{export}{sign}{stem}' names no stem.", "Write --stem actions=workflow_actions."
            )
    return {export: stem for export, _, stem in pairs}


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
