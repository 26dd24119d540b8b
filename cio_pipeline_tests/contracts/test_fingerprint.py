"""D2, D10: the fingerprint changes with the schema and the keys, and with nothing else."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cio_pipeline.contracts.declare import V4, Column, ColumnType, Export, Presence, fingerprint
from cio_pipeline_tests.contracts.cases import EVERY

cases = st.sampled_from(EVERY)


def with_column(export: Export, number: int, column: Column) -> Export:
    columns = list(export.columns)
    columns[number] = column
    return replace(export, columns=tuple(columns))


@given(cases, st.text(), st.text(), st.data())
def test_words_do_not_change_it(
    case: tuple[int, Export], words: str, note: str, data: st.DataObject
):
    version, export = case
    before = fingerprint(export, version)
    number = data.draw(st.integers(0, len(export.columns) - 1))
    column = replace(export.columns[number], description=words, note=note, references="people")
    reworded = replace(with_column(export, number, column), title=words, description=note)
    assert fingerprint(reworded, version) == before
    assert re.fullmatch(r"[0-9a-f]{16}", before)


@given(cases, st.data())
def test_a_name_a_type_or_a_presence_changes_it(case: tuple[int, Export], data: st.DataObject):
    version, export = case
    numbers = [i for i, c in enumerate(export.columns) if c.since <= version]
    number = data.draw(st.sampled_from(numbers))
    column = export.columns[number]
    other = data.draw(st.sampled_from([t for t in ColumnType if t is not column.type]))
    flipped = Presence.NULLABLE if column.of_version(version).required else Presence.REQUIRED
    changed = [
        replace(column, name=column.name + "_"),
        replace(column, type=other),
        replace(column, presence=flipped, v4=V4(presence=flipped)),
    ]
    prints = {fingerprint(with_column(export, number, c), version) for c in changed}
    assert len(prints | {fingerprint(export, version)}) == len(changed) + 1


@pytest.mark.parametrize(("version", "export"), EVERY)
def test_order_keys_and_unit_change_it(version: int, export: Export):
    changed = [
        fingerprint(replace(export, columns=export.columns[::-1]), version),
        fingerprint(replace(export, row_key=(*export.row_key, "workspace_id")), version),
        fingerprint(replace(export, entity_key=(*export.entity_key, "workspace_id")), version),
        fingerprint(export, version, "ms"),
        fingerprint(export, version),
    ]
    assert len(set(changed)) == len(changed)


@given(cases)
def test_nullable_and_optional_are_one_in_a_file(case: tuple[int, Export]):
    version, export = case
    reworded = replace(
        export,
        columns=tuple(
            replace(c, presence=Presence.OPTIONAL) if c.presence is Presence.NULLABLE else c
            for c in export.columns
        ),
    )
    assert fingerprint(reworded, version) == fingerprint(export, version)
