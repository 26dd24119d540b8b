"""What people read: data as it is, one name per window, words in place of a library's writing."""

import re
from datetime import UTC, datetime
from itertools import count

import pytest
from typer.testing import CliRunner

from cio_pipeline.cli import output
from cio_pipeline.cli import progress as progress_lines
from cio_pipeline.cli.app import app
from cio_pipeline.cli.output import CONSOLE, print_table
from cio_pipeline.cli.progress import progress
from cio_pipeline.model.feeds import Cadence, Feed
from cio_pipeline_tests.cli.test_held import served
from cio_pipeline_tests.waiting import PATIENCE, until
from cio_pipeline_tests.world import World, during, window

__all__ = ["served"]

MARKUP = ["[red]", "join('/', )", "[0]", "[/]", ":smile:", "join('/', [a, b])", "[bold]x[/bold]"]


def told(*words: str) -> str:
    """What a verb prints for people, in one line."""
    done = CliRunner().invoke(app, list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return " ".join(done.output.split())


@pytest.mark.parametrize("text", MARKUP)
def test_brackets_and_colons_are_data_wherever_they_stand(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_table(f"title {text}", (f"head {text}",), [(f"cell {text}",)])
    print_table(f"none {text}", ("head",), [], f"empty {text}")
    CONSOLE.print(f"line {text}")
    out = " ".join(capsys.readouterr().out.split())
    for place in ("title", "cell", "none", "empty", "line"):
        assert f"{place} {text}" in out
    assert text.split(maxsplit=1)[0] in out.partition("head")[2]
    with progress() as bar:
        bar(f"bar {text}", 1, 2)
    assert f"bar {text}" in capsys.readouterr().err


@pytest.mark.parametrize("sign", ["\x1b[31m", "\x9b31m", "\x07", "\x08", "\u202e", "\ud800", "\r"])
def test_no_terminal_obeys_what_people_wrote(sign: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An id may hold what clears the screen, types for its reader, or turns the line around."""
    print_table(f"title {sign}", (f"head {sign}",), [(f"cell {sign}",), (["a", sign],)])
    print_table(f"none {sign}", ("head",), [], f"empty {sign}")
    CONSOLE.print(f"line {sign}")
    wide = "word " * 20 + sign
    print_table("blocks", [f"{n}" for n in range(40)], [[wide] * 40])
    out = capsys.readouterr().out
    assert sign[0] not in out
    assert out.count("\N{REPLACEMENT CHARACTER}") >= 7
    print_table("said", ("head",), [("caf\u00e9\u00a0\U0001f468\u200d\U0001f469",)])
    assert "caf\u00e9\u00a0\U0001f468\u200d\U0001f469" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"type": "local", "path": "[a]"}, "type: local, path: [a]"),
        ({}, "none"),
        (["x", "y"], "x, y"),
        (Feed.DATA_OUT, "data-out"),
        (Cadence.HOUR, "1h"),
        ({"on": True}, "on: yes"),
        (1234567, "1,234,567"),
        (datetime(2026, 3, 1, 12, tzinfo=UTC), "2026-03-01 12:00"),
    ],
    ids=str,
)
def test_values_are_words(value: object, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_table("t", ("what",), [(value,)])
    assert f"│ {shown} " in capsys.readouterr().out


@pytest.mark.parametrize("width", [50, 80, 140])
def test_no_name_and_no_time_is_cut_off_on_a_narrow_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output.CONSOLE, "_width", width)
    columns = [f"column {number} of many" for number in range(8)]
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    print_table("t", columns, [("acme-messages", 1234, at, "a" * 70, "x", "y", None, "z")])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= width
    for text in ("acme-messages", "1,234", f"{at:%Y-%m-%d %H:%M}", "column"):
        assert text in out
    assert out.count("a") >= 70


def test_a_path_is_not_broken_where_there_is_room_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output.CONSOLE, "_width", 80)
    path = "/srv/exports/bucket/acme-messages"
    row = ("acme-messages", "somebody", "local folder " + path, "a sentence of many words " * 3)
    print_table("t", ("sync", "owner", "destination", "why"), [row])
    assert path in capsys.readouterr().out


def test_progress_of_nothing_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as bar:
        bar("files", 0, 0)
    assert not capsys.readouterr().err


def test_a_window_has_one_name_and_its_times_are_utc(served: World) -> None:
    """O7: `plan`, `export`, `quarantine list` and Dagster name a window by its start."""
    bad = {"event_id": "e", "properties": "{", "processed_at": during(1)}
    served.commit("events", bad, at=during(1))
    served.run(1)
    name = window(1).key
    listed = told("quarantine", "list")
    assert f"{name} " in listed
    assert "window (UTC)" in listed
    assert window(2).key not in listed
    assert f"Window {name} (UTC)" in told("plan", "--window", during(1).isoformat())
    assert "[" not in listed.partition("state")[2], "a key is no JSON"
    assert "(UTC)" in told("sync", "show", "a").partition("Exports")[2].partition("yes")[0]


def test_a_table_without_rows_never_changed(served: World) -> None:
    status = told("source", "status")
    assert "1970" not in status
    assert "never" in status


def test_sync_list_and_show_write_no_code_and_no_series_that_an_export_lacks(
    served: World,
) -> None:
    served.sync("calls-of-a", feed="calls")
    shown = told("sync", "show", "a") + told("sync", "list") + told("sync", "history", "a")
    assert "{" not in shown
    assert not re.search(r"'\w+'", shown)
    assert "path: bucket/a" in shown
    assert "│ events │ yes │ 2026-03-01 12:15 │ plain 1 │" in shown
    assert "│ people │ yes │ 2026-03-01 12:15 │ chngs 1, plain 2 │" in shown
    assert "│ calls-of-a │ 1 │ calls │ │ 10m │ 1 │ never │" in shown


def test_kinds_are_words_and_what_sends_nothing_is_one_line(served: World) -> None:
    when = during(-4).isoformat()
    assert told("plan", "--window", when).endswith("15 not due; --all lists them")
    everything = told("plan", "--window", when, "--all")
    assert "not due" in everything
    assert "notdue" not in everything
    assert "chngs" not in everything
    assert "2026-03-01 12:00:00 UTC" in everything


def test_a_log_is_never_silent_for_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress_lines, "EVERY", 0.01)
    seconds = count()
    monkeypatch.setattr(progress_lines, "monotonic", lambda: next(seconds))
    lines: list[str] = []

    def said() -> int:
        lines.extend(capsys.readouterr().err.splitlines())
        return len(lines)

    with progress() as bar:
        bar("Windows", 0, 2)
        until("some lines", PATIENCE, lambda: said() > 3)
        bar("Windows", 2, 2)
    last = said()
    assert lines[:4] == [f"Windows: 0 of 2, {number} s" for number in range(1, 5)]
    assert lines[-1] == f"Windows: 2 of 2, {last} s"
    with progress(enabled=False) as bar:
        bar("Windows", 0, 2)
    assert capsys.readouterr().err == ""


def test_a_plan_counts_what_is_only_changed_or_only_held_back(served: World) -> None:
    served.commit(
        "people",
        {"internal_customer_id": "p0", "deleted": True, "updated_at": during(1)},
        at=during(1),
    )
    served.commit(
        "events", {"event_id": "bad", "properties": "{", "processed_at": during(1)}, at=during(1)
    )
    shown = told("plan", "--window", during(1).isoformat())
    assert "│ a │ people │ changes │ 0 │ 1 │" in shown
    assert "│ a │ events │ changes │ 0 │ │ 1 │" in shown
