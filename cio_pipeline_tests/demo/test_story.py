"""What the demo tells: every case that the exports must treat occurs in it."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.demo.simulate import Frames
from cio_pipeline.demo.state import first_state
from cio_pipeline.demo.world import SMALL, world_of
from cio_pipeline.demo.write import changes, history

UNTIL = datetime(2026, 3, 1, 11, 50, tzinfo=UTC)
PERSON = ["workspace_id", "internal_customer_id"]


def _ignore(_title: str, _done: int, _total: int) -> None:
    return None


@pytest.fixture(scope="module")
def story() -> Frames:
    world = world_of(SMALL, 3, UNTIL)
    parts = list(history(world, first_state(world).scene, _ignore))
    return {name: pl.concat([part[name] for part in parts]) for name in SOURCE_TABLES}


def _gone(story: Frames) -> pl.DataFrame:
    return story["people"].filter(pl.col("deleted") | pl.col("suppressed"))


def test_d1_identities_occur_once(story: Frames) -> None:
    for name, table in SOURCE_TABLES.items():
        assert not story[name].select(table.identity).is_duplicated().any(), name


def test_d1_numbers_start_from_one_in_every_workspace(story: Frames) -> None:
    for name, column in (
        ("campaigns", "campaign_id"),
        ("broadcasts", "broadcast_id"),
        ("object_types", "object_type_id"),
    ):
        lowest = story[name].group_by("workspace_id").agg(pl.col(column).min())
        assert lowest[column].to_list() == [1] * SMALL.workspaces


def test_d3_people_have_every_kind_of_identifier(story: Frames) -> None:
    people = story["people"]
    for has_id in (True, False):
        for has_email in (True, False):
            kind = people.filter(
                pl.col("id").is_not_null() == has_id, pl.col("email").is_not_null() == has_email
            )
            assert kind.height > 5
    assert (people["id_changed_at"] > people["added_at"]).any()
    assert people.filter(pl.col("deleted") & pl.col("suppressed")).height > 0
    brief = people.filter(
        pl.col("deleted"), pl.col("updated_at") - pl.col("added_at") < timedelta(minutes=6)
    )
    assert brief.height > 0


def test_d3_attribute_values_are_json_of_every_kind(story: Frames) -> None:
    values = story["attributes"]["attribute_value"]
    assert values.null_count() > 0
    decoded = [json.loads(value) for value in values.drop_nulls().to_list()]
    assert {type(value) for value in decoded} == {str, int, float, bool, dict}
    assert max(value for value in decoded if type(value) is int) > 2**53
    assert any('"' in value for value in decoded if isinstance(value, str))
    assert values.str.contains(r"[^\x00-\x7F]").any()


def test_d4_people_gone_before_the_first_export_left_traces(story: Frames) -> None:
    gone = _gone(story).select(PERSON)
    for name in ("deliveries", "delivery_content", "metrics", "outputs", "subjects", "events"):
        assert story[name].join(gone, on=PERSON, how="semi").height > 0, name
    assert story["attributes"].join(gone, on=PERSON, how="semi").height > 0
    for workspace in (1, 2):
        flags = _gone(story).filter(workspace_id=workspace)
        assert flags["deleted"].any()
        assert flags["suppressed"].any()


def test_nothing_is_sent_to_people_who_are_not_there(story: Frames) -> None:
    people = story["people"].select(*PERSON, "added_at", gone=pl.col("updated_at"), _=True)
    people = people.filter(pl.col("gone").is_not_null())
    for name, time in (("deliveries", "created_at"), ("events", "processed_at")):
        rows = story[name].join(people, on=PERSON, how="left")
        assert rows["added_at"].null_count() == 0
        assert (rows[time] >= rows["added_at"]).all()
    gone = _gone(story).filter(~(pl.col("deleted") & pl.col("suppressed")))
    sent = story["deliveries"].join(gone, on=PERSON)
    assert (sent["created_at"] < sent["updated_at"]).all()


def test_references_hold(story: Frames) -> None:
    def within(name: str, column: str, other: str, key: str) -> bool:
        rows = story[name].filter(pl.col(column).is_not_null())
        left, right = ["workspace_id", column], ["workspace_id", key]
        return rows.join(story[other], left_on=left, right_on=right, how="anti").is_empty()

    assert within("metrics", "delivery_id", "deliveries", "delivery_id")
    assert within("delivery_content", "delivery_id", "deliveries", "delivery_id")
    assert within("outputs", "subject_name", "subjects", "subject_name")
    assert within("outputs", "delivery_id", "deliveries", "delivery_id")
    assert within("deliveries", "subject_id", "subjects", "subject_name")
    assert within("deliveries", "event_id", "events", "event_id")
    assert within("subjects", "event_id", "events", "event_id")
    assert within("subjects", "campaign_id", "campaigns", "campaign_id")
    assert within("deliveries", "newsletter_id", "broadcasts", "broadcast_id")
    assert within("outputs", "action_id", "actions", "action_id")
    assert within("objects", "object_type_id", "object_types", "object_type_id")
    for name in ("attributes", "subjects", "outputs", "deliveries", "events", "inbound"):
        assert within(name, "internal_customer_id", "people", "internal_customer_id")
    objects = "internal_object_id"
    assert within("object_attributes", objects, "objects", objects)


def test_d3_metrics_hold_what_is_cut_and_defaulted(story: Frames) -> None:
    metrics = story["metrics"]
    links = metrics["link_url"].drop_nulls()
    assert (links.str.len_bytes() > 1000).any()
    assert (links.str.len_bytes() > links.str.len_chars()).any()
    assert set(metrics["channel"]) == {"email", "push", "in-app", "sms", "slack", "webhook"}
    names = {
        "attempted", "sent", "delivered", "opened", "clicked", "bounced", "failed", "converted",
        "unsubscribed",
    }  # fmt: skip
    assert set(metrics["metric"]) == names
    opened = metrics.filter(metric="opened", channel="email")
    assert opened["proxied"].any()
    assert opened["prefetched"].any()
    assert metrics.filter(metric="clicked")["machine"].any()
    assert metrics.filter(metric="bounced")["reason"].null_count() == 0
    corrected = metrics.group_by("workspace_id", "event_id").len().filter(pl.col("len") > 1)
    assert corrected.height > 0


def test_d3_content_tells_campaigns_from_newsletters(story: Frames) -> None:
    content = story["delivery_content"]
    newsletters = content.filter(pl.col("newsletter_id").is_not_null())
    assert newsletters["campaign_id"].null_count() == newsletters.height > 0
    assert set(newsletters["content_id"]) == {0, 1}
    campaigns = content.filter(pl.col("campaign_id").is_not_null())
    assert campaigns["content_id"].null_count() == campaigns.height > 0
    assert content.filter(type="webhook")["url"].null_count() == 0
    behind = story["deliveries"].join(content, on=["workspace_id", "delivery_id"], how="anti")
    assert behind.height > 0


def test_d3_journeys_have_every_kind_of_step(story: Frames) -> None:
    assert set(story["subjects"]["campaign_type"]) == {"segment", "event", "triggered_broadcast"}
    outputs = story["outputs"]
    for column in (
        "delivery_id", "split_test_index", "branch_index", "delay_ends_at", "manual_segment_id",
        "add_to_manual_segment", "link_tracked",
    ):  # fmt: skip
        assert 0 < outputs[column].null_count() < outputs.height, column
    assert outputs["draft"].any()


def test_d1_events_reach_back_more_than_30_days_and_hold_json(story: Frames) -> None:
    events = story["events"]
    assert (events["processed_at"] < UNTIL - timedelta(days=30)).any()
    assert (events["processed_at"] - events["timestamp"] > timedelta(days=1)).any()
    assert set(events["type"]) == {"event", "page", "screen"}
    properties = events["properties"]
    assert 0 < properties.null_count() < events.height
    assert all(isinstance(json.loads(text), dict) for text in properties.drop_nulls())
    assert 0 < events["sources"].null_count() < events.height


def test_d3_replies_come_within_72_hours_and_later(story: Frames) -> None:
    inbound = story["inbound"]
    sms = story["deliveries"].filter(delivery_type="sms")
    replies = inbound.with_columns(delivery_id=pl.col("event_id").str.strip_prefix("i"))
    lag = replies.join(sms, on=["workspace_id", "delivery_id"]).select(
        lag=pl.col("timestamp") - pl.col("created_at")
    )["lag"]
    assert (lag < timedelta(hours=72)).any()
    assert (lag > timedelta(hours=80)).any()
    assert inbound.filter("optout")["keyword"].null_count() == 0
    assert 0 < inbound["keyword"].null_count() < inbound.height
    assert (inbound["processed_at"] < UNTIL - timedelta(days=30)).any()


def test_d3_edits_have_versions_topics_and_missing_names(story: Frames) -> None:
    campaigns, actions = story["campaigns"], story["actions"]
    assert campaigns.filter(pl.col("version") > 2).height > 0
    repeated = campaigns.select("workspace_id", "campaign_id", "version").is_duplicated()
    assert repeated.any()
    assert 0 < actions["name"].null_count() < actions.height
    for rows in (campaigns, actions, story["broadcasts"]):
        assert rows["topic_names"].null_count() > 0
        assert {0, 1, 2} >= set(rows["topic_names"].list.len().drop_nulls()) >= {1}


def test_d1_objects_and_types_are_deleted_and_disabled(story: Frames) -> None:
    for workspace in (1, 2):
        types = story["object_types"].filter(workspace_id=workspace)
        assert types["deleted"].any()
        assert (~types["enabled"] & ~types["deleted"]).any()
        assert story["objects"].filter(workspace_id=workspace)["deleted"].any()
    attributes = story["object_attributes"]["attribute_value"]
    assert attributes.null_count() > 0
    assert all(json.loads(value) is not None for value in attributes.drop_nulls())


def test_d5_some_workspaces_have_no_metrics_in_some_windows() -> None:
    world = world_of(SMALL, 3, UNTIL)
    state = first_state(world).after(UNTIL + timedelta(minutes=15))
    frames = changes(world, state.span, state.scene)
    busy = set(frames["metrics"]["workspace_id"])
    assert {1, 2} <= busy < set(range(1, SMALL.workspaces + 1))
