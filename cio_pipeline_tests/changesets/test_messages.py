from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cio_pipeline.changesets.texts import first_bytes
from cio_pipeline_tests.changesets.rows import sent

LIMIT = 1000
TEXTS = st.text(alphabet=st.sampled_from("aé€😀\x00"), min_size=990, max_size=1010) | st.text()


def cut_in_python(text: str | None) -> str | None:
    return None if text is None else text.encode()[:LIMIT].decode(errors="ignore")


@given(st.lists(st.none() | TEXTS, max_size=4))
def test_d3_link_url_is_at_most_1000_bytes_of_whole_characters(texts: list[str | None]) -> None:
    frame = pl.LazyFrame({"link_url": texts}, schema={"link_url": pl.String})

    cut = frame.select(first_bytes("link_url", LIMIT)).collect(engine="streaming")

    assert cut["link_url"].to_list() == [cut_in_python(text) for text in texts]


@pytest.mark.parametrize("character", ["a", "é", "€", "😀"])
@pytest.mark.parametrize("shift", range(4))
def test_d3_link_url_is_cut_at_every_offset_within_a_character(character: str, shift: int) -> None:
    url = "a" * shift + character * 1000

    (cut,) = sent("metrics", {"link_url": url})["link_url"]

    assert cut == cut_in_python(url)
    assert LIMIT - 4 < len(cut.encode()) <= LIMIT


TRUE = {"proxied": True, "prefetched": True, "machine": True}


@pytest.mark.parametrize(
    ("channel", "metric", "flags", "expected"),
    [
        ("email", "opened", TRUE, (True, True, False)),
        ("email", "clicked", TRUE, (False, False, True)),
        ("email", "sent", TRUE, (False, False, False)),
        ("push", "opened", TRUE, (False, False, False)),
        ("sms", "clicked", TRUE, (False, False, False)),
        ("email", "opened", {}, (False, False, False)),
        ("email", "clicked", {}, (False, False, False)),
    ],
)
def test_d3_metric_flags(
    channel: str, metric: str, flags: dict[str, bool], expected: tuple[bool, bool, bool]
) -> None:
    rows = sent("metrics", {"channel": channel, "metric": metric, **flags})

    assert rows.select("proxied", "prefetched", "machine").row(0) == expected


EMAIL_ONLY = ("email_client", "inbox_domain", "inbox_provider", "mx_host")


@pytest.mark.parametrize("channel", ["email", "sms", "push", "in-app", "webhook", "slack"])
def test_d3_email_only_columns_are_null_for_other_channels(channel: str) -> None:
    given_row = dict.fromkeys((*EMAIL_ONLY, "user_agent"), "given")

    rows = sent("metrics", {"channel": channel, **given_row})

    expected = "given" if channel == "email" else None
    assert rows.select(EMAIL_ONLY).row(0) == (expected,) * 4
    assert rows["user_agent"].to_list() == ["given"]


IDS = ("campaign_id", "action_id", "newsletter_id", "content_id")


@pytest.mark.parametrize(
    ("given_ids", "expected"),
    [
        ((1, 2, None, None), (1, 2, None, None)),
        ((1, 2, None, 0), (1, 2, None, None)),
        ((1, 2, 3, 4), (1, 2, None, None)),
        ((None, None, 3, 4), (None, None, 3, 4)),
        ((None, 2, 3, 4), (None, None, 3, 4)),
        ((None, None, 3, None), (None, None, 3, 0)),
        ((None, None, None, None), (None, None, None, None)),
    ],
)
def test_d3_content_has_ids_of_its_campaign_or_of_its_newsletter(
    given_ids: tuple[Any, ...], expected: tuple[Any, ...]
) -> None:
    rows = sent("delivery_content", dict(zip(IDS, given_ids, strict=True)))

    assert rows.select(IDS).row(0) == expected


@pytest.mark.parametrize(("version", "expected"), [(4, ""), (5, None)])
def test_d2_body_plain_is_required_in_v4_only(version: int, expected: str | None) -> None:
    assert sent("delivery_content", {}, version=version)["body_plain"].to_list() == [expected]


@pytest.mark.parametrize("export", ["campaigns", "actions", "broadcasts"])
def test_d3_no_topics_are_null(export: str) -> None:
    rows = sent(
        export,
        *(
            {f"{export.removesuffix('s')}_id": number, "topic_names": topics}
            for number, topics in enumerate((None, [], ["a", "b"]))
        ),
    )

    assert rows["topic_names"].to_list() == [None, None, ["a", "b"]]


def test_d3_an_unnamed_action_has_a_null_name() -> None:
    rows = sent(
        "actions",
        {"action_id": 1, "name": None},
        {"action_id": 2, "name": ""},
        {"action_id": 3, "name": "Welcome"},
    )

    assert rows["name"].to_list() == [None, None, "Welcome"]
