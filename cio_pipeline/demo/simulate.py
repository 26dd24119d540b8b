"""The simulation: which rows of which table changed in a span of time.

Nothing here is kept between two calls; days before the span are simulated again as far back as
anything in it can come from.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import polars as pl

from cio_pipeline.demo import activity, attributes, catalogue, objects, outcomes, sends
from cio_pipeline.demo.forwarded import call_rows, message_rows
from cio_pipeline.demo.journeys import (
    LONGEST_JOURNEY,
    journeys,
    output_rows,
    steps,
    subject_rows,
)
from cio_pipeline.demo.occasions import days_of
from cio_pipeline.demo.people import people_rows, roster
from cio_pipeline.demo.world import DAY, HOUR, Span, Workspace, World, workspaces_of

Frames: TypeAlias = Mapping[str, pl.DataFrame]
"""Rows by table, in the tables' declared columns; tables without rows may be absent."""

_LOOK_BACK = LONGEST_JOURNEY + sends.LONGEST_QUEUE + activity.LONGEST_REPLY + DAY
_MESSAGES_PER_PIECE = 75_000
_PEOPLE_PER_PIECE = 50_000


@dataclass(frozen=True)
class Piece:
    """A part of a workspace's history that fits in memory: some of its days and people.

    The first piece also holds campaigns, objects and the like.
    """

    workspace: Workspace
    days: range
    people: range
    first: bool


def pieces(world: World) -> list[Piece]:
    """The history in pieces, workspace by workspace."""
    return [piece for workspace in workspaces_of(world) for piece in _pieces(workspace)]


def _pieces(workspace: Workspace) -> Iterator[Piece]:
    days = days_of(workspace, workspace.world.origin, workspace.world.until)
    messages = workspace.people * workspace.world.size.messages_per_person
    # People are sliced beyond their expected number: sign-ups come by chance.
    people = workspace.people + 2
    count = math.ceil(max(messages / _MESSAGES_PER_PIECE, people / _PEOPLE_PER_PIECE))
    for number in range(min(count, len(days))):
        yield Piece(
            workspace,
            days[_share(number, count, len(days))],
            range(people)[_share(number, count, people)],
            first=number == 0,
        )


def _share(number: int, count: int, total: int) -> slice:
    return slice(number * total // count, (number + 1) * total // count)


@lru_cache(maxsize=1)
def _roster(workspace: Workspace, until: int) -> pl.DataFrame:
    return roster(workspace, until)


def history_rows(piece: Piece) -> Frames:
    """The rows of one piece as they are at the end of the history."""
    workspace, span = piece.workspace, piece.workspace.world.past
    everybody = _roster(workspace, span.end)
    people = everybody[piece.people.start : piece.people.stop]
    frames = {
        **_people(workspace, people, span),
        **_messages(workspace, piece.days, piece.days, everybody, span),
    }
    if not piece.first:
        return frames
    # A sync forwards what comes in from its beginning on: of a long past, little will do.
    late = Span(max(span.start, span.end - HOUR), span.end)
    forwarded = {"messages": message_rows(workspace, late), "calls": call_rows(workspace, late)}
    return {**frames, **_things(workspace, span), **forwarded}


def changed_rows(workspace: Workspace, span: Span) -> Frames:
    """The rows of a workspace that changed in a span after the history."""
    everybody = _roster(workspace, span.end)
    days = days_of(workspace, span.start - _LOOK_BACK, span.end)
    today = days_of(workspace, span.start, span.end)
    return {
        **_people(workspace, everybody, span),
        **_things(workspace, span),
        **_messages(workspace, days, today, everybody, span),
        "messages": message_rows(workspace, span),
        "calls": call_rows(workspace, span),
    }


def _people(workspace: Workspace, people: pl.DataFrame, span: Span) -> dict[str, pl.DataFrame]:
    return {
        "people": people_rows(workspace, people, span),
        "attributes": attributes.attribute_rows(workspace, people, span),
    }


def _things(workspace: Workspace, span: Span) -> dict[str, pl.DataFrame]:
    frame = objects.objects_frame(workspace, span.end)
    return {
        "campaigns": catalogue.campaign_rows(workspace, span),
        "actions": catalogue.action_rows(workspace, span),
        "broadcasts": catalogue.broadcast_rows(workspace, span),
        "object_types": objects.type_rows(workspace, span),
        "objects": objects.object_rows(workspace, frame, span),
        "object_attributes": objects.object_attribute_rows(workspace, frame, span),
    }


def _messages(
    workspace: Workspace, days: range, event_days: range, people: pl.DataFrame, span: Span
) -> dict[str, pl.DataFrame]:
    begun = journeys(workspace, days, people)
    stepped = steps(begun)
    sent = sends.sends(workspace, days, stepped, people)
    return {
        "subjects": subject_rows(workspace, begun.filter(pl.col("at") < span.end), span),
        "outputs": output_rows(workspace, stepped, span),
        "deliveries": sends.delivery_rows(workspace, sent, span),
        "delivery_content": sends.content_rows(workspace, sent, span),
        "metrics": outcomes.metric_rows(workspace, sent, span),
        "events": activity.event_rows(workspace, event_days, begun, people, span),
        "inbound": activity.inbound_rows(workspace, sent, span),
    }
