"""O3: one alert when something begins and one when it is over, by owner, and never a storm."""

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cio_pipeline import alerting
from cio_pipeline.ledger.alerts import Alerts
from cio_pipeline.ledger.open import Ledger, open_ledger
from cio_pipeline.ledger.upkeep import prune
from cio_pipeline.model.alerts import AlertsFile, Message
from cio_pipeline.model.errors import AlertNotTaken
from cio_pipeline.model.findings import Finding, Severity
from cio_pipeline.monitoring.incidents import CALM, PAUSE
from cio_pipeline.pipeline.alerting.rounds import CLAIM, look, tell
from cio_pipeline_tests.alerting.servers import SECRET, Hook, hook
from cio_pipeline_tests.ledger.conftest import ledger, url
from cio_pipeline_tests.waiting import PATIENCE

__all__ = ["ledger", "url"]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def finding(sync_id: str = "a", check: str = "late", **more: Any) -> Finding:
    more = {"severity": Severity.ERROR, "owner": "growth", "says": f"{sync_id} is late.", **more}
    return Finding(check=check, cause="A cause.", command="a command", sync_id=sync_id, **more)


def routes(*found: dict[str, Any]) -> AlertsFile:
    return AlertsFile.model_validate({"routes": list(found)})


class Told:
    """Targets that keep what they are told, minute after minute."""

    def __init__(self, ledger: Ledger, file: AlertsFile) -> None:
        self.alerts: Alerts = ledger.alerts
        self.file, self.now = file, NOON
        self.messages: list[tuple[str, Message]] = []
        self.down: set[str] = set()

    def send(self, target: str, message: Message) -> None:
        if target in self.down:
            raise AlertNotTaken("It answered with 500.")
        self.messages.append((target, message))

    def round(self, *found: Finding, after: timedelta = MINUTE) -> list[tuple[str, str]]:
        """A round some time after the last; whom it told what, by titles."""
        self.now += after
        before = len(self.messages)
        look(self.alerts, found, self.file.targets, self.now)
        tell(self.alerts, self.file, self.send, self.now)
        return sorted((target, one.title) for target, one in self.messages[before:])


ALL = {"owner": "*", "targets": ["env:OPS"]}


def test_o3_one_alert_when_it_begins_and_one_when_it_is_over(ledger: Ledger) -> None:
    told = Told(ledger, routes(ALL))
    assert told.round(finding()) == [("env:OPS", "cio-pipeline: wrong: a: late")]
    for _ in range(90):
        assert told.round(finding()) == []
    for _ in range(int(CALM / MINUTE)):
        assert told.round() == [], "it may come back"
    assert told.round() == [("env:OPS", "cio-pipeline: over: a: late")]
    assert told.round(after=PAUSE) == []
    begun = told.messages[0][1].body
    assert "a (growth)" in begun
    assert "a is late." in begun
    assert "Next: a command" in begun


def test_o3_what_comes_and_goes_with_each_window_is_one_incident(ledger: Ledger) -> None:
    told = Told(ledger, routes(ALL))
    quarter = timedelta(minutes=15)
    rounds = [told.round(*([finding()] * (at % 2)), after=quarter) for at in range(1, 20)]
    assert [one for one in rounds if one] == [[("env:OPS", "cio-pipeline: wrong: a: late")]]


def test_o3_a_thousand_syncs_that_fail_at_once_make_one_message_a_target(ledger: Ledger) -> None:
    owners = ["growth", "shop", "care"]
    file = routes(ALL, *({"owner": one, "targets": [f"env:{one.upper()}"]} for one in owners))
    told = Told(ledger, file)
    many = [finding(f"sync-{at}", owner=owners[at % 3]) for at in range(1000)]
    first = told.round(*many)
    assert [target for target, _ in first] == ["env:CARE", "env:GROWTH", "env:OPS", "env:SHOP"]
    assert told.round(*many, after=PAUSE) == []
    bodies = {target: one.body for target, one in told.messages}
    assert "late: sync-0, sync-3, sync-6, and 331 more (growth)" in bodies["env:GROWTH"]
    assert "shop" not in bodies["env:GROWTH"]
    assert max(len(body) for body in bodies.values()) < 3000
    # One after the other, they come together.
    more = [finding(f"late-{at}") for at in range(4)]
    titles = [told.round(*many, *more[:at]) for at in (1, 2, 3, 4)]
    assert [len(one) for one in titles] == [2, 0, 0, 0]
    assert told.round(*many, *more, after=PAUSE)[0] == ("env:GROWTH", "cio-pipeline: 3 wrong")
    told.round(after=MINUTE)
    assert {title for _, title in told.round(after=CALM)} == {
        "cio-pipeline: 338 over",
        "cio-pipeline: 1,004 over",
        "cio-pipeline: 333 over",
    }


def test_o3_alerts_go_by_owner_and_severity_and_get_worse_once(ledger: Ledger) -> None:
    file = routes(
        {"owner": "grow*", "targets": ["env:GROWTH"], "severity": "warning"},
        {"owner": "shop", "targets": ["env:SHOP"]},
        {"owner": "*", "targets": ["env:OPS"]},
    )
    told = Told(ledger, file)
    mild = finding(severity=Severity.WARNING)
    assert told.round(mild) == [("env:GROWTH", "cio-pipeline: wrong: a: late")]
    assert told.round(finding()) == [("env:OPS", "cio-pipeline: wrong: a: late")]
    assert told.round(mild, after=PAUSE) == [("env:GROWTH", "cio-pipeline: wrong: a: late")]
    assert told.round(mild, after=PAUSE) == []
    nobodys = Finding("source", Severity.ERROR, "It is gone.", "?", "look", about="people")
    assert told.round(finding(), nobodys, after=PAUSE) == [
        ("env:OPS", "cio-pipeline: wrong: people: source")
    ]


def test_o3_who_knows_of_a_warning_by_a_digest_is_told_when_it_is_an_error(ledger: Ledger) -> None:
    told = Told(ledger, routes(ALL | {"digest_hour": 13}))
    mild = finding(severity=Severity.WARNING)
    assert told.round(mild) == []
    assert told.round(mild, after=timedelta(hours=1)) == [
        ("env:OPS", "cio-pipeline, 2026-03-01: 1 wrong, nothing over")
    ]
    assert told.round(finding(), after=PAUSE) == [("env:OPS", "cio-pipeline: wrong: a: late")]
    assert told.round(finding(), after=PAUSE) == []


def test_o3_what_a_check_found_is_not_over_while_it_cannot_look(ledger: Ledger) -> None:
    told = Told(ledger, routes(ALL))
    blind = Finding("checks", Severity.ERROR, "It could not look.", "?", "look", about="late")
    told.round(finding(), finding(check="other"))
    told.round(blind)
    assert told.round(blind, after=CALM) == [("env:OPS", "cio-pipeline: 1 wrong, 1 over")], (
        "the other check's alone"
    )
    told.round(finding())
    told.round()
    assert ("env:OPS", "cio-pipeline: 2 over") in told.round(after=CALM)


def test_o3_a_sync_that_is_late_is_so_while_its_breaker_is_open(ledger: Ledger) -> None:
    """The checks name the breaker alone then: the delay is not over by that."""
    told = Told(ledger, routes(ALL))
    late, breaker = finding(check="delayed_syncs"), finding(check="breaker")
    told.round(late)
    assert told.round(breaker, after=PAUSE) == [("env:OPS", "cio-pipeline: wrong: a: breaker")]
    assert told.round(breaker, after=CALM) == []
    assert told.round(breaker, after=CALM) == []
    told.round()
    assert told.round(after=CALM) == [("env:OPS", "cio-pipeline: 2 over")]


def test_o3_another_owner_is_told_of_what_is_wrong_with_a_sync_that_is_now_his(
    ledger: Ledger,
) -> None:
    shop = {"owner": "shop", "targets": ["env:SHOP"]}
    told = Told(ledger, routes(ALL, shop))
    assert told.round(finding()) == [("env:OPS", "cio-pipeline: wrong: a: late")]
    assert told.round(finding(owner="shop")) == [("env:SHOP", "cio-pipeline: wrong: a: late")]
    told.round()
    assert [target for target, _ in told.round(after=CALM)] == ["env:OPS", "env:SHOP"]


def test_o3_a_clock_that_was_ahead_for_a_while_keeps_nobody_uninformed(ledger: Ledger) -> None:
    told = Told(ledger, routes(ALL))
    told.now += timedelta(days=365)
    told.round(finding("b"))
    told.now = NOON
    assert told.round(finding()) == [("env:OPS", "cio-pipeline: wrong: a: late")]


def test_o3_a_target_that_is_down_is_tried_again_and_the_others_hear_of_it(ledger: Ledger) -> None:
    other = {"owner": "*", "targets": ["env:OPS", "env:OTHER"]}
    told = Told(ledger, routes(other))
    told.down = {"env:OPS"}
    assert told.round(finding()) == [("env:OTHER", "cio-pipeline: wrong: a: late")]
    titles = [told.round(finding()) for _ in range(10)]
    assert [one for one in titles if one] == [
        [("env:OTHER", "cio-pipeline: wrong: env:OPS: alert_target")]
    ]
    assert "It answered with 500" in told.messages[-1][1].body
    state = told.alerts.targets()["env:OPS"]
    assert (state.failures, state.since) == (4, NOON + MINUTE), "at once, after 1, 2 and 4 minutes"
    told.down = set()
    assert told.round(finding(), after=timedelta(hours=1)) == [
        ("env:OPS", "cio-pipeline: wrong: a: late")
    ], "nobody is told that he was not reached"
    told.round(finding())
    assert told.round(finding(), after=CALM) == [
        ("env:OTHER", "cio-pipeline: over: env:OPS: alert_target")
    ]
    assert told.alerts.targets()["env:OPS"].failures == 0


def test_o3_what_was_over_before_a_target_was_back_is_no_alert(ledger: Ledger) -> None:
    told = Told(ledger, routes(ALL))
    told.down = {"env:OPS"}
    told.round(finding())
    told.round()
    told.round(after=CALM)
    told.down = set()
    assert told.round(after=timedelta(hours=2)) == []


def test_o3_who_dies_after_sending_sends_it_once_more(ledger: Ledger) -> None:
    told = Told(ledger, routes(ALL))
    look(told.alerts, [finding()], told.file.targets, NOON)

    def dies(target: str, message: Message) -> None:
        told.send(target, message)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tell(told.alerts, told.file, dies, NOON)
    tell(told.alerts, told.file, told.send, NOON + MINUTE)
    assert len(told.messages) == 1, "who claimed it may be at it still"
    for minutes in range(2, 20):
        tell(told.alerts, told.file, told.send, NOON + CLAIM + minutes * MINUTE)
    assert len(told.messages) == 2


def test_o3_two_rounds_at_a_time_send_once(ledger: Ledger) -> None:
    told = Told(ledger, routes(ALL))
    look(told.alerts, [finding()], told.file.targets, NOON)
    both = threading.Barrier(2)
    known = told.alerts.known

    class Together(Alerts):
        def known(self, now: datetime) -> Any:
            found = known(now)
            both.wait(PATIENCE)
            return found

    alerts = Together(told.alerts.database)
    threads = [
        threading.Thread(target=tell, args=(alerts, told.file, told.send, NOON)) for _ in range(2)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(told.messages) == 1


def test_o3_a_digest_comes_once_a_day_and_tells_all(ledger: Ledger) -> None:
    told = Told(ledger, routes({**ALL, "digest_hour": 7}))
    mild = finding("b", severity=Severity.WARNING)
    told.round(finding(), mild)
    assert [told.round(finding(), mild, after=timedelta(hours=1)) for _ in range(18)] == [[]] * 18
    morning = told.round(finding(), mild, after=timedelta(hours=1))
    assert morning == [("env:OPS", "cio-pipeline, 2026-03-02: 2 wrong, nothing over")]
    assert told.round(finding(), mild, after=timedelta(hours=1)) == []
    told.round()
    told.round(after=CALM)
    assert told.messages[-1][1].title == "cio-pipeline: over: a: late", "b is no error"
    hours = [told.round(after=timedelta(hours=1)) for _ in range(24)]
    assert [one for one in hours if one] == [
        [("env:OPS", "cio-pipeline, 2026-03-03: nothing wrong, 2 over")]
    ]
    told.round(after=timedelta(days=1))
    assert "Nothing is wrong" in told.messages[-1][1].body


def test_o3_incidents_of_long_ago_leave_the_ledger(ledger: Ledger) -> None:
    told = Told(ledger, routes(ALL))
    told.round(finding(), finding("b"))
    told.round(finding())
    told.round(finding(), after=CALM)
    assert prune(ledger.database, NOON + timedelta(days=30), ()).incidents == 1
    assert [one.finding.sync_id for one in told.alerts.known(told.now)] == ["a"]


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Hook]]:
    """Servers behind `env:WELL` and others, by their moods."""
    with ExitStack() as stack:
        made = {mood: stack.enter_context(hook()) for mood in (*BAD, "well")}
        for mood, one in made.items():
            one.mood = mood
            monkeypatch.setenv(mood.upper(), one.url)
        yield made


BAD = ("throttles", "fails", "refuses", "hangs")


def test_o3_servers_that_do_not_take_a_message_hold_up_nobody(
    hooks: dict[str, Hook], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No secret is in a log, in the ledger or in what others are told."""
    caplog.set_level(logging.DEBUG, logger="apprise")
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    file = routes({"owner": "*", "targets": [f"env:{mood.upper()}" for mood in hooks]})
    for at in (NOON, NOON + 2 * MINUTE, NOON + 6 * MINUTE):
        look(ledger.alerts, [finding()], file.targets, at)
        tell(ledger.alerts, file, alerting.send, at)
    problems = {name: one.problem for name, one in ledger.alerts.targets().items()}
    assert problems == {
        "env:WELL": "",
        "env:THROTTLES": "It answered with 429 (it asks to slow down)",
        "env:FAILS": "It answered with 500",
        "env:REFUSES": "It answered with 403",
        "env:HANGS": "It did not take the message, or did not answer",
    }
    assert [one.splitlines()[0] for one in hooks["well"].texts] == [
        "cio-pipeline: wrong: a: late",
        "cio-pipeline: 4 wrong",
    ]
    ledger.close()
    kept = b"".join(one.read_bytes() for one in tmp_path.glob("ledger.db*"))
    for text in (caplog.text, *hooks["well"].texts, kept.decode("latin-1")):
        assert SECRET not in text
