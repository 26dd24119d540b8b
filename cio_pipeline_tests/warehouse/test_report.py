"""The page about feeds: whole in one file, and nothing of the data breaks out of it (O6)."""

import json
import re
import resource
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.model.errors import InvalidConfig, UnknownSync
from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline.reader.feed import Feed
from cio_pipeline.reader.report.charts import charts
from cio_pipeline.reader.report.facts import Facts, Held, facts_of
from cio_pipeline.reader.report.page import page
from cio_pipeline.reporting import write_report
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.world import World, during, window

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOSTILE = "</script><img src=x onerror=alert(1)>"

FACTS = Facts(
    name=HOSTILE,
    place="local folder <b>",
    manifests=2,
    until=AT,
    files=3,
    rows=1_234_567,
    bytes=42,
    volume=[{"window": AT, "export": f"{HOSTILE}{n}", "rows": 10 - n} for n in range(8)],
    lag=[{"window": AT, "minutes": 1.5}],
    sizes=[{"export": "people", "files": 3, "rows": 4, "bytes": 42, "largest": 40}],
    acts=[{"act": "opened", "by": "proxies", "times": 3}],
    coverage=[{"known": "email", "people": 3, "of": 4}],
    held=[Held("events", HOSTILE, 7)],
)


def test_the_page_asks_for_nothing_and_its_data_stays_data() -> None:
    text = page([FACTS], AT)
    assert HOSTILE not in text
    assert text.count("</script>") == 3
    before = text.split("<script", 1)[0]
    assert re.findall(r"<(?:a|link|img|iframe)[ >]|url\(|@import", before) == []
    assert "<script src" not in text
    assert "@" not in re.findall(r"<main>(.*)</main>", text, re.DOTALL)[0]
    assert "<dd>1,234,567</dd>" in text
    assert "2026-11-20 12:00" in text
    specs = json.loads(text.split('id="specs">')[1].split("</script>")[0])
    assert set(specs) == {f"0-{name}" for name in ("volume", "lag", "sizes", "acts", "coverage")}


def test_what_the_data_says_is_no_mark_of_the_page() -> None:
    marks = ["@script@", "@specs@", "@vega@"]
    text = page([replace(FACTS, held=[Held("events", one, 7) for one in marks])], AT)
    assert [text.count(one) for one in marks] == [1, 1, 1]
    assert text.rstrip().endswith("draw);\n</script>\n</body>\n</html>")


def test_a_picture_has_six_colours_and_the_rest_are_others() -> None:
    shown = {one["shown"] for one in charts(FACTS)["volume"]["data"]["values"]}
    assert len(shown) == 6
    assert "others" in shown


def test_without_a_feed_the_page_says_so(tmp_path: Path) -> None:
    text = page([], AT)
    assert "No feed has delivered anything yet" in text
    assert "vegaEmbed=" not in text, "what draws is not put together for nothing"
    out = tmp_path / "page.html"
    environment = {"CIO_HOME": str(tmp_path / "home")}
    done = CliRunner().invoke(app, ["report", "--out", str(out)], env=environment)
    assert "0 of 0 syncs" in done.stdout
    unknown = CliRunner().invoke(app, ["report", "nobody", "--out", str(out)], env=environment)
    with pytest.raises(UnknownSync):
        raise unknown.exception or AssertionError


def test_half_a_page_takes_no_others_place(tmp_path: Path) -> None:
    out, environment = tmp_path / "page.html", {"CIO_HOME": str(tmp_path / "home")}
    CliRunner().invoke(app, ["report", "--out", str(out)], env=environment)
    before, services = out.read_bytes(), World(tmp_path / "world").services
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        with pytest.raises(InvalidConfig, match="cannot be written"):
            write_report(services, [], out, AT, 9)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.glob("page*")] == ["page.html"]


def test_a_sync_whose_old_files_are_deleted_stays_on_the_page(world: World) -> None:
    """Retention deletes them for good: manifests still tell volume, lag and sizes."""
    world.sync(exports=("people",))
    world.commit("people", person("ann"), at=during(0))
    world.run(0, "people")
    feed = Feed(world.folder())
    (file,) = feed.files()
    (world.folder() / file.key).unlink()
    facts = facts_of("a", feed, 9, ())
    assert (facts.rows, facts.coverage) == (1, ())
    assert "is gone. So what became of messages cannot be told." in page([facts], AT)


def test_a_bucket_that_cannot_be_read_keeps_no_other_off_the_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in ("a", "b"):
        world.sync(one)
    world.commit("people", person("ann"), at=during(0))
    world.run(0, "people")
    commit_window(world.services, window(0))
    manifest = world.folder("a") / "_cio" / "1.manifest"
    manifest.write_bytes(manifest.read_bytes()[:-9])
    out = world.root / "page.html"
    environment = {"CIO_HOME": str(world.root)}
    monkeypatch.chdir(world.root)  # paths of local destinations are relative to it
    done = CliRunner().invoke(app, ["report", "--out", str(out)], env=environment)
    assert done.exit_code == 1
    assert "Left out a: _cio/1.manifest" in done.stderr
    assert "data-feed='b'" in out.read_text("utf-8")
