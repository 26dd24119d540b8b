"""The cast: scripted rows, so that every table changes in every commit, in a known way.

Commit n brings a person, an object and an object type; commit n + 1 changes them, commit n + 2
deletes them (every second person is suppressed instead). Somebody else is added and deleted
within one commit. Campaign 1, its actions and newsletter 1 are edited once a commit. Number 0
belongs to the history. What it does comes act by act, rows as plain dictionaries.

Times are parts of the commit's span, so that what follows in a story lies later in it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import polars as pl

from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.demo.actor import (
    Actor,
    attribute_row,
    brief_row,
    email_row,
    event_row,
    journey_row,
    letter_row,
    metric_row,
    object_name_row,
    object_row,
    object_type_row,
    person_row,
    reply_row,
    step_row,
    within,
)
from cio_pipeline.demo.catalogue import created_action, created_broadcast, created_campaign
from cio_pipeline.demo.outcomes import LONG_LINK
from cio_pipeline.demo.world import Span, Workspace, finished

Rows: TypeAlias = Mapping[str, Sequence[Mapping[str, object]]]


def _first_act(actor: Actor) -> Rows:
    """Somebody signs up, starts a journey, gets an SMS and answers it."""
    added, sent, text = actor.at(0, 0.05), actor.at(0, 0.3), actor.at(0, 0.35)
    who = {"internal_customer_id": actor.cio_id}
    sms = {"delivery_id": actor.ident("s"), **who, "recipient": actor.phone}
    return {
        "people": [person_row(actor, added, "first"), brief_row(actor)],
        "attributes": [
            attribute_row(actor, "id", f'"{actor.ident("user")}"', added),
            attribute_row(actor, "email", f'"first-{actor.number}@example.com"', added),
            attribute_row(actor, "plan", '"free"', added),
            attribute_row(actor, "account_number", str(2**53 + 1 + 2 * actor.number), added),
            attribute_row(actor, "trial_ends_at", "1790000000", added),
        ],
        "subjects": [journey_row(actor, sent)],
        "outputs": [step_row(actor, sent, "message queued", draft=True)],
        "deliveries": [
            email_row(actor, sent, None),
            {
                **sms,
                "delivery_type": "sms",
                "transactional_message_id": 3,
                "created_at": text,
                "seq_num": text * 100,
            },
        ],
        "delivery_content": [{**sms, "type": "sms", "body": "Reply YES to confirm"}],
        "metrics": [
            metric_row(actor, "s", "sms", "sent", actor.at(0, 0.36)),
            metric_row(actor, "s", "sms", "delivered", actor.at(0, 0.38)),
        ],
        "events": [event_row(actor)],
        "inbound": [reply_row(actor)],
        "objects": [object_row(actor, "project", actor.at(0, 0.1))],
        "object_types": [object_type_row(actor, actor.at(0, 0.1), deleted=False, enabled=True)],
        "object_attributes": [object_name_row(actor, '"Größe & Söhne"', actor.at(0, 0.1))],
    }


def _second_act(actor: Actor) -> Rows:
    """The email leaves and is opened and clicked; person, object and type change."""
    sent, changed = actor.at(1, 0.35), actor.at(1, 0.7)
    recipient = f"first-{actor.number}@example.com"
    opened = {"proxied": True, "prefetched": False, "user_agent": "Mozilla/5.0"}
    clicked = {"link_id": 1, "link_url": LONG_LINK, "machine": False}
    return {
        "people": [person_row(actor, changed, "second")],
        "attributes": [
            attribute_row(actor, "email", f'"second-{actor.number}@example.com"', changed),
            attribute_row(actor, "plan", '{"name":"pro","seats":[1,2]}', changed),
            attribute_row(actor, "trial_ends_at", None, changed),
        ],
        "subjects": [journey_row(actor, sent)],
        "outputs": [step_row(actor, sent, "message sent", draft=False)],
        "deliveries": [email_row(actor, sent, recipient)],
        "delivery_content": [letter_row(actor, recipient)],
        "metrics": [
            metric_row(actor, "d", "email", "sent", sent),
            metric_row(actor, "d", "email", "delivered", actor.at(1, 0.36)),
            metric_row(actor, "d", "email", "opened", actor.at(1, 0.5), **opened),
            metric_row(actor, "d", "email", "clicked", actor.at(1, 0.55), **clicked),
        ],
        "objects": [object_row(actor, "renamed", changed)],
        "object_types": [object_type_row(actor, changed, deleted=False, enabled=False)],
        "object_attributes": [object_name_row(actor, '"Söhne"', changed)],
    }


def _third_act(actor: Actor) -> Rows:
    """Person, object and type go; their attributes stay."""
    gone = actor.at(2, 0.5)
    suppressed = actor.number % 2 == 1
    return {
        "people": [
            person_row(actor, gone, "second", deleted=not suppressed, suppressed=suppressed)
        ],
        "objects": [object_row(actor, "renamed", gone, deleted=True)],
        "object_types": [object_type_row(actor, gone, deleted=True, enabled=False)],
    }


ACTS: tuple[Callable[[Actor], Rows], ...] = (_first_act, _second_act, _third_act)
"""What an actor does in the commit that brings it, and in the two after."""


def edits(workspace: Workspace, number: int, span: Span) -> Rows:
    """The edits of a commit: campaign 1, its actions 1 and 3 (without a name), newsletter 1."""
    at = within(span, 0.45)
    topics = (None, [], ["Offers"], ["Offers", "Produktneuheiten"])[number % 4]
    edit = {"version": number + 1, "updated_at": at, "topic_names": topics}
    campaign = {"campaign_id": 1, **edit, "created_at": created_campaign(workspace, 1)}
    return {
        "campaigns": [{**campaign, "name": f"Welcome (edit {number})"}],
        "actions": [
            {
                **campaign,
                "action_id": action,
                "name": name,
                "created_at": created_action(workspace, action),
            }
            for action, name in ((1, f"First email (edit {number})"), (3, None))
        ],
        "broadcasts": [
            {
                **edit,
                "broadcast_id": 1,
                "name": f"Release notes (edit {number})",
                "created_at": created_broadcast(workspace, 1),
            }
        ],
    }


Row: TypeAlias = Mapping[str, object]

STAGE = 2
"""How many workspaces have a cast: the first ones."""


@dataclass(frozen=True)
class Scene:
    """A commit's number and the spans of it and of the two before, the newest last."""

    number: int
    spans: tuple[Span, ...]


def cast_rows(workspace: Workspace, scene: Scene) -> dict[str, pl.DataFrame]:
    """The scripted rows of a commit by table; none beyond the first workspaces."""
    if workspace.number > STAGE:
        return {}
    rows: dict[str, list[Row]] = {}
    for age in range(min(len(scene.spans), scene.number + 1)):
        number = scene.number - age
        actor = Actor(workspace, number, tuple(scene.spans[-1 - age :]))
        for table, added in ACTS[age](actor).items():
            rows.setdefault(table, []).extend(added)
    if scene.number > 0:
        for table, added in edits(workspace, scene.number, scene.spans[-1]).items():
            rows.setdefault(table, []).extend(added)
    return {table: _frame(table, found, workspace.number) for table, found in rows.items()}


def _frame(table: str, rows: Sequence[Row], workspace: int) -> pl.DataFrame:
    dtypes = source_schema(SOURCE_TABLES[table])
    schema = {
        name: pl.Int64() if isinstance(dtype, pl.Datetime) else dtype
        for name, dtype in dtypes.items()
        if name != "workspace_id"
    }
    complete = [{name: row.get(name) for name in schema} for row in rows]
    return finished(pl.DataFrame(complete, schema=schema), table, workspace)
