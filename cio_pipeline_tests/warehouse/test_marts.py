"""Marts and audiences on the hand-made feed; dbt's own unit tests ran while it was built (O7)."""

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from jinja2 import Environment

from cio_pipeline_tests.warehouse.conftest import PROJECT, dbt
from cio_pipeline_tests.warehouse.feed import november, write_feeds


def rows(mart: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return mart.execute(sql).fetchall()


EXPECTED = {
    "clicked_campaign": {"ann": "WinBack spring"},
    "sms_recent": {"cem": "sms"},
    "do_not_contact": {"bob": "unsubscribed", "cem": "opted out of SMS"},
    "high_intent_abandoners": {"ann": "clicked a message", "fay": "looked around"},
    "top_decile": {"ann": "top tenth by engagement"},
    "repeat_purchase": {"ann": "ordered twice or more", "bob": "ordered twice or more"},
    "winback": {"gus": "no order for long"},
}


def test_o7_each_audience_has_the_people_worked_out_by_hand(
    mart: duckdb.DuckDBPyConnection,
) -> None:
    found = rows(mart, "SELECT audience, internal_customer_id, reason FROM audience_members")
    by_audience: dict[str, dict[str, str]] = {}
    for audience, who, reason in found:
        by_audience.setdefault(audience, {})[who] = reason
    assert by_audience == EXPECTED


def test_every_audience_is_declared_and_every_declared_one_has_a_unit_test() -> None:
    folder = PROJECT / "models" / "audiences"
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())
    declared = [one["name"] for one in project["vars"]["audiences"]]
    assert declared == list(EXPECTED)
    unit = yaml.safe_load((folder / "_unit_tests.yml").read_text())["unit_tests"]
    tested = {one["model"] for one in unit}
    assert {f"audience_{name}" for name in declared} <= tested
    models = {path.stem for path in folder.glob("audience_*.sql")}
    assert models == {f"audience_{one}" for one in (*declared, "members", "catalog")}


def test_o7_every_mart_has_a_unit_test_worked_out_by_hand() -> None:
    folder = PROJECT / "models" / "marts"
    unit = yaml.safe_load((folder / "_unit_tests.yml").read_text())["unit_tests"]
    on_the_way = {"contact_points"}
    marts = {path.stem for path in folder.glob("*.sql")}
    assert {one["model"] for one in unit} == marts - on_the_way


def test_people_now_are_those_who_are_there_with_their_newest_values(
    mart: duckdb.DuckDBPyConnection,
) -> None:
    assert rows(
        mart,
        "SELECT internal_customer_id, customer_id, email, phone, attribute_first_name "
        "FROM people_now ORDER BY workspace_id, internal_customer_id",
    ) == [
        ("ann", "user-1", "Ann.Smith+shop@GMail.com", "(030) 123 45 67", "Ann"),
        ("bob", "user-2", "bob@example.com", None, None),
        ("cem", "user-6", None, "+49 170 1234567", None),
        ("fay", "user-8", "fay@example.com", None, None),
        ("gus", None, "gus@example.com", None, None),
        ("hal", "user-1", "ann.smith@gmail.com", None, None),
    ]


def test_opens_and_clicks_of_people_are_kept_apart_from_those_of_machines(
    mart: duckdb.DuckDBPyConnection,
) -> None:
    assert rows(
        mart,
        "SELECT name, deliveries, sent, delivered, human_opened, human_clicked, bounced, "
        "opens_human, opens_proxied, opens_prefetched, clicks_human, clicks_machine, "
        "human_open_rate FROM campaign_performance "
        "WHERE kind = 'campaign' AND message_id = 7 AND delivery_type = 'email'",
    ) == [("WinBack spring", 5, 5, 3, 1, 2, 1, 1, 1, 1, 2, 1, 1 / 3)]
    assert rows(mart, "SELECT sum(deliveries), sum(human_clicked) FROM delivery_funnel") == [(9, 3)]


def test_consent_coverage_and_orders(mart: duckdb.DuckDBPyConnection) -> None:
    standing = rows(mart, "SELECT internal_customer_id, standing FROM consent_and_suppression")
    assert {who: how for who, how in standing if how != "here"} == {
        "dee": "deleted",
        "eve": "suppressed",
    }
    assert rows(
        mart,
        "SELECT people, with_customer_id, with_email, with_phone, with_both, with_neither "
        "FROM identity_coverage WHERE workspace_id = 1",
    ) == [(5, 4, 4, 2, 1, 0)]
    # Orders of ann, bob and cem from the seed, of bob and gus from events; "x" is no amount.
    assert rows(
        mart,
        "SELECT internal_customer_id, list(amount ORDER BY ordered_at) FROM orders_by_person "
        "GROUP BY 1 ORDER BY 1",
    ) == [("ann", [49.9, 89.0]), ("bob", [25.5, 12.5]), ("cem", [110.0]), ("gus", [None])]


def test_the_holdout_of_a_larger_share_has_all_of_a_smaller_one_and_is_spread_evenly(
    mart: duckdb.DuckDBPyConnection,
) -> None:
    sides = rows(mart, "SELECT internal_customer_id, bucket, side FROM holdout ORDER BY bucket")
    assert len(sides) == 8
    assert all((side == "holdout") == (bucket < 1000) for _, bucket, side in sides)
    spread = rows(
        mart,
        "SELECT count(*) FROM range(20_000) AS t(n) WHERE "
        "cast('0x' || substr(md5(concat('1:', 1, ':', n)), 1, 8) AS BIGINT) % 10000 < 1000",
    )
    assert abs(spread[0][0] - 2000) < 150


def test_o7_who_was_reached_first_is_not_held_out_by_a_larger_share() -> None:
    text = (PROJECT / "models" / "audiences" / "exported_members.sql").read_text()
    names: dict[str, Any] = {"source": lambda *_: "exports", "columns_of": bool}
    with duckdb.connect() as db:
        db.execute(
            "CREATE TABLE exports AS SELECT 'a' AS audience, 1 AS workspace_id, * FROM (VALUES "
            "('ann', 'reached', 1), ('ann', 'holdout', 2), ('bob', 'holdout', 1), "
            "('bob', 'reached', 2), ('cem', 'reached', 2), ('cem', 'reached', 3)) "
            "AS made(internal_customer_id, side, exported_at)"
        )
        query = Environment(autoescape=True).from_string(text).render(names)
        found = db.execute(f"SELECT internal_customer_id, side, since FROM ({query}) ORDER BY 1")  # noqa: S608
        assert found.fetchall() == [
            ("ann", "reached", 1),
            ("bob", "holdout", 1),
            ("cem", "reached", 2),
        ]


def test_all_models_and_columns_are_described(mart: duckdb.DuckDBPyConnection) -> None:
    for what in ("duckdb_tables()", "duckdb_views()", "duckdb_columns()"):
        missing = rows(
            mart,
            f"SELECT * FROM {what} WHERE schema_name = 'acme_marts' "  # noqa: S608
            "AND coalesce(comment, '') = '' AND NOT internal",
        )
        assert missing == []


@pytest.mark.deep
def test_a_v4_feed_gives_the_same_models_with_what_it_has(tmp_path: Path) -> None:
    write_feeds(tmp_path / "warehouse.duckdb")
    done = dbt(tmp_path, "build", feed="beta")
    assert done.returncode == 0, done.stdout
    with duckdb.connect(tmp_path / "warehouse.duckdb", read_only=True) as connection:
        connection.execute("USE beta_marts")
        # v4 does not say who opened: all count.
        assert rows(
            connection,
            "SELECT human_opened, human_clicked, opens_proxied FROM campaign_performance",
        ) == [(1, 1, 0)]
        assert rows(connection, "SELECT count(*) FROM events_named") == [(0,)]
        assert rows(connection, "SELECT audience, internal_customer_id FROM audience_members") == [
            ("top_decile", "ida")
        ]


@pytest.mark.deep
def test_a_slip_in_the_feeds_name_stops_the_build(tmp_path: Path) -> None:
    write_feeds(tmp_path / "warehouse.duckdb")
    done = dbt(tmp_path, "run", feed="acmee")
    assert done.returncode != 0
    assert "no table of people or deliveries in the schema 'acmee'" in done.stdout


@pytest.mark.deep
@pytest.mark.parametrize(
    ("table", "damage", "test"),
    [
        ("people", "UPDATE {} SET updated_at = NULL", "stg_people_required"),
        ("events", "UPDATE {} SET type = 'tap'", "stg_events_type"),
        ("metrics", "UPDATE {} SET delivery_id = 'nowhere'", "stg_metrics_delivery_id_refers"),
    ],
)
def test_what_breaks_the_contract_is_found_by_a_generated_test(
    tmp_path: Path, table: str, damage: str, test: str
) -> None:
    write_feeds(tmp_path / "warehouse.duckdb")
    with duckdb.connect(tmp_path / "warehouse.duckdb") as connection:
        connection.execute(damage.format(f"acme.{table}"))
    done = dbt(tmp_path, "build", "--select", f"+stg_{table}", "+stg_deliveries")
    assert any(
        test in line and ("FAIL" in line or "WARN" in line) for line in done.stdout.split("\n")
    )


def test_attributes_are_shown_in_columns_of_their_own_whatever_script_they_are_named_in(
    built: Path, tmp_path: Path
) -> None:
    file = tmp_path / "warehouse.duckdb"
    shutil.copy(built / "warehouse.duckdb", file)
    names = ["plan", "PLAN", "plan!", "имя", "город", "名前", "Größe", "plan"]
    with duckdb.connect(file) as connection:
        columns = connection.execute("DESCRIBE acme.attributes").fetchall()
        order = ", ".join(
            {"attribute_name": "?", "attribute_value": "?"}.get(one[0], f'"{one[0]}"')
            for one in columns
        )
        for name in sorted({*names}):
            connection.execute(
                f"INSERT INTO acme.attributes SELECT {order} FROM acme.attributes "  # noqa: S608
                "QUALIFY row_number() OVER (PARTITION BY internal_customer_id "
                "ORDER BY timestamp DESC) = 1",
                [name, f"its {name}"],
            )
    done = dbt(tmp_path, "run", "--select", "people_now", shown_attributes=names)
    assert done.returncode == 0, done.stdout
    with duckdb.connect(file, read_only=True) as connection:
        connection.execute("USE acme_marts")
        found = connection.execute("SELECT COLUMNS('attribute_.*') FROM people_now")
        titles = [one[0] for one in found.description or ()]
        assert {"attribute_plan", "attribute_gr_e"} < set(titles)
        assert all(title.isascii() for title in titles)
        values = {value for row in found.fetchall() for value in row}
    assert len(titles) == len({*names})
    assert {f"its {name}" for name in names} <= values


def test_what_was_loaded_late_is_in_people_now_at_once(built: Path, tmp_path: Path) -> None:
    file = tmp_path / "warehouse.duckdb"
    file.write_bytes((built / "warehouse.duckdb").read_bytes())
    with duckdb.connect(file) as connection:
        connection.execute(
            "INSERT INTO acme.people BY NAME SELECT * REPLACE (TRUE AS suppressed, ?::TIMESTAMPTZ "
            "AS updated_at) FROM acme.people WHERE internal_customer_id = 'ann'",
            [november(20)],
        )
        there = connection.execute("SELECT internal_customer_id FROM acme_marts.people_now")
        assert ("ann",) not in there.fetchall()
