"""From the demo's files through loader and dbt to audiences, worked out again by hand (O7)."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from cio_pipeline.reader import Feed
from cio_pipeline_tests.ui.browser import FLAGS
from cio_pipeline_tests.ui.processes import until
from cio_pipeline_tests.warehouse.conftest import dbt

pytestmark = [pytest.mark.deep, pytest.mark.timeout(900)]

CIO = (sys.executable, "-c", "from cio_pipeline.cli import main; main()")
PERSON = "internal_customer_id"
EARLY = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo's buckets and the warehouse, built as of the last that happened."""
    home = tmp_path_factory.mktemp("demo")
    environment = {**os.environ, "CIO_HOME": str(home)}
    bucket = str(home / "bucket" / "acme-v5")
    for words in (
        ["demo", "--size", "tiny", "--windows", "1"],
        ["warehouse", "load", bucket, "--into", str(home / "warehouse.duckdb")],
    ):
        subprocess.run([*CIO, *words], env=environment, check=True, capture_output=True)
    done = dbt(home, "build", feed="acme_v5", now=f"{now_of(home):%Y-%m-%d %H:%M:%S}")
    assert done.returncode == 0, done.stdout
    return home


def now_of(home: Path) -> datetime:
    last = feed(home, "metrics").select(pl.col("created_at").max()).item()
    return (last + timedelta(seconds=1)).replace(microsecond=0)


def feed(home: Path, name: str) -> pl.DataFrame:
    return Feed(str(home / "bucket" / "acme-v5")).table(name).collect()


def members(home: Path) -> dict[str, set[str]]:
    with duckdb.connect(home / "warehouse.duckdb", read_only=True) as connection:
        found = connection.execute(
            f"SELECT audience, {PERSON} FROM acme_v5_marts.audience_members"  # noqa: S608
        ).fetchall()
    sets: dict[str, set[str]] = {}
    for audience, who in found:
        sets.setdefault(audience, set()).add(who)
    return sets


def here(home: Path) -> set[str]:
    people = feed(home, "people").filter(~pl.col("deleted"), ~pl.col("suppressed"))
    return set(people[PERSON])


def within(column: str, now: datetime, days: int) -> pl.Expr:
    return (pl.col(column) > now - timedelta(days=days)) & (pl.col(column) <= now)


def orders(home: Path, now: datetime) -> Iterator[tuple[str, datetime]]:
    """Who ordered when: by events, and by the seed, as ids and addresses say."""
    events = feed(home, "events").filter(pl.col("name") == "Order Completed")
    yield from events.select(PERSON, "timestamp").iter_rows()
    people = feed(home, "people").filter(~pl.col("deleted"), ~pl.col("suppressed"))
    rows = people.select("customer_id", PERSON, pl.col("email_addr").str.to_lowercase()).rows()
    by_id = {row[0]: row[1] for row in rows}
    by_address = {row[2]: row[1] for row in rows}
    seed = Path(__file__).parents[2] / "warehouse" / "seeds" / "orders.csv"
    for row in pl.read_csv(seed).iter_rows(named=True):
        who = by_id.get(row["customer_id"] or "-") or by_address.get((row["email"] or "").lower())
        if who:
            yield who, datetime.fromisoformat(f"{row['ordered_at']}+00:00")


def test_o7_the_demos_audiences_are_those_that_its_files_give(demo: Path) -> None:
    now, there, found = now_of(demo), here(demo), members(demo)
    deliveries, metrics = feed(demo, "deliveries"), feed(demo, "metrics")
    happened = metrics.join(deliveries.drop("created_at", "event_id"), on="delivery_id")
    texted = happened.filter(
        pl.col("metric") == "sent", pl.col("delivery_type") == "sms", within("created_at", now, 3)
    )
    assert found.get("sms_recent", set()) == set(texted[PERSON].drop_nulls()) & there

    named = {
        "campaign_id": feed(demo, "campaigns").filter(
            pl.col("name").str.to_lowercase().str.contains("winback")
        ),
        "newsletter_id": feed(demo, "broadcasts")
        .filter(pl.col("name").str.to_lowercase().str.contains("winback"))
        .rename({"broadcast_id": "newsletter_id"}),
    }
    clicks = happened.filter(
        pl.col("metric") == "clicked",
        ~pl.col("machine"),
        pl.col("delivery_type") == "email",
        within("created_at", now, 30),
        pl.col("transactional_message_id").is_null(),
    )
    clicked = {
        who
        for column, chosen in named.items()
        for who in clicks.filter(pl.col(column).is_in(chosen[column].implode()))[
            PERSON
        ].drop_nulls()
    }
    assert found.get("clicked_campaign", set()) == clicked & there

    ordered: dict[str, list[datetime]] = {}
    for who, at in orders(demo, now):
        if at <= now and who in there:
            ordered.setdefault(who, []).append(at)
    last = {who: max(times) for who, times in ordered.items()}
    repeat = {who for who, times in ordered.items() if len(times) >= 2}
    lately = {who for who, at in last.items() if at > now - timedelta(days=90)}
    assert found.get("repeat_purchase", set()) == repeat & lately
    longer = {who for who, at in last.items() if at <= now - timedelta(days=30)}
    assert found.get("winback", set()) == longer
    assert sum(map(len, found.values())) > 10


def test_o7_the_demos_abandoners_and_those_to_leave_alone_are_those_that_its_files_give(
    demo: Path,
) -> None:
    now, there, found = now_of(demo), here(demo), members(demo)
    metrics = feed(demo, "metrics").join(
        feed(demo, "deliveries").select("delivery_id", "delivery_type", PERSON), on="delivery_id"
    )
    metric = pl.col("metric")
    bounced = (metric == "bounced") & (pl.col("delivery_type") == "email")
    said_no = metrics.filter(metric.is_in(["unsubscribed", "spammed"]) | bounced)
    opted_out = feed(demo, "inbound").filter(pl.col("optout"), pl.col("timestamp") <= now)
    unsubscribed = feed(demo, "attributes").filter(
        pl.col("attribute_name") == "unsubscribed",
        pl.col("attribute_value").str.to_lowercase() == "true",
    )
    left_alone = {who for one in (said_no, opted_out, unsubscribed) for who in one[PERSON]}
    assert found["do_not_contact"] == left_alone & there

    lately = feed(demo, "events").filter(within("timestamp", now, 14))
    named = pl.col("name").str.to_lowercase().str.replace_all("[^a-z0-9]+", "_")
    began = dict(
        lately.filter(named.str.strip_chars("_") == "checkout_started")
        .group_by(PERSON)
        .agg(pl.col("timestamp").max())
        .iter_rows()
    )
    ordered: dict[str, datetime] = {}
    for who, at in orders(demo, now):
        ordered[who] = max(at, ordered.get(who, at)) if at <= now else ordered.get(who, EARLY)
    looks = lately.filter(pl.col("type").is_in(["page", "screen"]))[PERSON].value_counts()
    clicks = metrics.filter(metric == "clicked", ~pl.col("machine"), within("created_at", now, 14))
    keen = set(looks.filter(pl.col("count") >= 2)[PERSON]) | set(clicks[PERSON])
    expected = {who for who, at in began.items() if ordered.get(who, EARLY) < at} & keen
    assert found["high_intent_abandoners"] == expected & there
    assert expected


def test_o7_the_demos_best_tenth_is_the_one_that_its_files_give(demo: Path) -> None:
    """Points halve every fortnight; whoever is as good as the last may be in or out."""
    now, there = now_of(demo), here(demo)
    metrics = feed(demo, "metrics").join(
        feed(demo, "deliveries").select("delivery_id", PERSON), on="delivery_id"
    )
    opened = (pl.col("metric") == "opened") & ~pl.col("prefetched") & ~pl.col("proxied")
    clicked = (pl.col("metric") == "clicked") & ~pl.col("machine")
    acts = [
        *((who, at, 1) for who, at in metrics.filter(opened).select(PERSON, "created_at").rows()),
        *((who, at, 3) for who, at in metrics.filter(clicked).select(PERSON, "created_at").rows()),
        *((who, at, 0.5) for who, at in feed(demo, "events").select(PERSON, "timestamp").rows()),
        *((who, at, 5) for who, at in orders(demo, now)),
    ]
    scores = dict.fromkeys(there, 0.0)
    for who, at, points in acts:
        if who in there and now - timedelta(days=90) < at <= now:
            ago = now - at.replace(microsecond=0)
            scores[who] += points * 0.5 ** (ago / timedelta(days=14))
    last = sorted(scores.values(), reverse=True)[-(-len(there) // 10) - 1]
    found = members(demo)["top_decile"]
    assert {who for who, score in scores.items() if score > last + 1e-6} <= found
    assert all(scores[who] >= last - 1e-6 for who in found)
    assert last > 0


def test_marts_add_up_to_what_was_loaded(demo: Path) -> None:
    with duckdb.connect(demo / "warehouse.duckdb", read_only=True) as connection:
        connection.execute("USE acme_v5_marts")
        one = "SELECT sum(deliveries), sum(human_clicked), sum(converted) FROM {}"
        funnel = connection.execute(one.format("delivery_funnel")).fetchall()
        assert funnel == connection.execute(one.format("campaign_performance")).fetchall()
        people = connection.execute("SELECT people FROM identity_coverage").fetchall()
    assert funnel[0][0] == len(feed(demo, "deliveries"))
    assert people == [(len(here(demo)),)]


def test_it_is_exported_as_it_was_loaded(demo: Path) -> None:
    words = ["audience", "show", "top_decile", "--json", "--limit", "1000"]
    done = subprocess.run(
        [*CIO, *words],
        env={**os.environ, "CIO_HOME": str(demo)},
        check=True,
        capture_output=True,
        text=True,
    )
    shown = json.loads(done.stdout)
    assert {one[PERSON] for one in shown["members"]} == members(demo)["top_decile"]
    assert shown["people"] == -(-len(here(demo)) // 10)


LOOK = """return [document.documentElement.scrollWidth, innerWidth,
  document.querySelectorAll('.chart').length, document.querySelectorAll('.chart svg').length,
  performance.getEntriesByType('resource').length,
  getComputedStyle(document.body).backgroundColor]"""

LABELS = """const found = {};
for (const name of ['volume', 'lag']) {
  const of = `[data-feed='acme-v5'] [data-card=${name}] .role-axis-label text`;
  found[name] = [...document.querySelectorAll(of)].map(text => text.textContent);
}
return found"""

READ = """const found = {};
for (const card of document.querySelectorAll("[data-feed='acme-v5'] [data-card]"))
  found[card.dataset.card] = [...card.querySelectorAll('tbody tr')].map(
    row => [...row.children].map(cell => cell.textContent.replaceAll(',', '')));
return found"""


@pytest.fixture(scope="module")
def chrome() -> Iterator[Chrome]:
    options = ChromeOptions()
    for flag in FLAGS:
        options.add_argument(flag)
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_says_what_sql_says_and_fits(
    demo: Path, chrome: Chrome, width: int, scheme: str
) -> None:
    out = demo / "report.html"
    if not out.exists():
        environment = {**os.environ, "CIO_HOME": str(demo)}
        subprocess.run([*CIO, "report", "--out", str(out)], env=environment, check=True)
    size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 500}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    chrome.get(out.as_uri())
    until("pictures", 60, lambda: len(set(chrome.execute_script(LOOK)[2:4])) == 1)
    scrolled, inner, pictures, _, asked, background = chrome.execute_script(LOOK)
    assert scrolled <= inner
    assert pictures >= 6
    assert asked == 0
    labels = chrome.execute_script(LABELS)
    assert {"10", "100"} <= set(labels["volume"])
    assert all(any(re.fullmatch(r"\d\d:\d\d", one) for one in of) for of in labels.values())
    assert (background == "rgb(18, 22, 28)") == (scheme == "dark")
    _compared(demo, chrome.execute_script(READ))


def _compared(home: Path, read: dict[str, list[list[str]]]) -> None:
    """What the page's tables show of acme-v5, with SQL on the loaded files."""
    with duckdb.connect(home / "warehouse.duckdb", read_only=True) as connection:
        connection.execute("USE acme_v5_marts")
        funnel = connection.execute(
            "SELECT delivery_type, sum(sent), sum(delivered), sum(human_opened), "
            "sum(human_clicked), sum(converted) FROM delivery_funnel GROUP BY 1 ORDER BY 1"
        ).fetchall()
        acts = connection.execute(
            "SELECT sum(opens_human), sum(opens_prefetched), sum(opens_proxied), "
            "sum(clicks_machine), sum(clicks_human) FROM delivery_outcomes"
        ).fetchall()
        known = connection.execute("SELECT with_customer_id, people FROM identity_coverage")
        coverage = known.fetchall()
        loaded = connection.execute("SELECT count(*) FROM acme_v5.metrics").fetchall()
    assert [int(row[2]) for row in read["funnel"]] == [n for row in funnel for n in row[1:]]
    assert [int(row[2]) for row in read["acts"] if int(row[2])] == [n for n in acts[0] if n]
    assert [int(n) for n in read["coverage"][0][1:]] == list(coverage[0])
    assert sum(int(row[2]) for row in read["volume"] if row[1] == "metrics") == loaded[0][0]
    (metrics,) = (row for row in read["sizes"] if row[0] == "metrics")
    assert int(metrics[2]) == loaded[0][0]
