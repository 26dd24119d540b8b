"""Contracts and results as Dagster metadata: column schemas and tables."""

from collections.abc import Iterable, Mapping, Sequence

import dagster as dg

from cio_pipeline.contracts.declare import CURRENT_VERSION, Column, Export, SourceTable


def export_columns(export: Export) -> dg.TableSchema:
    """The columns of an export in the current version, with keys and notes."""
    return dg.TableSchema(
        columns=[_column(export, column) for column in export.columns_of(CURRENT_VERSION)]
    )


def _column(export: Export, column: Column) -> dg.TableColumn:
    notes = [
        column.description,
        f"References {column.references}." if column.references else "",
        f"Note: {column.note}" if column.note else "",
    ]
    return dg.TableColumn(
        column.name,
        column.type.value,
        description=" ".join(note for note in notes if note),
        constraints=dg.TableColumnConstraints(
            nullable=not column.required,
            other=["row key"] if column.name in export.row_key else [],
        ),
    )


def source_columns(table: SourceTable) -> dg.TableSchema:
    """The columns of a source table."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                column.type.value,
                description=column.description,
                constraints=dg.TableColumnConstraints(
                    nullable=not column.required,
                    other=["identity"] if column.name in table.identity else [],
                ),
            )
            for column in table.columns
        ]
    )


def table(columns: Mapping[str, str], rows: Iterable[Sequence[str | int]]) -> dg.MetadataValue:
    """A table that the UI shows in place; `columns` are name → type, rows in their order."""
    return dg.MetadataValue.table(
        records=[dg.TableRecord(dict(zip(columns, row, strict=True))) for row in rows],
        schema=dg.TableSchema([dg.TableColumn(name, kind) for name, kind in columns.items()]),
    )
