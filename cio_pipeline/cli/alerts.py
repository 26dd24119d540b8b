"""`cio-pipeline alerts`: who is told of what is wrong, whether that works, and what is known."""

from collections.abc import Callable
from typing import Annotated

import typer

from cio_pipeline.alerting import alerts_file, check_ping, check_target, send
from cio_pipeline.cli.context import services
from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.model.alerts import KnownIncident, Message
from cio_pipeline.model.errors import CioError
from cio_pipeline.settings import settings

TEST = Message(
    "cio-pipeline: a test",
    "This is what an alert looks like: `cio-pipeline alerts test` sent it. Nothing is wrong.",
)


def check(as_json: AsJson = False) -> None:
    """Read the file that CIO_ALERTS names, and each secret in it; exit code 1 if one is amiss."""
    file = alerts_file(settings())
    problems = {target: _problem(check_target, target) for target in file.targets}
    rows: list[dict[str, object]] = [
        {
            "owner": route.owner,
            "target": target,
            "severity": route.severity.value,
            "digest_hour": route.digest_hour,
            "problem": problems[target],
        }
        for route in file.routes
        for target in route.targets
    ]
    if file.ping_url is not None:
        problem = _problem(check_ping, file.ping_url)
        empty = dict.fromkeys(("owner", "severity", "digest_hour"))
        rows.append({**empty, "target": f"ping: {file.ping_url}", "problem": problem})
    _show(rows, "Routes", as_json=as_json)
    if any(row["problem"] for row in rows):
        raise typer.Exit(1)


def try_out(
    target: Annotated[
        list[str] | None, typer.Option("--target", help="Only this reference; repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send each target a message that says it is a test; exit code 1 if one does not take it."""
    file = alerts_file(settings())
    wanted = [one for one in file.targets if target is None or one in target]
    if unknown := sorted(set(target or ()) - set(wanted)):
        raise typer.BadParameter(f"No route names the target {unknown[0]}.")
    rows: list[dict[str, object]] = [
        {"target": one, "problem": _problem(lambda it: send(it, TEST), one)} for one in wanted
    ]
    told = rows if as_json else [one | {"problem": one["problem"] or "took it"} for one in rows]
    _show(told, "Test", as_json=as_json)
    if any(one["problem"] for one in rows):
        raise typer.Exit(1)


def list_(as_json: AsJson = False) -> None:
    """List what is wrong, who was told, and targets that cannot be reached."""
    found = services()
    now, alerts = found.clock(), found.ledger.alerts
    targets = [one for one in alerts.targets().values() if one.failures]
    incidents = [one for one in alerts.known(now) if one.closed_at is None]
    if as_json:
        print_json({"incidents": incidents, "targets": targets})
        return
    columns = ("what", "which", "owner", "since", "severity", "says", "told")
    print_table("Incidents", columns, [_row(one) for one in incidents])
    down = [(one.target, one.since, one.failures, one.problem, one.next_at) for one in targets]
    if down:
        print_table("Targets that are down", ("target", "since", "tries", "why", "next"), down)


def _problem(work: Callable[[str], None], target: str) -> str:
    try:
        work(target)
    except CioError as error:
        return str(error)
    return ""


def _show(rows: list[dict[str, object]], title: str, *, as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    columns = list(rows[0]) if rows else []
    print_table(title, columns, [tuple(one[name] for name in columns) for one in rows])


def _row(one: KnownIncident) -> tuple[object, ...]:
    of = one.finding
    which = " ".join(part for part in (of.sync_id, of.export, of.about) if part)
    told = ", ".join(sorted(one.told)) or "nobody yet"
    return of.check, which, of.owner, one.opened_at, of.severity.value, of.says, told
