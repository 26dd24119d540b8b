"""Compile the dbt project by another warehouse's own adapter.

`compiled.py TARGET PROJECT FOLDER VARIABLES` writes the SQL of each model to FOLDER/<model>.sql.

Nothing of ours is imported. No server is asked: what the adapter would be told of the sources is
what their declarations say.
"""

import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

from dbt.adapters.factory import get_adapter_class_by_name, load_plugin
from dbt.cli.main import dbtRunner


def compiled(target: str, project: str, folder: Path, variables: str) -> None:
    at = ["--project-dir", project, "--profiles-dir", project, "--target", target, "--quiet"]
    at += ["--vars", variables]
    parsed: Any = dbtRunner().invoke(["parse", *at])
    assert parsed.success, parsed.exception
    sources = {one.identifier: list(one.columns) for one in parsed.result.sources.values()}
    load_plugin(target)
    adapter: Any = get_adapter_class_by_name(target)

    def relation(self: Any, database: str, schema: str, identifier: str) -> Any:
        if identifier.removesuffix("_newest") not in sources:
            return None
        return self.Relation.create(database=database, schema=schema, identifier=identifier)

    def columns(self: Any, of: Any) -> Any:
        names = sources[of.identifier.removesuffix("_newest")]
        return [self.Column.create(name, "text") for name in names]

    offline = ["--no-introspect", "--no-populate-cache", "--select", "resource_type:model"]
    with (
        patch.object(adapter, "get_relation", relation),
        patch.object(adapter, "get_columns_in_relation", columns),
        patch.object(adapter.ConnectionManager, "set_connection_name", lambda *_: None),
    ):
        done: Any = dbtRunner(manifest=parsed.result).invoke(["compile", *at, *offline])
    assert done.success, done.exception
    models = [one for one in done.result.results if one.node.resource_type == "model"]
    for one in models:
        (folder / f"{one.node.name}.sql").write_text(one.node.compiled_code)


if __name__ == "__main__":
    compiled(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4])
