"""`cio-pipeline status`: one screen of what is wrong and what runs."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import typer
from rich.filesize import decimal

from cio_pipeline.cli.context import services
from cio_pipeline.cli.output import CONSOLE, named, print_json, print_table
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.pipeline.scheduling.standing import Standing, Wrong, standing
from cio_pipeline.settings import settings

LITTLE = 10**9
"""Bytes that have to be free where files are encoded and the ledger lies."""

SHOWN = 20
"""Things that are wrong on the screen; `--json` has all."""


def status(as_json: AsJson = False) -> None:
    """Show what is wrong and what runs now; exit code 1 if something is wrong.

    Late and failing syncs, breakers, rows held back and breaches of the source's contract in the
    last 24 hours, tables that cannot be read, windows cut ahead of the clock, and the disk. It asks
    the ledger alone.
    """
    found = standing(services())
    home = settings().home
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    found = replace(found, wrong=(*found.wrong, *_disk(home, free)))
    if as_json:
        print_json({"ok": not found.wrong, **asdict(found), "disk_free": free})
    else:
        _show(found, free)
    if found.wrong:
        raise typer.Exit(1)


def _disk(home: Path, free: int) -> Sequence[Wrong]:
    if free >= LITTLE:
        return ()
    why = f"only {decimal(free)} are free where {home} lies"
    return (Wrong("disk", None, (), None, why, "Make room: no file can be encoded without."),)


def _show(found: Standing, free: int) -> None:
    things = len(found.wrong)
    mark = f"✗ {_count(things, 'thing')} wrong" if things else "✓ Nothing is wrong"
    held = f"{_count(found.quarantined, 'row')} in quarantine"
    CONSOLE.print(
        f"{mark}; {_count(found.syncs, 'sync')}, {held}, {decimal(free)} free",
        style="bold red" if things else "bold green",
    )
    rows = [
        (one.kind, _which(one), one.since, f"{_sentence(one.why)} {one.next_step}")
        for one in found.wrong[:SHOWN]
    ]
    if rows:
        print_table("Wrong", ("what", "which", "since", "why and what to do"), rows)
    if things > SHOWN:
        CONSOLE.print(f"… and {things - SHOWN:,} more; --json has all")
    runs = [
        (one.owner, named(one.syncs, "syncs"), named(one.exports, "exports"), one.until)
        for one in found.running
    ]
    print_table("Runs now", ("run", "syncs", "works on", "until"), runs, "nothing")


def _which(one: Wrong) -> str:
    of = named(one.of, "exports")
    return f"{one.sync_id}: {of}" if one.sync_id and of else one.sync_id or of


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
