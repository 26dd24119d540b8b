"""What a team runs in its own warehouse, by dialect: tables, loads, newest rows, erasure (O6)."""

from typing import Literal, TypeAlias

DialectName: TypeAlias = Literal[
    "snowflake", "bigquery", "redshift", "databricks", "clickhouse", "duckdb", "postgres"
]
"""The dialects by name, for who needs no more of them: nothing here imports a library."""
