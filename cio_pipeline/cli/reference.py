"""The reference pages that follow from the code: `python -m cio_pipeline.cli.reference FOLDER`.

Writes the JSON Schemas of sync file, data contract and alerts file, the table in `sync-file.md` and
`cli.md`; with `--check` it writes nothing and exits with 1 if a page is stale.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from cio_pipeline.model.alerts import AlertsFile
from cio_pipeline.model.data_contract import DataContract
from cio_pipeline.pipeline.syncs.sync_file import SyncFile

_MARKED = re.compile(r"(<!-- fields -->\n).*?(<!-- end of fields -->)", re.DOTALL)


def pages(folder: Path) -> dict[Path, str]:
    """The text of each page; sync-file.md keeps what stands around its table."""
    schema = SyncFile.model_json_schema()
    prose = folder / "sync-file.md"
    table = _MARKED.sub(
        lambda m: m[1] + fields_table(schema) + m[2], prose.read_text(encoding="utf-8")
    )
    return {
        folder / "sync-file.schema.json": json.dumps(schema, indent=2) + "\n",
        folder / "alerts.schema.json": json.dumps(AlertsFile.model_json_schema(), indent=2) + "\n",
        folder / "data-contract.schema.json": contract_schema(),
        prose: table,
        folder / "cli.md": commands(),
    }


def contract_schema() -> str:
    """The JSON Schema of data contracts, for editors."""
    return json.dumps(DataContract.model_json_schema(), indent=2) + "\n"


def fields_table(schema: dict[str, Any]) -> str:
    """The fields of a sync as a Markdown table, and those of each destination."""
    found = ["| field | values | default | meaning |", "|---|---|---|---|"]
    found += _rows(schema, schema["$defs"]["Sync"])
    for name in sorted(schema["$defs"]):
        if name.endswith("Destination"):
            kind = name.removesuffix("Destination").lower()
            found += ["", f"`destination` of `type: {kind}`:", ""]
            found += ["| field | values | default | meaning |", "|---|---|---|---|"]
            found += _rows(schema, schema["$defs"][name])
    return "\n".join(found) + "\n"


def _rows(schema: dict[str, Any], model: dict[str, Any]) -> list[str]:
    required = model.get("required", [])
    return [
        f"| `{name}` | {_values(schema, field)} | {_default(name, field, required)} "
        f"| {field.get('description', '')} |"
        for name, field in model["properties"].items()
    ]


def _default(name: str, field: dict[str, Any], required: list[str]) -> str:
    if name in required:
        return "required"
    value = field.get("default")
    return "" if value in (None, {}) else f"`{json.dumps(value).strip(chr(34))}`"


def _values(schema: dict[str, Any], field: dict[str, Any]) -> str:
    if "$ref" in field:
        return _values(schema, schema["$defs"][field["$ref"].rpartition("/")[2]])
    if "anyOf" in field or "oneOf" in field:
        options = field.get("anyOf") or field.get("oneOf")
        found = (_values(schema, one) for one in options or () if one != {"type": "null"})
        return " or ".join(dict.fromkeys(found))
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    return {"object": "a mapping", "array": "a list"}.get(field.get("type", ""), _plain(field))


def _plain(field: dict[str, Any]) -> str:
    pattern = field.get("pattern", "").replace("|", "\\|")
    return f"`{pattern}`" if pattern else field.get("type", "")


def commands() -> str:
    """Every verb with its arguments and options, by typer's own generator."""
    arguments = ["cio_pipeline.cli.app", "utils", "docs", "--name", "cio-pipeline"]
    made = subprocess.run(  # noqa: S603 - fixed arguments
        [sys.executable, "-m", "typer", *arguments, "--title", "Command line"],
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout.rstrip() + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the pages, or name the stale ones."""
    parser = argparse.ArgumentParser(prog="python -m cio_pipeline.cli.reference")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", action="store_true")
    chosen = parser.parse_args(arguments)
    stale = [
        (path, text)
        for path, text in pages(chosen.folder).items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in stale:
        if not chosen.check:
            path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path.name} {'is stale' if chosen.check else 'written'}\n")
    return 1 if chosen.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
