"""The dialects by name, for who needs no more of them: nothing here imports a library."""

from typing import Literal, TypeAlias

DialectName: TypeAlias = Literal[
    "snowflake", "bigquery", "redshift", "databricks", "clickhouse", "duckdb", "postgres"
]
