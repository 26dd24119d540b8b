"""`cio-pipeline audience` on the hand-made feed (O7)."""

import csv
import hashlib
import json
import stat
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner, Result

from cio_pipeline.cli.app import app
from cio_pipeline.model.errors import CioError, InvalidConfig, WarehouseBusy, WarehouseUnusable
from cio_pipeline_tests.warehouse.feed import november

Run = Callable[..., Result]


@pytest.fixture
def file(built: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "warehouse.duckdb"
    copy.write_bytes((built / "warehouse.duckdb").read_bytes())
    return copy


@pytest.fixture
def run(file: Path) -> Run:
    def call(*words: str) -> Result:
        done = CliRunner().invoke(app, ["audience", *words], env={"CIO_WAREHOUSE": str(file)})
        if isinstance(done.exception, CioError):
            raise done.exception
        return done

    return call


def table(text: str) -> list[list[str]]:
    return list(csv.reader(StringIO(text)))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def change(file: Path, sql: str, *values: object) -> None:
    with duckdb.connect(file) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(sql, list(values))


def gone(file: Path, who: str, how: str) -> None:
    """Load, after the audiences were built, that somebody is gone."""
    change(
        file,
        f"INSERT INTO acme.people BY NAME SELECT * REPLACE (true AS {how}, ?::TIMESTAMPTZ AS "  # noqa: S608
        "updated_at) FROM acme.people WHERE internal_customer_id = ?",
        november(20),
        who,
    )


def sides(file: Path) -> list[tuple[str, str]]:
    """Who was written down for the lift report, all of one audience."""
    kept = "SELECT internal_customer_id, side FROM acme_marts.audience_exports ORDER BY ALL"
    with duckdb.connect(file, read_only=True) as connection:
        return connection.execute(kept).fetchall()


def test_all_audiences_are_listed_with_what_they_are_for(run: Run) -> None:
    found = json.loads(run("list", "--json").stdout)
    assert [(one["name"], one["use"], one["people"]) for one in found] == [
        ("clicked_campaign", "leave out", 1),
        ("sms_recent", "leave out", 1),
        ("do_not_contact", "leave out", 2),
        ("high_intent_abandoners", "reach", 2),
        ("top_decile", "reach", 1),
        ("repeat_purchase", "reach", 2),
        ("winback", "reach", 1),
    ]
    assert all(one["description"].startswith(("People", "The tenth")) for one in found)
    assert "high_intent_abandoners" in run("list").stdout


def test_members_are_shown_with_what_can_be_matched(run: Run) -> None:
    found = json.loads(run("show", "repeat_purchase", "--country", "DE", "--json").stdout)
    assert (found["people"], found["with_email"], found["with_phone"]) == (2, 2, 1)
    assert [one["internal_customer_id"] for one in found["members"]] == ["ann", "bob"]
    shown = run("show", "repeat_purchase", "--limit", "1").stdout
    assert "user-1" in shown
    assert "user-2" not in shown
    assert "2 people, 0 held out, 2 with email, 0 with phone" in shown


ANN = {
    "meta": ("ann.smith+shop@gmail.com", "49301234567"),
    "google": ("annsmith@gmail.com", "+49301234567"),
    "tiktok": ("ann.smith+shop@gmail.com", "+49301234567"),
}
HEADERS = {
    "meta": ["email", "phone"],
    "google": ["Email", "Phone"],
    "tiktok": ["Email_SHA256", "Phone_SHA256"],
}


@pytest.mark.parametrize("platform", ANN)
def test_each_platform_gets_its_headers_and_match_keys(run: Run, platform: str) -> None:
    done = run("export", "repeat_purchase", "--format", platform, "--country", "DE")
    email, phone = ANN[platform]
    assert table(done.stdout) == [
        HEADERS[platform],
        [sha256(email), sha256(phone)],
        [sha256("bob@example.com"), ""],
    ]
    assert "repeat_purchase: 2 rows." in done.stderr


@pytest.mark.parametrize("how", ["suppressed", "deleted"])
@pytest.mark.parametrize("platform", [*ANN, "csv"])
def test_d4_whoever_is_gone_since_the_build_is_in_no_file(
    run: Run, file: Path, how: str, platform: str
) -> None:
    words = ("export", "repeat_purchase", "--format", platform, "--country", "DE")
    head, _, bob = run(*words).stdout.splitlines()
    gone(file, "ann", how)
    assert run(*words).stdout.splitlines() == [head, bob]


@pytest.mark.parametrize("platform", [*ANN, "csv"])
def test_d4_whoever_was_gone_before_is_in_no_file_of_any_audience(run: Run, platform: str) -> None:
    """dee was deleted, eve is suppressed: both did what others are in audiences for."""
    names = [one["name"] for one in json.loads(run("list", "--json").stdout)]
    files = [run("export", one, "--format", platform).stdout for one in names]
    keys = {sha256(f"{who}@example.com") for who in ("dee", "eve")} | {"dee", "eve"}
    assert [key for key in keys for text in files if key in text] == []


HOSTILE = ("=1+1", "+a@x.example", "-1", "@sum(1)", "\t=1", "\r=1", "\n=1")


@pytest.mark.parametrize("cell", HOSTILE)
def test_no_cell_in_the_clear_is_a_formula(run: Run, file: Path, cell: str) -> None:
    change(file, "UPDATE acme.people SET email_addr = 'x', customer_id = ? "
        "WHERE customer_id = 'user-2'", cell)  # fmt: skip
    change(file, "UPDATE acme.attributes SET attribute_value = 'x' WHERE attribute_name = 'phone'")
    done = run("export", "repeat_purchase", "--format", "csv", "--country", "DE")
    _, ann, bob = table(done.stdout)
    assert bob[2] == f"'{cell}"
    assert ann[2:4] == ["user-1", "Ann.Smith+shop@GMail.com"]
    assert "2 rows; 1 cells that begin with '" in done.stderr


def test_a_number_is_e164_in_the_clear(run: Run) -> None:
    _, ann, bob = table(
        run("export", "repeat_purchase", "--format", "csv", "--country", "DE").stdout
    )
    assert (ann[4], bob[4]) == ("+49301234567", "")


def test_who_is_held_out_is_left_out_and_both_sides_are_kept_for_the_lift(
    run: Run, file: Path
) -> None:
    change(
        file,
        "UPDATE acme_marts.audience_members SET side = 'holdout' "
        "WHERE internal_customer_id = 'bob' AND side = 'reached'",
    )
    done = run("export", "repeat_purchase", "--format", "google")
    assert len(table(done.stdout)) == 2
    assert "1 rows; 1 held out." in done.stderr
    assert len(table(run("export", "repeat_purchase", "--format", "csv").stdout)) == 2
    everybody = run("export", "repeat_purchase", "--format", "google", "--with-holdout")
    assert len(table(everybody.stdout)) == 3
    run("export", "do_not_contact", "--format", "google")
    assert sides(file) == [("ann", "reached"), ("bob", "holdout")]


def test_an_address_of_somebody_held_out_is_in_no_row_of_another(run: Run, file: Path) -> None:
    change(file, "UPDATE acme.people SET email_addr = 'b.o.b@gmail.com'")
    change(
        file,
        "UPDATE acme_marts.audience_members SET side = 'holdout' "
        "WHERE internal_customer_id = 'bob' AND side = 'reached'",
    )
    for one in ("google", "csv"):
        done = run("export", "repeat_purchase", "--format", one)
        assert len(table(done.stdout)) == 1
        assert "0 rows; 2 held out." in done.stderr
    # Neither was reached, nor is the other comparable to who was.
    assert sides(file) == []


def test_o7_the_lift_is_of_those_whom_the_file_reaches(run: Run, file: Path) -> None:
    """Who has no key, or shares one with the other side, would make it smaller than it is."""
    change(file, "UPDATE acme.people SET email_addr = 'nobody' WHERE customer_id = 'user-2'")
    run("export", "repeat_purchase", "--format", "google", "--country", "DE")
    assert sides(file) == [("ann", "reached")]


def test_who_cannot_be_matched_and_who_comes_twice_is_counted(run: Run, file: Path) -> None:
    change(
        file, "UPDATE acme.people SET email_addr = 'BOB@example.com' WHERE customer_id = 'user-1'"
    )
    change(file, "DELETE FROM acme.attributes")
    change(file, "DELETE FROM acme.delivery_content")
    done = run("export", "repeat_purchase", "--format", "meta")
    assert table(done.stdout) == [["email", "phone"], [sha256("bob@example.com"), ""]]
    assert "1 rows; 1 with the same keys as another." in done.stderr
    assert "meta wants 100 rows or more." in done.stderr
    assert (
        "1 without an email address" in run("export", "do_not_contact", "--format", "meta").stderr
    )


def test_a_file_is_its_owners_and_is_whole_or_not_there(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    run("export", "repeat_purchase", "--format", "csv", "--out", str(out))
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert table(out.read_text())[0][:3] == ["workspace_id", "internal_customer_id", "customer_id"]
    with pytest.raises(InvalidConfig):
        run("export", "nobody", "--format", "csv", "--out", str(tmp_path / "not.csv"))
    assert [path.name for path in tmp_path.glob("*.csv*")] == ["out.csv"]


@pytest.mark.parametrize(
    "damage",
    [
        "DROP SCHEMA acme CASCADE",
        "DROP TABLE acme_marts.audience_members",
        "ALTER TABLE acme_marts.audience_members RENAME score TO points",
    ],
)
@pytest.mark.parametrize(
    "words",
    [
        ["show", "winback"],
        ["export", "winback", "--format", "meta"],
        ["write-back", "winback", "--attribute", "x", "--dry-run"],
    ],
)
def test_audiences_that_do_not_fit_what_is_loaded_are_named(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], damage: str
) -> None:
    """A feed that went into another schema, or a build of another release."""
    monkeypatch.setenv("CIO_SITE_ID", "site")
    change(file, damage)
    with pytest.raises(WarehouseUnusable, match="do not fit what is loaded") as caught:
        run(*words)
    assert "dbt build" in caught.value.next_step


def test_what_is_not_there_is_named_with_a_next_step(run: Run, file: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="There are clicked_campaign, sms_recent"):
        run("show", "winbakc")
    with pytest.raises(InvalidConfig, match="Those of acme are there"):
        run("list", "--feed", "beta")
    with pytest.raises(InvalidConfig, match="make warehouse"):
        run("list", "--warehouse", str(tmp_path / "none.duckdb"))
    change(file, "CREATE SCHEMA b_marts")
    change(file, "CREATE TABLE b_marts.audience_catalog AS FROM acme_marts.audience_catalog")
    with pytest.raises(InvalidConfig, match="Use --feed: acme, b"):
        run("list")
    change(file, "DROP SCHEMA acme_marts CASCADE")
    change(file, "DROP SCHEMA b_marts CASCADE")
    with pytest.raises(InvalidConfig, match="dbt build"):
        run("list")
    file.write_bytes(b"no database")
    with pytest.raises(WarehouseBusy, match="another process has it open, or it is none"):
        run("list")
