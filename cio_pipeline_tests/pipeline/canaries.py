"""Planted secrets, and all the places where they must not turn up (D8)."""

import json
from collections.abc import Sequence
from urllib.parse import quote, unquote

import sqlalchemy as sa
from dagster_shared.serdes import serialize_value
from typer.testing import CliRunner, Result

from cio_pipeline.cli.app import app
from cio_pipeline_tests.defs.running import Dagster
from cio_pipeline_tests.world import World


def without(secrets: Sequence[str], *texts: str) -> None:
    """No text holds a secret, in whatever spelling."""
    for text in texts:
        for secret in secrets:
            for form in (secret, quote(secret, safe=""), unquote(secret), json.dumps(secret)[1:-1]):
                assert form not in text


def told_by_dagster(dagster: Dagster, run_id: str) -> list[str]:
    """All that Dagster keeps of a run: the run itself and its events, as it stores them."""
    run = dagster.instance.get_run_by_id(run_id)
    assert run is not None
    events = [serialize_value(one) for one in dagster.instance.all_logs(run_id)]
    return [serialize_value(run), *events]


def told_by_commands(*commands: str) -> dict[str, Result]:
    """What commands print and raise, for people and for scripts."""
    both = [f"{command}{more}" for command in commands for more in ("", " --json")]
    return {command: CliRunner().invoke(app, command.split()) for command in both}


def dumped(world: World) -> str:
    """Every row of every table of the ledger."""
    engine = sa.create_engine(f"sqlite:///{world.root / 'ledger.db'}")
    tables = sa.inspect(engine).get_table_names()
    with engine.connect() as connection:
        rows = {
            name: [tuple(row) for row in connection.execute(sa.text(f'SELECT * FROM "{name}"'))]  # noqa: S608
            for name in tables
        }
    engine.dispose()
    assert len(tables) > 5
    return json.dumps(rows, default=str)
