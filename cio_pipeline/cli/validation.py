"""`cio-pipeline sync validate` and `sync policy`: what a sync may do, and what to grant it."""

import json
from collections.abc import Sequence
from typing import Annotated

import typer

from cio_pipeline.cli.context import services
from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.destinations.policy import policy as policy_of
from cio_pipeline.pipeline.syncs.validate import Validated, tried_out


def validate(
    sync_ids: Annotated[
        list[str] | None, typer.Argument(help="Ids of the syncs; all if none is named.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Try out each permission that a sync needs in its destination; exit code 1 if one is missing.

    On S3 it writes and removes the empty object `cio-validate`.
    """
    found = services()
    registry = found.ledger.registry
    chosen = [registry.get(one) for one in sync_ids] if sync_ids else registry.all()
    results = tried_out(found.destinations, [one.sync for one in chosen], found.secret)
    if as_json:
        print_json([as_rows(one) for one in results])
    else:
        show_permissions(results)
    if not all(one.ok for one in results):
        raise typer.Exit(1)


def policy(
    sync_id: Annotated[str, typer.Argument(help="Id of the sync.")],
    as_json: AsJson = False,
) -> None:
    """Print the least rights that a sync needs in its destination, ready to paste."""
    sections = policy_of(services().ledger.registry.get(sync_id).sync)
    if as_json:
        print_json({one.title: one.body for one in sections})
        return
    for one in sections:
        body = one.body if isinstance(one.body, str) else json.dumps(one.body, indent=2)
        typer.echo(f"# {one.title}\n{body}\n")


def show_permissions(results: Sequence[Validated]) -> None:
    """Print what came of validating, a line for each permission."""
    rows = [
        (one.sync_id, p.name, _result(one, number), p.needed_for, f"{p.detail} {p.next_step}")
        for one in results
        for number, p in enumerate(one.permissions)
    ]
    columns = ("sync", "permission", "result", "needed for", "what to do")
    print_table("Permissions", columns, rows, "no sync is registered")


def as_rows(validated: Validated) -> dict[str, object]:
    """One sync's result for scripts."""
    rows = [
        {
            "permission": one.name,
            "result": _result(validated, number),
            "needed_for": one.needed_for,
            "detail": one.detail,
            "next_step": one.next_step,
        }
        for number, one in enumerate(validated.permissions)
    ]
    return {"sync_id": validated.sync_id, "ok": validated.ok, "permissions": rows}


def _result(validated: Validated, number: int) -> str:
    permission = validated.permissions[number]
    if permission.granted is None:
        return "not known"
    if permission.granted:
        return "pass"
    return "fail" if validated.needs(permission) else "missing"
