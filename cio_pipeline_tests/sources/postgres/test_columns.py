"""The columns of relations as they are: also those that are not declared (O1)."""

from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.sources.postgres.names import Names
from cio_pipeline_tests.postgres import Cluster
from cio_pipeline_tests.sources.postgres.databases import Made, new_database
from cio_pipeline_tests.sources.things import NOTES, THINGS


def test_o1_columns_are_told_under_their_declared_names(postgres_cluster: Cluster) -> None:
    names = Names.model_validate({"tables": {"things": {"columns": {"key": "a key"}}}})
    base = Made(new_database(postgres_cluster), {"things": THINGS, "notes": NOTES}, names)
    base.do(
        'CREATE TABLE things (workspace_id bigint, "a key" text, value text, tags text[], '
        "at timestamptz, flag boolean)"
    )

    before = base.source.columns([THINGS, NOTES, SOURCE_TABLES["people"]])
    base.do(
        "ALTER TABLE things ADD loyalty numeric",
        "ALTER TABLE things ALTER flag TYPE text",
        "ALTER TABLE things DROP tags",
    )
    after = base.source.columns([THINGS])["things"]

    assert list(before) == ["things"]
    assert before["things"]["key"] == "text"
    assert before["things"].items() - after.items() == {("flag", "bool"), ("tags", "text[]")}
    assert after.items() - before["things"].items() == {("flag", "text"), ("loyalty", "numeric")}
    base.source.server.close()
