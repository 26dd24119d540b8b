"""`cio-pipeline audience write-back` against a server that throttles, fails and hangs up (O7)."""

import json
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import duckdb
import pytest
from typer.testing import CliRunner, Result

from cio_pipeline.cli.app import app
from cio_pipeline.destinations import paced
from cio_pipeline.model.errors import CioError, InvalidConfig
from cio_pipeline.reader import write_back
from cio_pipeline.reader.write_back import KeysRefused, Throttled, tiers

KEY = "track-key-123"


@dataclass
class Platform:
    """What the Track API was sent, and how it answers: statuses by turn, 0 hangs up."""

    answers: Callable[[int, str], int] = lambda turn, person: 200  # noqa: ARG005
    calls: int = 0
    people: dict[str, dict[str, object]] = field(default_factory=dict[str, dict[str, object]])
    keys: set[str] = field(default_factory=set[str])
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)


@pytest.fixture
def platform() -> Iterator[Platform]:
    state = Platform()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            person = unquote(self.path.rpartition("/")[2])
            with state.lock:
                state.calls += 1
                status = state.answers(state.calls, person)
                state.keys.add(self.headers["Authorization"])
                if status == 200:
                    state.people[person] = body
            if not status:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}/api/v1"
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def file(built: Path, tmp_path: Path) -> Path:
    """The warehouse, with an audience of everybody who is there; one of them is held out."""
    copy = tmp_path / "warehouse.duckdb"
    copy.write_bytes((built / "warehouse.duckdb").read_bytes())
    with duckdb.connect(copy) as connection:
        connection.execute(
            "CREATE OR REPLACE TABLE acme_marts.audience_members AS "
            "SELECT 'winback' AS audience, workspace_id, internal_customer_id, "
            "NULL::TIMESTAMPTZ AS since, 100.0 * row_number() OVER (ORDER BY internal_customer_id) "
            "AS score, NULL AS reason, CASE WHEN row_number() OVER (ORDER BY "
            "internal_customer_id) = 1 THEN 'holdout' ELSE 'reached' END AS side "
            "FROM acme_marts.people_now"
        )
    return copy


@pytest.fixture
def write(file: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("CIO_WAREHOUSE", str(file))
    monkeypatch.setenv("CIO_SITE_ID", "site")
    monkeypatch.setenv("CIO_TRACK_KEY", KEY)

    def call(*words: str, audience: str = "winback") -> Result:
        verb = ["audience", "write-back", audience, "--attribute", "offer", "--per-second", "1000"]
        done = CliRunner().invoke(app, [*verb, "--url", platform.url, *words])
        if isinstance(done.exception, CioError):
            raise done.exception
        return done

    return call


def scores(file: Path) -> dict[str, float]:
    with duckdb.connect(file, read_only=True) as connection:
        rows = connection.execute(
            "SELECT internal_customer_id, score FROM acme_marts.audience_members "
            "WHERE side <> 'holdout'"
        ).fetchall()
    return {f"cio_{person}": float(score) for person, score in rows}


def test_o7_everybody_but_the_held_out_gets_the_attribute_once(
    write: Callable[..., Result], platform: Platform, file: Path
) -> None:
    expected = {person: {"offer": score} for person, score in scores(file).items()}
    assert len(expected) > 2
    assert f"{len(expected)} sent, 0 refused" in write().stdout
    assert platform.people == expected
    assert platform.keys == {f"Basic {b64encode(f'site:{KEY}'.encode()).decode()}"}
    calls = platform.calls
    assert "0 sent" in write().stdout
    assert platform.calls == calls


def test_o7_only_what_changed_is_sent_and_who_left_loses_it(
    write: Callable[..., Result], platform: Platform, file: Path
) -> None:
    write()
    first, second, *_ = sorted(scores(file))
    with duckdb.connect(file) as connection:
        members = "acme_marts.audience_members WHERE 'cio_' || internal_customer_id = ?"
        connection.execute(f"DELETE FROM {members}", [first])  # noqa: S608
        connection.execute(
            "UPDATE acme_marts.audience_members SET score = 7 "
            "WHERE 'cio_' || internal_customer_id = ?",
            [second],
        )
    platform.people.clear()
    told = write("--dry-run").stdout
    assert "(taken away)" in told
    assert platform.people == {}
    write()
    assert platform.people == {first: {"offer": ""}, second: {"offer": 7.0}}


def test_o7_d4_somebody_deleted_since_is_not_touched(
    write: Callable[..., Result], platform: Platform, file: Path
) -> None:
    write()
    gone = min(scores(file))
    with duckdb.connect(file) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            "INSERT INTO acme.people BY NAME SELECT * REPLACE (true AS deleted, "
            "TIMESTAMPTZ '2099-01-01' AS updated_at) FROM acme.people "
            "WHERE 'cio_' || internal_customer_id = ?",
            [gone],
        )
        connection.execute("UPDATE acme_marts.audience_members SET score = score + 1")
    platform.people.clear()
    write()
    assert gone not in platform.people
    assert platform.people


def test_o7_tiers_stand_for_scores(
    write: Callable[..., Result], platform: Platform, file: Path
) -> None:
    write("--tier", "silver=200", "--tier", "gold=300")
    expected = {
        person: {"offer": "gold" if score >= 300 else "silver"}
        for person, score in scores(file).items()
        if score >= 200
    }
    assert platform.people == expected


def test_o7_throttling_trouble_and_resets_are_waited_out(
    write: Callable[..., Result], platform: Platform, file: Path
) -> None:
    platform.answers = lambda turn, _: {1: 429, 2: 503, 3: 0}.get(turn, 200)
    write()
    assert set(platform.people) == set(scores(file))


def test_o7_people_are_written_no_faster_than_is_asked(
    write: Callable[..., Result], platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    still = SimpleNamespace(monotonic=lambda: 1000.0, sleep=slept.append)
    monkeypatch.setattr(paced, "time", still)
    write("--per-second", "20")
    assert sorted(slept) == pytest.approx([turn / 20 for turn in range(platform.calls)])
    assert platform.calls > 3


def test_o7_a_run_that_is_given_up_is_gone_on_with(
    write: Callable[..., Result], platform: Platform, file: Path
) -> None:
    """What arrived is not sent again, and the error quotes nobody."""
    unlucky = max(scores(file))
    platform.answers = lambda _, person: 429 if person == unlucky else 200
    with pytest.raises(Throttled, match="answers 429") as raised:
        write()
    assert unlucky.removeprefix("cio_") not in str(raised.value)
    assert set(platform.people) == set(scores(file)) - {unlucky}
    platform.people.clear()
    platform.answers = lambda *_: 200
    write()
    assert set(platform.people) == {unlucky}


def test_o7_one_who_is_refused_does_not_stop_the_others(
    write: Callable[..., Result], platform: Platform, file: Path
) -> None:
    refused = min(scores(file))
    platform.answers = lambda _, person: 400 if person == refused else 200
    done = write()
    assert done.exit_code == 1
    assert "1 refused" in done.stdout
    assert set(platform.people) == set(scores(file)) - {refused}


def test_o7_wrong_keys_are_named_and_never_shown(
    write: Callable[..., Result], platform: Platform
) -> None:
    platform.answers = lambda *_: 401
    with pytest.raises(KeysRefused) as raised:
        write()
    assert KEY not in f"{raised.value} {raised.value.next_step}"


@pytest.mark.parametrize("url", ["", "proxy", "ftp://host", "https://", "https://k:secret@host"])
def test_what_is_no_endpoint_is_named_before_anything_is_looked_at(url: str) -> None:
    """The platform "could not be reached" after twenty seconds."""
    verb = ["audience", "write-back", "winback", "--attribute", "offer", "--url", url]
    found = CliRunner().invoke(app, [*verb, "--dry-run", "--warehouse", "nowhere"])
    assert isinstance(found.exception, InvalidConfig)
    assert "http:// or https:// with a host" in str(found.exception)
    assert "secret" not in str(found.exception)


def test_o7_what_is_no_tier_is_named() -> None:
    for text in ("gold", "=5", "gold=much", "gold=nan", "gold=inf"):
        with pytest.raises(InvalidConfig, match="is no tier"):
            tiers([text])
    for twins in (["gold=5", "gold=9"], ["gold=5", "silver=5.0"]):
        with pytest.raises(InvalidConfig, match="Two tiers"):
            tiers(twins)


def test_o7_some_hundred_people_are_kept_in_parts(
    write: Callable[..., Result], platform: Platform, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    """A crash loses no more than what was under way."""
    monkeypatch.setattr(write_back, "KEPT", 1)
    platform.answers = lambda turn, _: 200 if turn <= 2 else 401
    with pytest.raises(KeysRefused):
        write()
    there = set(platform.people)
    assert len(there) == 2
    platform.people.clear()
    platform.answers = lambda *_: 200
    write()
    assert set(platform.people) == set(scores(file)) - there


@pytest.mark.parametrize("name", ["id", "email", "Email", "cio_id", "self", "_update", " "])
def test_o7_what_tells_who_somebody_is_is_never_written(
    write: Callable[..., Result], platform: Platform, name: str
) -> None:
    with pytest.raises(InvalidConfig, match="of the platform's own"):
        write("--attribute", name)
    assert not platform.people


def test_o7_no_audience_takes_away_what_another_wrote(
    write: Callable[..., Result], platform: Platform
) -> None:
    write()
    there = dict(platform.people)
    with pytest.raises(InvalidConfig, match="'offer' is the attribute of winback"):
        write(audience="repeat_purchase")
    assert platform.people == there
    assert "0 sent" in write().stdout


def test_o7_what_one_account_was_sent_another_has_not(
    write: Callable[..., Result],
    platform: Platform,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tried with a test account, then sent in earnest."""
    write()
    platform.people.clear()
    monkeypatch.setenv("CIO_SITE_ID", "earnest")
    with duckdb.connect(file) as connection:
        kept = connection.execute("SELECT DISTINCT account FROM acme_marts.audience_written")
        assert "site" not in str(kept.fetchall())
    write()
    assert set(platform.people) == set(scores(file))
    monkeypatch.setenv("CIO_SITE_ID", "site")
    assert "0 sent" in write().stdout


def test_o7_what_an_earlier_release_wrote_may_be_another_accounts(
    write: Callable[..., Result], platform: Platform, file: Path
) -> None:
    """It named no account: all is sent once more, and who has left loses it."""
    write()
    gone, *others = sorted(scores(file))
    expected = {gone: {"offer": ""}} | {one: {"offer": scores(file)[one]} for one in others}
    with duckdb.connect(file) as connection:
        connection.execute("ALTER TABLE acme_marts.audience_written DROP COLUMN account")
        members = "acme_marts.audience_members WHERE 'cio_' || internal_customer_id = ?"
        connection.execute(f"DELETE FROM {members}", [gone])  # noqa: S608
    platform.people.clear()
    write()
    assert platform.people == expected
    assert "0 sent" in write().stdout
