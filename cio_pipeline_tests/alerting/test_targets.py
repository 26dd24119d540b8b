"""O3: the file of alerts, real mail and web hooks, and the daemon's ping."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from apprise.plugins.slack import NotifySlack
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._daemon.types import DaemonHeartbeat
from typer.testing import CliRunner

from cio_pipeline import alerting, channels, extras
from cio_pipeline.cli import alerts as verbs
from cio_pipeline.cli.app import app
from cio_pipeline.defs.alerts import FRESH, Rounds, asleep, send_alerts
from cio_pipeline.defs.feeds import SHOWN
from cio_pipeline.model.alerts import Message
from cio_pipeline.model.errors import AlertNotTaken, InvalidConfig, SourceUnavailable
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.findings import Severity
from cio_pipeline.pipeline.alerting.read_file import read_alerts_file
from cio_pipeline.settings import settings
from cio_pipeline_tests.alerting.servers import SECRET, Hook, hook, mail
from cio_pipeline_tests.defs.running import Made
from cio_pipeline_tests.world import NOON, World, window

FILE = """
routes:
  - owner: growth
    targets: [env:GROWTH]
    severity: warning
  - owner: "*"
    targets: [env:OPS]
    digest_hour: 7
ping_url: env:PING
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "line 1, the file: write `routes:`, and a list of routes below it"),
        ("routes: []", "line 1, routes: name at least 1"),
        ("routes: [{owner: growth, targets: [env:A]}]", "no route has the owner '*'"),
        ("routes: [{owner: '*', targets: [slack://a/b]}]", "a secret is never written here"),
        ("routes: [{owner: '*', targets: [env:A], severty: error}]", "did you mean `severity`?"),
        ("routes: [{owner: '*', targets: [env:A], severity: bad}]", "'warning' or 'error'"),
        ("routes: [{owner: '*', targets: [env:A], digest_hour: 24}]", "write 23 or less"),
        ("routes: [{owner: *, targets: [env:A]}]", "with `*` has to stand in quotes in line 1"),
        ("routes:\n- owner: *@acme.example", "with `*` has to stand in quotes in line 2"),
        ("routes: [{owner: '*', owner: b}]", "the key 'owner' stands twice in line 1"),
        ("aliases: 1\naliases: 2", "the key 'aliases' stands twice in line 1"),
        ("routes: {", "is no YAML"),
    ],
)
def test_o3_a_wrong_file_of_alerts_is_told_in_words(text: str, told: str) -> None:
    with pytest.raises(InvalidConfig) as error:
        read_alerts_file(text)
    assert told in error.value.message
    # A list with a mistake in it is not too short as well.
    assert ("name at least" in error.value.message) == (text == "routes: []")
    assert "slack://" not in str(error.value)
    assert "pydantic" not in str(error.value)


def test_o3_the_file_that_the_page_shows_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs/alerts.md").read_text(encoding="utf-8")
    file = read_alerts_file(page.split("```yaml\n")[1].split("```")[0])
    assert file.targets == ("env:GROWTH_SLACK", "env:OPS_SLACK", "file:/run/secrets/growth-mail")
    assert file.least("env:GROWTH_SLACK", "growth@acme.example") is Severity.WARNING
    assert file.least("env:GROWTH_SLACK", "shop@acme.example") is None


def test_o3_operations_have_an_entry_for_each_incident() -> None:
    docs = Path(__file__).parents[2] / "docs"
    table = (docs / "alerts.md").read_text(encoding="utf-8").split("| incident |")[1]
    named = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert len(named) == 8
    entries = (docs / "operations.md").read_text(encoding="utf-8")
    assert [one for one in named if f"### Alert `{one}`\n" not in entries] == []


def test_o3_mail_and_slack_take_an_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    with mail() as (port, mails):
        channels.send(
            f"mailto://127.0.0.1:{port}?from=feed@cio.example&to=ops@cio.example&mode=insecure",
            "cio-pipeline: wrong: a: late",
            "- late: a. It is late.",
        )
    assert "Subject: cio-pipeline: wrong: a: late" in mails[0]
    with hook() as one:
        monkeypatch.setattr(NotifySlack, "webhook_url", f"http://127.0.0.1:{one.port}/services")
        channels.send(f"slack://T1JJ3T3L2/A1BRTD4JD/{'T' * 24}/#ops", "cio-pipeline: a test", "It.")
    assert one.bodies[0]["channel"] == "#ops"
    assert "cio-pipeline: a test" in json.dumps(one.bodies[0])


def test_o3_a_target_that_has_moved_has_not_taken_the_message() -> None:
    """To follow would be to ask the other place without the message."""
    with hook() as one:
        one.mood = "moved"
        with pytest.raises(AlertNotTaken, match=r"answered with 302 \(it sends elsewhere"):
            channels.send(one.url, "a", "b")
    assert len(one.paths) == 1


@pytest.mark.parametrize(
    "url", ["nonsense", "foo://bar", "https://hooks.example/secret-part", "mailto://", ""]
)
def test_o3_a_url_that_is_none_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidConfig) as error:
        channels.send(url, "a", "b")
    assert "secret-part" not in str(error.value)


def test_o3_what_cannot_be_pinged_is_told_without_its_url() -> None:
    with pytest.raises(AlertNotTaken) as error:
        channels.ask("http://127.0.0.1:9/secret-part")
    assert "secret-part" not in str(error.value)


def test_o3_a_library_that_is_not_installed_is_told_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(extras.EXTRA_OF, "no_such_library", "operations")
    with pytest.raises(InvalidConfig) as error:
        extras.needs("no_such_library")
    assert error.value.next_step == "pip install 'cio-pipeline[operations]' -c constraints.txt"


@pytest.fixture
def ops(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[World, Hook]]:
    """A world in which one sync is late, and a hook for its owner, the others and the ping."""
    world.sync("a", exports=["people"], owner="growth")
    world.run(0, "people")
    world.now = window(9).end
    (tmp_path / "alerts.yaml").write_text(FILE)
    monkeypatch.setenv("CIO_ALERTS", str(tmp_path / "alerts.yaml"))
    monkeypatch.setattr(verbs, "services", lambda: world.services)
    with hook() as one:
        monkeypatch.setenv("GROWTH", one.url)
        monkeypatch.setenv("OPS", one.url)
        monkeypatch.setenv("PING", f"http://127.0.0.1:{one.port}/ping/{SECRET}")
        yield world, one


def called(*words: str) -> tuple[int, Any]:
    done = CliRunner().invoke(app, ["alerts", *words, "--json"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert SECRET not in done.output
    return done.exit_code, json.loads(done.stdout)


def test_o3_the_verbs_tell_who_is_told_and_what_is_known(
    ops: tuple[World, Hook], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, one = ops
    code, rows = called("check")
    assert (code, [row["owner"] for row in rows]) == (0, ["growth", "*", None])
    code, rows = called("test", "--target", "env:OPS")
    assert (code, len(one.bodies)) == (0, 1)
    one.mood = "fails"
    code, rows = called("test")
    assert code == 1
    assert "It answered with 500" in rows[0]["problem"]
    alerting.one_round(world.services, alerting.alerts_file(settings()), "")
    _, known = called("list")
    assert [row["finding"]["check"] for row in known["incidents"]] == ["delayed_syncs"]
    assert {row["target"] for row in known["targets"]} == {"env:GROWTH", "env:OPS"} | {"ping"}
    assert "nobody yet" in CliRunner().invoke(app, ["alerts", "list"]).output
    monkeypatch.delenv("OPS")
    code, rows = called("check")
    assert code == 1
    assert [bool(row["problem"]) for row in rows] == [False, True, False]
    monkeypatch.setenv("PING", "no url")
    assert [bool(row["problem"]) for row in called("check")[1]] == [False, True, True]
    monkeypatch.delenv("PING")
    assert [bool(row["problem"]) for row in called("check")[1]] == [False, True, True]
    monkeypatch.delenv("CIO_ALERTS")
    with pytest.raises(InvalidConfig, match="CIO_ALERTS names no file"):
        alerting.alerts_file(settings())


def ticked(instance: dg.DagsterInstance, at: datetime, status: TickStatus) -> None:
    """Every sensor of a feed, and the daemon, as they look when they were at work at a time."""
    states = {one.name: one for one in instance.all_instigator_state()}
    for feed in Feed:
        name = SHOWN[feed].sensor
        if name not in states:
            origin = sensor_origin(name)
            state = InstigatorState(
                origin,
                dg_sensor(),
                InstigatorStatus.DECLARED_IN_CODE,
                SensorInstigatorData(),
            )
            instance.add_instigator_state(state)
        state = next(one for one in instance.all_instigator_state() if one.name == name)
        tick = TickData(
            state.instigator_origin_id,
            name,
            dg_sensor(),
            status,
            at.timestamp(),
            selector_id=state.selector_id,
        )
        instance.create_tick(tick)
    for kind in instance.get_required_daemon_types():
        instance.add_daemon_heartbeat(DaemonHeartbeat(at.timestamp(), kind, "1", []))


def dg_sensor() -> Any:
    from dagster._core.definitions.run_request import InstigatorType  # noqa: PLC0415

    return InstigatorType.SENSOR


def sensor_origin(name: str) -> Any:
    from dagster._core.remote_origin import (  # noqa: PLC0415
        InProcessCodeLocationOrigin,
        RemoteInstigatorOrigin,
        RemoteRepositoryOrigin,
    )
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin  # noqa: PLC0415

    place = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="cio"), "cio")
    return RemoteInstigatorOrigin(RemoteRepositoryOrigin(place, "__repository__"), name)


def test_o3_the_ping_is_sent_while_daemon_and_sensors_are_at_work(
    ops: tuple[World, Hook], tmp_path: Path
) -> None:
    world, one = ops
    file = alerting.alerts_file(settings())
    now = datetime.now(UTC)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        assert "has not looked at the windows" in asleep(instance, now)
        ticked(instance, now - FRESH * 2, TickStatus.SKIPPED)
        assert "Sensor is silent" in asleep(instance, now)
        ticked(instance, now, TickStatus.STARTED)
        assert "The sensor export_sensor has not looked" in asleep(instance, now)
        told = alerting.one_round(world.services, file, asleep(instance, now))
        assert "No ping was sent: The sensor" in told
        assert not [path for path in one.paths if path.startswith("/ping")]
        ticked(instance, now, TickStatus.SKIPPED)
        assert asleep(instance, now) == ""
    assert alerting.one_round(world.services, file, "").endswith("The ping was sent.")
    assert one.paths[-1] == f"/ping/{SECRET}"
    one.mood = "fails"
    assert "The ping failed" in alerting.one_round(world.services, file, "")
    assert world.ledger.alerts.targets()["ping"].failures == 1
    assert "The ping failed" in alerting.one_round(world.services, file, "")
    alerting.one_round(world.services, file, "")
    known = world.ledger.alerts.known(world.now)
    assert [one.finding.about for one in known if one.finding.check == "alert_target"] == ["ping"]
    one.mood = "well"
    alerting.one_round(world.services, file, "")
    assert world.ledger.alerts.targets()["ping"].failures == 0


def test_o3_who_could_not_look_looks_again_at_once_and_so_does_who_set_his_clock_back() -> None:
    """Else the ping would go out, minute after minute, while nobody looks."""
    rounds, now = Rounds(), NOON
    assert rounds.looks(now)
    with pytest.raises(SourceUnavailable):
        rounds.begin(raising)
    assert rounds.looks(now + timedelta(minutes=1))
    rounds.begin(lambda: "done")
    assert not rounds.looks(now + timedelta(minutes=2))
    assert rounds.looks(now - timedelta(days=1))


def raising() -> str:
    raise SourceUnavailable("It does not answer.")


def test_o3_secrets_that_are_not_there_stop_neither_the_others_nor_the_round(
    ops: tuple[World, Hook], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, one = ops
    monkeypatch.delenv("GROWTH")
    monkeypatch.delenv("PING")
    told = alerting.one_round(world.services, alerting.alerts_file(settings()), "")
    assert "1 targets were told, 1 could not be reached" in told
    assert "The ping failed: The environment variable PING is not set" in told
    assert len(one.bodies) == 1
    problems = {name: one.problem for name, one in world.ledger.alerts.targets().items()}
    assert problems["env:GROWTH"] == "The environment variable GROWTH is not set"


def test_o3_a_tick_waits_for_no_target_and_tells_no_secret(
    ops: tuple[World, Hook], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, one = ops

    def tick() -> str:
        with (
            dg.DagsterInstance.local_temp(str(tmp_path)) as instance,
            dg.build_sensor_context(
                instance=instance, resources={"pipeline": Made(world.services)}
            ) as context,
        ):
            return str(send_alerts.evaluate_tick(context).skip_message)

    assert "2 targets were told" in tick()
    assert len(one.bodies) == 2
    rounds = Rounds()
    one.mood = "hangs"
    told = rounds.begin(lambda: str(alerting.send("env:OPS", Message("a", "b"))), patience=0.05)
    assert told == "It goes on by itself."
    monkeypatch.delenv("CIO_ALERTS")
    assert "CIO_ALERTS names no file" in tick()
