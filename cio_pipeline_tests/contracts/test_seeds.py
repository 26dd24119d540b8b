"""D1, D2: the declarations say what the seed documents say, but for the listed decisions.

The documents are not part of the repository: these tests need them beside the checkout.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cio_pipeline.contracts.catalog import EXPORTS, exports_of
from cio_pipeline.contracts.declare import Export
from cio_pipeline.contracts.message_envelope import DEFAULT_KEY_TEMPLATE, METADATA, SAMPLES
from cio_pipeline.files.message_keys import compile_template
from cio_pipeline.files.message_time import time_context

SEEDS = Path(__file__).parents[3] / "shared" / "seeds"

pytestmark = pytest.mark.skipif(not SEEDS.is_dir(), reason="the seed documents are not here")

TYPES = {
    "INTEGER": "INTEGER",
    "STRING": "STRING",
    "BOOLEAN": "BOOLEAN",
    "Boolean": "BOOLEAN",
    "TIMESTAMP": "TIMESTAMP",
    "LIST": "LIST OF STRING",
    "ARRAY of STRINGS": "LIST OF STRING",
}
TYPE = re.compile(rf"^({'|'.join(TYPES)})(?:\.| \((\w+)\)\.?) +(.*)$", re.DOTALL)

DECIDED: dict[tuple[int, str, str], tuple[str, str]] = {
    (5, "metrics", "proxied"): ("", "Required"),
    (5, "metrics", "prefetched"): ("", "Required"),
    (5, "metrics", "machine"): ("", "Required"),
    (5, "inbound", "in_reply_to_delivery_id"): ("Required", "Nullable"),
}
"""(seed's word, ours) where the specification decides (D2, D3)."""

V4_ORDER = (
    "deliveries",
    "delivery_content",
    "metrics",
    "outputs",
    "people",
    "subjects",
    "attributes",
)


@dataclass(frozen=True)
class SeedColumn:
    name: str
    key: bool
    references: str | None
    type: str
    presence: str
    description: str


def seed(number: str) -> str:
    return next(SEEDS.glob(f"{number}_*.txt")).read_text(encoding="utf-8")


def column(name: str, marks: list[str], described: str) -> SeedColumn:
    foreign = [mark for mark in marks if mark and mark != "✅"]
    assert len(foreign) <= 1
    match = TYPE.match(described)
    assert match, f"{name}: {described[:60]}"
    return SeedColumn(
        name,
        "✅" in marks,
        foreign[0].lower().replace(" ", "_") if foreign else None,
        TYPES[match.group(1)],
        (match.group(2) or "").capitalize(),
        match.group(3),
    )


def section_of_v5(lines: list[str]) -> list[SeedColumn]:
    """A table of 001, which has a paragraph per cell and leaves empty cells out."""
    rows: list[list[str]] = []
    for line in lines[lines.index("Description") + 1 :]:
        name = line.replace("\\", "")
        if re.fullmatch(r"[a-z]+(_[a-z]+)*", name):
            rows.append([name])
        else:
            rows[-1].append(line)
    columns: list[SeedColumn] = []
    for name, *cells in rows:
        start = next(i for i, cell in enumerate(cells) if TYPE.match(cell))
        columns.append(column(name, cells[:start], " ".join(cells[start:])))
    return columns


def v5() -> dict[str, list[SeedColumn]]:
    schemas = seed("001").split("## Parquet file schemas", 1)[1]
    sections = re.split(r"^#### (.+?)\[\]\(#.*$", schemas, flags=re.MULTILINE)[1:]
    return {
        title.lower().replace(" ", "_"): section_of_v5([x for x in body.splitlines() if x])
        for title, body in zip(sections[::2], sections[1::2], strict=True)
    }


def v4() -> dict[str, list[SeedColumn]]:
    """The tables of 004, which has a line per row and no headings."""
    row = re.compile(
        r"^([a-z_]+?)(Deliveries|People|Metrics|Subjects)?"
        r"((?:INTEGER|STRING|BOOLEAN|TIMESTAMP) .*)$"
    )
    tables = seed("004").split("Field NamePrimary KeyForeign KeyDescription\n")[1:]
    found: dict[str, list[SeedColumn]] = {}
    for name, table in zip(V4_ORDER, tables, strict=True):
        matches = [row.match(line) for line in table.split("\n\n")[0].splitlines()]
        found[name] = [column(m[1], [m[2] or ""], m[3]) for m in matches if m]
        assert len(found[name]) == len(matches)
    return found


def documented() -> list[tuple[int, Export, list[SeedColumn]]]:
    if not SEEDS.is_dir():
        return []
    return [
        (version, EXPORTS[name], columns)
        for version, tables in ((4, v4()), (5, v5()))
        for name, columns in tables.items()
    ]


CASES = [pytest.param(*case, id=f"v{case[0]}-{case[1].name}") for case in documented()]


def test_d1_the_seeds_describe_exactly_the_declared_exports():
    assert set(v5()) == {export.name for export in exports_of(5)}
    assert set(v4()) == {export.name for export in exports_of(4)}
    assert sum(map(len, v5().values())) == sum(len(e.columns_of(5)) for e in exports_of(5))


@pytest.mark.parametrize(("version", "export", "columns"), CASES)
def test_d1_names_order_and_types_are_the_seeds(
    version: int, export: Export, columns: list[SeedColumn]
):
    declared = [(c.name, c.type.value) for c in export.columns_of(version)]
    assert declared == [(c.name, c.type) for c in columns]


@pytest.mark.parametrize(("version", "export", "columns"), CASES)
def test_d2_presence_is_the_seeds_but_for_the_decided(
    version: int, export: Export, columns: list[SeedColumn]
):
    for ours, theirs in zip(export.columns_of(version), columns, strict=True):
        decided = DECIDED.get((version, export.name, ours.name))
        if decided:
            assert (theirs.presence, ours.presence.value) == decided
            assert ours.note
        else:
            assert ours.presence.value == theirs.presence, ours.name


@pytest.mark.parametrize(("version", "export", "columns"), CASES)
def test_d1_keys_and_references_are_the_seeds(
    version: int, export: Export, columns: list[SeedColumn]
):
    assert {c.name for c in columns if c.key} <= set(export.row_key)
    for ours, theirs in zip(export.columns_of(version), columns, strict=True):
        assert ours.references == theirs.references, ours.name


COLUMNS = {column.name for export in EXPORTS.values() for column in export.columns}

LEFT_OUT = {("object_attributes", "object_type_id"): {"internal_object_id"}}
"""Names that a description can do without, being of a column next to it."""


def facts(text: str) -> set[str]:
    """Numbers, nulls and other columns that a description tells of, but for examples in code."""
    parts = re.sub(r"\]\([^)]*\)", " ", text).replace("\\", "").lower().split("`")
    plain = " ".join(p for i, p in enumerate(parts) if i % 2 == 0 or not set(p) & set(" {"))
    tokens = set(re.findall(r"\d+|[a-z]+(?:_[a-z]+)*", plain))
    named = {name for name in COLUMNS if "_" in name} | {"null"}
    return {token for token in tokens if token.isdigit() or token in named}


@pytest.mark.parametrize(("version", "export", "columns"), CASES)
def test_d1_descriptions_tell_the_seeds_facts(
    version: int, export: Export, columns: list[SeedColumn]
):
    for ours, theirs in zip(export.columns_of(version), columns, strict=True):
        told = facts(" ".join((ours.description, ours.note or "", *ours.choices)))
        left_out = LEFT_OUT.get((export.name, ours.name), set()) | {ours.name}
        assert facts(theirs.description) - told <= left_out, ours.name


def messages_of_seed() -> list[dict[str, Any]]:
    """The payloads that 003 shows, a read and a subscribe message."""
    blocks = re.findall(r"```json[^\n]*\n(.*?)```", seed("003"), re.DOTALL)
    return [found["data"] for found in map(json.loads, blocks) if "data" in found]


def test_m1_the_samples_have_the_fields_of_the_seeds_messages():
    for shown, (metadata, payload) in zip(messages_of_seed(), SAMPLES.values(), strict=True):
        ours = json.loads(payload)
        assert [list(ours), list(ours["result"][0])] == [list(shown), list(shown["result"][0])]
        assert set(metadata) == set(METADATA) - ({"operationId"} - set(shown))


def test_m2_the_templates_of_the_seed_give_keys_of_its_own_message():
    read, text = messages_of_seed()[0], seed("003").split("## Object key configuration")[1]
    default, *templates = re.findall(r"```\n(.+)\n```", text)
    event = read["operationId"]
    metadata = {"event-id": event, "timestamp": read["operationTime"]} | {
        name: read[name] for name in METADATA if name in read
    }
    keys = [
        compile_template(template).render(metadata, time_context(metadata["timestamp"]), read)
        for template in (DEFAULT_KEY_TEMPLATE, *templates)
    ]
    assert keys == [
        default,
        f"{read['objectName']}/{event}",
        f"{read['objectName']}/{read['operationTime'][:10]}/{event}",
        default,
        f"{read['installationId']}/{event}",
    ]
