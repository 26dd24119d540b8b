"""The documentation pages say what the declarations say, and their example works."""

import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from cio_pipeline.contracts.arrow import source_arrow_schema
from cio_pipeline.contracts.catalog import VERSIONS, exports_of
from cio_pipeline.contracts.docs.__main__ import main
from cio_pipeline.contracts.docs.markdown import END, START, table, with_section
from cio_pipeline.contracts.docs.pages import pages, stale
from cio_pipeline.contracts.docs.schema_page import file_names, schema_page
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.errors import InvalidConfig

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
PROSE = f"# Tables\n\nProse above.\n\n{START}\n{END}\n\nProse below.\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "source-tables.md").write_text(PROSE, encoding="utf-8")
    return tmp_path


def test_the_pages_of_the_repository_are_fresh():
    """If not: `python -m cio_pipeline.contracts.docs docs`."""
    assert stale(DOCS) == []


def test_check_runs_as_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "cio_pipeline.contracts.docs", str(DOCS), "--check"],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_check_names_stale_pages_and_writes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    assert main([str(folder), "--check"]) == 1
    told = capsys.readouterr().out
    assert all(f"{name} is stale" in told for name in pages(folder))
    assert (folder / "source-tables.md").read_text(encoding="utf-8") == PROSE
    assert not (folder / "schemas").exists()


def test_writing_makes_pages_fresh_and_keeps_the_prose(folder: Path):
    assert main([str(folder)]) == 0
    assert main([str(folder), "--check"]) == 0
    written = (folder / "source-tables.md").read_text(encoding="utf-8")
    assert written.startswith("# Tables\n\nProse above.\n\n")
    assert written.endswith("\n\nProse below.\n")
    assert main([str(folder)]) == 0
    assert (folder / "source-tables.md").read_text(encoding="utf-8") == written


def test_one_page_that_was_edited_is_the_one_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    main([str(folder)])
    page = folder / "schemas" / "v4.md"
    page.write_text(page.read_text(encoding="utf-8") + "by hand\n", encoding="utf-8")
    capsys.readouterr()
    assert main([str(folder), "--check"]) == 1
    assert capsys.readouterr().out == "schemas/v4.md is stale\n"


def test_a_folder_without_the_prose_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([str(tmp_path)]) == 2
    assert "source-tables.md" in capsys.readouterr().err


@pytest.mark.parametrize("page", ["", START, END, f"{END}{START}", f"{START}{END}{START}"])
def test_a_page_without_its_markers_is_refused(page: str):
    with pytest.raises(InvalidConfig):
        with_section(page, "text")


def test_a_bar_in_a_cell_does_not_end_it():
    assert table(("a",), [("x|y",)])[-1] == r"| x\|y |"


@pytest.mark.parametrize("version", VERSIONS)
def test_d1_d5_a_schema_page_has_every_column_and_file_name(version: int):
    page = schema_page(version)
    for export in exports_of(version):
        section = page.split(f"\n## {export.title}\n")[1].split("\n## ")[0]
        rows = re.findall(r"^\| \*{0,2}`(\w+)`\*{0,2} \|", section, flags=re.MULTILINE)
        assert rows == [c.name for c in export.columns_of(version)]
        for name, _ in file_names(export, version):
            assert f"`{name}`" in section


def test_d5_file_names_in_the_pages():
    names = {
        e.name: [name for name, _ in file_names(e, 5)]
        for e in exports_of(5)
        if e.split or e.numbered_parts or e.name == "actions"
    }
    assert names == {
        "metrics": ["metrics_v5_42_7_1.parquet", "metrics_v5_42_7.parquet"],
        "people": ["people_v5_42_7.parquet", "people_v5_chngs_42_7.parquet"],
        "actions": ["campaign_actions_v5_42_7.parquet"],
        "objects": ["object_v5_42_7.parquet", "object_v5_chngs_42_7.parquet"],
        "object_types": ["object_types_v5_42_7.parquet", "object_types_v5_chngs_42_7.parquet"],
    }


def test_every_source_table_and_column_is_documented():
    page = (DOCS / "source-tables.md").read_text(encoding="utf-8")
    for source in SOURCE_TABLES.values():
        section = page.split(f"\n### {source.name}\n")[1].split("\n### ")[0]
        for column in source.columns:
            assert f"| `{column.name}` | {column.type.value} |" in section


def test_the_example_of_mapping_ones_own_tables_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    page = (DOCS / "source-tables.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    for name in ("people", "attributes"):
        DeltaTable.create(
            f".cio/source/{name}",
            schema=source_arrow_schema(SOURCE_TABLES[name]),
            configuration={"delta.enableChangeDataFeed": "true"},
        )
    user = (
        '{"uuid": "6f1c", "login": "ada", "mail": "ada@example.com", "plan": %s, '
        '"signed_up": "2026-01-05T10:00:00", "modified": "2026-11-22T05:%s:00", "erased": %s}\n'
    )
    Path("users.ndjson").write_text(user % ('"gold"', "03", "false"), encoding="utf-8")
    for _ in range(2):
        exec(example, {})  # noqa: S102 - the page's own example is what is tested
    Path("users.ndjson").write_text(user % ("null", "07", "true"), encoding="utf-8")
    exec(example, {})  # noqa: S102 - the same

    people = pl.scan_delta(".cio/source/people").collect()
    assert people.schema == source_schema(SOURCE_TABLES["people"])
    assert people.select("id", "email", "deleted").rows() == [("ada", "ada@example.com", True)]
    attributes = pl.scan_delta(".cio/source/attributes").collect().sort("attribute_name")
    assert attributes.select("attribute_name", "attribute_value").rows() == [
        ("mail", '"ada@example.com"'),
        ("plan", None),
    ]
    changes = pl.DataFrame(DeltaTable(".cio/source/people").load_cdf(1))
    assert sorted(changes["_change_type"]) == ["insert", "update_postimage", "update_preimage"]
