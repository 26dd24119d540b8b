"""The models in the SQL of other warehouses: written by their macros, and grammatical (O6).

It shows that every dialect has its words for what differs, that the SQL parses in it, and that each
model has the same columns everywhere. It does not show that a warehouse computes the same: only
DuckDB runs here.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from cio_pipeline_tests.warehouse.conftest import PROJECT

RENDERING = Path(__file__).with_name("rendering.py")
"""It imports dbt, which takes a second."""

DIALECTS = ("duckdb", "snowflake", "bigquery", "redshift")

OF_OTHERS = {
    "snowflake": ("timezone('UTC'", "interval ", "date_diff(", "json_extract_string", "try_cast"),
    "bigquery": ("timestamptz", "varchar", "::", "date_diff(", "'g')", "to_number", "getdate"),
    "redshift": ("timezone('UTC'", "date_diff(", "try_cast", "0x", "'g')", "to_hex"),
}
"""Words that only other dialects know."""

AWKWARD = "it's \\' a\\\\b\nend\\"
"""A text that ends elsewhere, or is another one, to who forgets what a sign means somewhere."""
VARIABLES = {
    "shown_attributes": ["first_name", AWKWARD],
    "clicked": {"campaign_ids": [], "name_contains": AWKWARD, "days": 30},
    "checkout_events": [AWKWARD],
    "holdout": {"salt": AWKWARD, "percent": 10},
}


@pytest.fixture(scope="module")
def written(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compiled")
    (folder / "warehouse.duckdb").write_bytes((built / "warehouse.duckdb").read_bytes())
    environment = {
        **os.environ,
        "CIO_WAREHOUSE": str(folder / "warehouse.duckdb"),
        "CIO_FEED": "acme",
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }
    subprocess.run(
        [sys.executable, RENDERING, PROJECT, folder, json.dumps(VARIABLES), *DIALECTS],
        env=environment,
        check=True,
    )
    return folder


def parsed(path: Path, dialect: str) -> exp.Expr:
    (found,) = sqlglot.parse(path.read_text(), dialect=dialect)
    assert found is not None
    return found


def columns(query: exp.Expr) -> list[str]:
    assert isinstance(query, exp.Query)
    return [name.lower() for name in query.named_selects]


@pytest.mark.deep
@pytest.mark.parametrize("dialect", DIALECTS)
def test_o6_every_model_parses_in_each_dialect_and_has_the_same_columns(
    written: Path, dialect: str
) -> None:
    models = sorted(path.stem for path in (written / "duckdb").iterdir())
    assert len(models) > 30
    for model in models:
        query = parsed(written / dialect / f"{model}.sql", dialect)
        assert columns(query) == columns(parsed(written / "duckdb" / f"{model}.sql", "duckdb"))
        text = (written / dialect / f"{model}.sql").read_text().lower()
        for word in OF_OTHERS.get(dialect, ()):
            assert word not in text, f"{model} says {word}"


@pytest.mark.deep
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("model", "text"),
    [
        ("people_now", AWKWARD),
        ("audience_clicked_campaign", AWKWARD.lower()),
        ("audience_high_intent_abandoners", AWKWARD),
        ("holdout", f"{AWKWARD}:"),
    ],
    ids=("attribute", "campaign", "event", "salt"),
)
def test_o6_a_variable_says_the_same_text_in_each_dialect(
    written: Path, dialect: str, model: str, text: str
) -> None:
    said = parsed(written / dialect / f"{model}.sql", dialect).find_all(exp.Literal)
    assert text in [one.this for one in said if one.is_string]


@pytest.mark.deep
def test_each_dialect_has_its_own_words(written: Path) -> None:
    texts = {
        dialect: "".join(path.read_text() for path in sorted((written / dialect).iterdir()))
        for dialect in DIALECTS
    }
    assert len(set(texts.values())) == len(DIALECTS)
    assert "to_hex(md5(" in texts["bigquery"]
    assert "`from`" in texts["bigquery"]
    assert '"FROM"' in texts["snowflake"]
    assert "strtol(" in texts["redshift"]


ADAPTERS = Path(__file__).parents[2] / ".servers/kit/dbt/bin/python"
COMPILED = Path(__file__).with_name("compiled.py")
UNUSED = {
    "SNOWFLAKE_PRIVATE_KEY_PATH": "/nowhere",
    **dict.fromkeys(
        (
            "SNOWFLAKE_ACCOUNT",
            "SNOWFLAKE_USER",
            "SNOWFLAKE_ROLE",
            "SNOWFLAKE_WAREHOUSE",
            "SNOWFLAKE_DATABASE",
            "BIGQUERY_PROJECT",
            "REDSHIFT_HOST",
            "REDSHIFT_USER",
            "REDSHIFT_DATABASE",
        ),
        "unused",
    ),
}
"""What profiles.yml asks for; nothing is connected to."""


@pytest.mark.deep
@pytest.mark.timeout(900)
@pytest.mark.parametrize("target", DIALECTS[1:])
def test_o6_the_adapter_of_each_warehouse_compiles_every_model(
    written: Path, tmp_path: Path, target: str
) -> None:
    """By dbt and the adapter as they are installed for it (`make kit`), without a server."""
    if not ADAPTERS.exists():
        pytest.fail("This test needs dbt's adapters: run `make kit`.", pytrace=False)
    out = tmp_path / "out"
    out.mkdir()
    done = subprocess.run(
        [ADAPTERS, COMPILED, target, PROJECT, out, json.dumps(VARIABLES)],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "CIO_FEED": "acme",
            "DBT_TARGET_PATH": str(tmp_path / "target"),
            "DBT_LOG_PATH": str(tmp_path / "logs"),
            **UNUSED,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    models = sorted(path.stem for path in out.iterdir())
    assert len(models) > 30
    for model in models:
        query = parsed(out / f"{model}.sql", target)
        assert columns(query) == columns(parsed(written / "duckdb" / f"{model}.sql", "duckdb"))
