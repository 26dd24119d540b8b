"""`cio-pipeline contract`: from data to a contract that is tried and applied (16.2, O1, O2)."""

import json
from typing import Any

from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.model.data_contract import DataContract
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline_tests.data_contracts.test_window import CONTRACT, fill
from cio_pipeline_tests.world import World, during

YEARS = ("--days", "3000")
"""The rows are of a made day; the command line's clock is the machine's."""


def called(*words: str) -> Any:
    done = CliRunner().invoke(app, words)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def test_o1_a_proposal_is_tried_and_applied(home: World) -> None:
    home.sync("a", 1)
    fill(home)
    proposed = called("contract", "infer", "a", *YEARS).stdout
    assert "Checkout Started:  # 3; also checkout_started (1)" in proposed
    (home.root / "acme.yaml").write_text(proposed)
    tried = called("contract", "check", "acme.yaml", "--sync", "a", *YEARS, "--json").stdout
    exports = {one["export"]: one for one in json.loads(tried)["exports"]}
    assert (exports["events"]["kept"], exports["events"]["held_back"]) == (6, [])
    (home.root / "syncs.yaml").write_text(
        "syncs:\n- id: a\n  workspace_id: 1\n  contract: acme.yaml\n"
        "  destination: {type: local, path: bucket/a}\n"
    )
    assert "has a data contract now" in called("sync", "apply", "syncs.yaml").output
    stored = home.ledger.registry.get("a").sync.contract
    assert stored is not None
    assert stored.exports["events"].normalise


def test_what_a_contract_would_hold_back_is_shown_by_keys_alone(home: World) -> None:
    home.sync("a", 1)
    fill(home)
    (home.root / "acme.yaml").write_text(json.dumps(CONTRACT))
    shown = called("contract", "check", "acme.yaml", "--sync", "a", *YEARS).output
    assert "held back: data.cart_id of 'Checkout Started' is required" in " ".join(shown.split())
    assert '["e2"]' in shown
    assert "acme.example" not in shown
    at = f"{during(1):%Y-%m-%dT%H:%M}"
    told = called("contract", "check", "acme.yaml", "--sync", "a", "--window", at, "--json").stdout
    assert {one["kept"] for one in json.loads(told)["exports"]} == {0}


def test_the_schema_is_that_of_the_model() -> None:
    assert json.loads(called("contract", "schema").stdout) == DataContract.model_json_schema()


def test_a_sync_without_rows_or_of_messages_is_told_so(home: World) -> None:
    home.sync("a", 1)
    home.sync("m", 1, feed="messages")
    for sync_id, why in (("a", "has no row of workspace 1"), ("m", "passes on payloads")):
        done = CliRunner().invoke(app, ["contract", "infer", sync_id])
        assert isinstance(done.exception, InvalidConfig)
        assert why in str(done.exception)
