"""`cio-pipeline audience write-back`: an audience as an attribute on the platform (O7)."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

import typer

from cio_pipeline.cli.audience import FeedName, Name, Warehouse, warehouse_file
from cio_pipeline.cli.output import console, print_json, print_table
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.destinations.paced import Pace
from cio_pipeline.destinations.patience import Patience
from cio_pipeline.destinations.secrets import secret_of
from cio_pipeline.reader.audiences import HOLDOUT, Audience, Marts, Member, Writing, marts_in
from cio_pipeline.reader.write_back import (
    Change,
    Region,
    Sent,
    Tiers,
    Value,
    account_of,
    checked_attribute,
    checked_endpoint,
    client,
    send,
    send_all,
    tiers,
)
from cio_pipeline.wiring import now

SHOWN = 20
"""Changes that a dry run lists one by one; `--json` has all."""

Attribute = Annotated[str, typer.Option(help="Name of the attribute to set.")]
TierOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--tier", help="NAME=LEAST: a name instead of the score from this score on; repeatable."
    ),
]
SiteId = Annotated[str, typer.Option(help="Reference: env:NAME or file:/path.")]
ApiKey = Annotated[str, typer.Option(help="Reference of the Track API's key.")]
Rate = Annotated[float, typer.Option(min=0.1, max=1000, help="At most so many people a second.")]


def write_back(
    name: Name,
    attribute: Attribute,
    tier: TierOptions = None,
    site_id: SiteId = "env:CIO_SITE_ID",
    api_key: ApiKey = "env:CIO_TRACK_KEY",
    region: Annotated[Region, typer.Option(help="Where the account is.")] = Region.US,
    url: Annotated[str | None, typer.Option(help="Endpoint of a proxy, with /api/v1.")] = None,
    per_second: Rate = 50,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what it would send.")
    ] = False,
    warehouse: Warehouse = None,
    feed: FeedName = None,
    as_json: AsJson = False,
) -> None:
    """Set an attribute of an audience's people on the platform, where it differs.

    Its value is the tier or score, or true where there are no scores. Who has left the audience
    loses the attribute; who is held out, deleted or suppressed is not touched. It can be stopped at
    any time: the next run goes on.
    """
    chosen, attribute = tiers(tier or ()), checked_attribute(attribute)
    endpoint = checked_endpoint(url)
    with marts_in(warehouse_file(warehouse), feed, write=True) as marts:
        audience, site = marts.audience(name), secret_of(site_id)
        what = Writing(audience.name, attribute, account_of(site, region))
        changes = list(changes_of(marts, audience, what, chosen))
        if dry_run:
            _show(name, attribute, changes, as_json=as_json)
            return
        key = secret_of(api_key)
        track = _PerThread(lambda: client(site, key, region, endpoint))
        done = _send(
            changes,
            lambda change: send(track.get(), change, attribute),
            lambda values: marts.keep_written(what, values, now()),
            Pace(per_second),
        )
    _tell(name, done, as_json=as_json)


def _send(
    changes: Sequence[Change],
    one: Callable[[Change], None],
    written: Callable[[Sequence[tuple[int, str, str]]], None],
    pace: Pace,
) -> Sent:
    """Send them, show how far it is, and have written down what arrived: workspace, id, value."""

    def keep(arrived: Sequence[Change]) -> None:
        written([(one.workspace_id, one.internal_customer_id, str(one.value)) for one in arrived])

    done = Sent()
    with console(stderr=True).status(f"{len(changes):,} people …") as status:
        for done in send_all(changes, one, keep, pace, Patience()):
            status.update(f"{done.sent:,} of {len(changes):,} people")
    return done


def changes_of(marts: Marts, audience: Audience, what: Writing, chosen: Tiers) -> Iterator[Change]:
    """Everybody whose value differs from what was sent last."""
    before = marts.written(what)
    for member in marts.members(audience):
        value = None if member.side == HOLDOUT else value_of(member, chosen)
        if value is None:
            continue
        person = member.workspace_id, member.internal_customer_id
        last = before.pop(person, None)
        if last != str(value):
            yield Change(*person, value, last)
    for person, last in before.items():
        if last != "":
            yield Change(*person, "", last)


def value_of(member: Member, chosen: Tiers) -> Value | None:
    """The attribute of a member; None for who is below all tiers."""
    if chosen.steps:
        return chosen.of(member.score)
    # DuckDB's decimals are no JSON.
    return True if member.score is None else float(member.score)


class _PerThread:
    """One client for each thread: a session of HTTP is not shared."""

    def __init__(self, make: Any) -> None:
        self._make, self._here = make, threading.local()

    def get(self) -> Any:
        if not hasattr(self._here, "client"):
            self._here.client = self._make()
        return self._here.client


def _show(name: str, attribute: str, changes: Sequence[Change], *, as_json: bool) -> None:
    if as_json:
        print_json(list(changes))
        return
    columns = ("workspace", "person", "before", attribute)
    rows = [
        (one.workspace_id, one.internal_customer_id, one.before, str(one.value) or "(taken away)")
        for one in changes[:SHOWN]
    ]
    print_table(f"What {name} would send", columns, rows, "nothing differs")
    if len(changes) > SHOWN:
        typer.echo(f"and {len(changes) - SHOWN:,} more; --json lists all.")


def _tell(name: str, done: Sent, *, as_json: bool) -> None:
    if as_json:
        print_json(done)
    else:
        typer.echo(f"{name}: {done.sent:,} sent, {done.refused:,} refused.")
    if done.refused:
        raise typer.Exit(1)
