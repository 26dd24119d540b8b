"""Compile the models as another warehouse's adapter would dispatch their macros.

`python -m … PROJECT FOLDER VARIABLES DIALECT…` writes the SQL of each model to FOLDER/<dialect>.
The adapters are not needed: only the choice of macros is theirs here, connection and relations stay
DuckDB's.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from dbt.cli.main import dbtRunner
from dbt.context.providers import BaseDatabaseWrapper

OF_DUCKDB = re.compile(r'"\w+"\."(\w+)"\."(\w+)"')
"""A relation as DuckDB's adapter writes it; the others have quotes and folders of their own."""


def compiled(project: str, folder: Path, variables: str, dialects: Sequence[str]) -> None:
    at = ["--project-dir", project, "--profiles-dir", project, "--quiet", "--vars", variables]
    parsed: Any = dbtRunner().invoke(["parse", *at]).result
    for dialect in dialects:
        prefixes = [dialect, "duckdb", "default"]
        with patch.object(
            BaseDatabaseWrapper, "_get_adapter_macro_prefixes", lambda _, found=prefixes: found
        ):
            done: Any = dbtRunner(manifest=parsed).invoke(
                ["compile", *at, "--select", "resource_type:model"]
            )
        (folder / dialect).mkdir()
        for one in done.result.results:
            text = OF_DUCKDB.sub(r"\1.\2", one.node.compiled_code)
            (folder / dialect / f"{one.node.name}.sql").write_text(text)


if __name__ == "__main__":
    compiled(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
