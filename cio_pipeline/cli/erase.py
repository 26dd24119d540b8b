"""`cio-pipeline erase`: taking a person out of what was delivered, and checking its receipt."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cio_pipeline.cli.context import services, whoever
from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.cli.progress import progress
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.pipeline.erasure.erase import erase as erase_person
from cio_pipeline.pipeline.erasure.receipt import Receipt, as_json, check_receipt, read_receipt


def erase(
    person: Annotated[
        list[str],
        typer.Argument(
            metavar="PERSON | verify RECEIPT",
            help="An internal id, a customer id or an email address; or the receipt to check.",
        ),
    ],
    workspace: Annotated[int | None, typer.Option(help="The person's workspace.")] = None,
    receipt: Annotated[
        Path | None, typer.Option(help="Write the receipt here; it names nobody.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list the files that hold the person.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take a person out of all files that were delivered for a workspace.

    Files that are still there are rewritten in place, and the next manifest says so. The person has
    to be gone in the source before. Exit code 1 if some file could not be rewritten.
    """
    match person, workspace:
        case ["verify", path], None:
            _verify(Path(path), as_json=as_json)
        case [one], int():
            _erase(one, workspace, receipt, dry_run=dry_run, json=as_json)
        case _:
            raise InvalidConfig(
                "Name one person, and their workspace.",
                "`cio-pipeline erase --workspace 1 ada@example.org`, or `cio-pipeline erase verify "
                "RECEIPT`.",
            )


def _erase(one: str, workspace: int, file: Path | None, *, dry_run: bool, json: bool) -> None:
    if file is not None and file.exists():
        raise InvalidConfig(f"{file.name} is there already.", "Give the receipt a new name.")
    if file is not None and not (file.parent.is_dir() and os.access(file.parent, os.W_OK)):
        raise InvalidConfig(
            f"{file.name} cannot be written where it is to lie.",
            "Make the folder, or name another.",
        )
    with progress(enabled=not json) as bar:
        found = replace(services(), progress=bar)
        done = erase_person(found, workspace, one, whoever(), dry_run=dry_run)
    if file is not None:
        file.write_text(as_json(done), encoding="utf-8")
    if json:
        typer.echo(as_json(done), nl=False)
    else:
        _show(done)
    if not done.complete:
        raise typer.Exit(1)


def _show(done: Receipt) -> None:
    now = "holds the person" if done.dry_run else "erased"
    rows: Sequence[tuple[object, ...]] = [
        *((one.sync, one.key, one.rows, now, one.manifest) for one in done.files),
        *((one.sync, one.key, None, one.why, None) for one in done.left),
    ]
    print_table(
        "Files", ("sync", "file", "rows left", "what", "manifest"), rows, "no file holds the person"
    )
    if done.gone:
        many = "1 file was" if len(done.gone) == 1 else f"{len(done.gone):,} files were"
        typer.echo(f"{many} gone before; --json and the receipt name what they were.")
    for note in done.notes:
        typer.echo(note, err=True)
    if done.left:
        typer.echo("Mend what is said of the files that were left, then erase again.", err=True)


def _verify(path: Path, *, as_json: bool) -> None:
    found = check_receipt(services(), read_receipt(path))
    if as_json:
        print_json(found)
    else:
        rows = [(one.sync, one.key, one.state) for one in found]
        print_table("Receipt", ("sync", "file", "now"), rows, "it lists no file")
    if any(one.wrong for one in found):
        raise typer.Exit(1)
