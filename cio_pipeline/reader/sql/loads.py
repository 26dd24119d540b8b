"""The statements that load files, by dialect: templates, since each has its own way.

All but Redshift's and BigQuery's know which files they have loaded, and load each once.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from cio_pipeline.contracts.declare import ColumnType
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.reader.sql import DialectName
from cio_pipeline.reader.sql.dialects import Dialect
from cio_pipeline.reader.sql.relations import Relation
from cio_pipeline.reader.sql.tables import columns, create_table
from cio_pipeline.reader.tables import FILE, ROW

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_LOCATION = r"[A-Za-z0-9_.:/@=+ -]+"
_ACCESS = r"[A-Za-z0-9_.:/@=+-]*"
_TOLD = {
    "location": "letters, digits, spaces and _ . : / @ = + -",
    "schema": "letters, digits and _, and begins with no digit",
    "access": "letters, digits and _ . : / @ = + -",
}


@dataclass(frozen=True)
class Place:
    """Where files lie and what may read them.

    `location` is the feed's folder or URL without a slash at its end, `deep` whether files lie in
    dated folders below it (D9), `access` the name of what the warehouse reads it with: an
    integration, a role.
    """

    location: str
    schema: str
    deep: bool = False
    access: str = ""

    def __post_init__(self) -> None:
        """Raise InvalidConfig for what would break out of its place in a statement."""
        for what, value, allowed in (
            ("location", self.location, _LOCATION),
            ("schema", self.schema, _NAME),
            ("access", self.access, _ACCESS),
        ):
            if not re.fullmatch(allowed, value):
                raise InvalidConfig(
                    f"The {what} {value!r} cannot stand in a statement.",
                    f"It may hold {_TOLD[what]}.",
                )

    def files(self, relation: Relation) -> str:
        """A pattern with `*` of the relation's files."""
        return "/".join([self.location, *(("*", "*") if self.deep else ()), relation.names])


@dataclass(frozen=True)
class Load:
    """How a dialect loads: what is made once for a schema, and the statements of one table.

    `makes` says that the latter make the table, too.
    """

    once: Callable[[Place, Dialect], Iterator[str]]
    of: Callable[[Relation, Place, Dialect], Iterator[str]]
    makes: bool = False


def _nothing(place: Place, dialect: Dialect) -> Iterator[str]:
    del place, dialect
    yield from ()


def _table(relation: Relation, place: Place, dialect: Dialect) -> str:
    return dialect.table(relation.name, place.schema).sql(dialect.name)


def _names(relation: Relation, dialect: Dialect) -> str:
    return ", ".join(dialect.name_of(one.name).sql(dialect.name) for one in relation.columns)


_FORMAT = "FILE_FORMAT = (FORMAT_NAME = '{}.CIO_PARQUET')"


def _snowflake_once(place: Place, dialect: Dialect) -> Iterator[str]:
    schema = dialect.name_of(place.schema).sql(dialect.name)
    yield "ALTER SESSION SET TIMEZONE = 'UTC'"
    yield (
        f"CREATE FILE FORMAT IF NOT EXISTS {schema}.CIO_PARQUET "
        "TYPE = PARQUET USE_LOGICAL_TYPE = TRUE"
    )
    yield (
        f"CREATE STAGE IF NOT EXISTS {schema}.CIO_FILES URL = '{place.location}/' "
        f"STORAGE_INTEGRATION = {place.access} {_FORMAT.format(place.schema.upper())}"
    )


def _snowflake(relation: Relation, place: Place, dialect: Dialect) -> Iterator[str]:
    schema = dialect.name_of(place.schema).sql(dialect.name)
    pattern = "(.*/)?" + relation.names.replace(".", "[.]").replace("*", "[^/]*")
    yield (
        f"COPY INTO {_table(relation, place, dialect)} FROM @{schema}.CIO_FILES "
        f"PATTERN = '{pattern}' {_FORMAT.format(place.schema.upper())} "
        "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE "
        "INCLUDE_METADATA = (_FILE = METADATA$FILENAME, _ROW = METADATA$FILE_ROW_NUMBER)"
    )


def _bigquery(relation: Relation, place: Place, dialect: Dialect) -> Iterator[str]:
    if place.deep:
        raise InvalidConfig(
            "BigQuery takes one asterisk in a location; files in dated folders need more.",
            "Send a sync of `layout: flat`.",
        )
    # It does not know what it has loaded: all of it is loaded anew.
    yield f"TRUNCATE TABLE {_table(relation, place, dialect)}"
    yield (
        f"LOAD DATA INTO {_table(relation, place, dialect)} FROM FILES "
        f"(format = 'PARQUET', enable_list_inference = TRUE, uris = ['{place.files(relation)}'])"
    )


def _redshift(relation: Relation, place: Place, dialect: Dialect) -> Iterator[str]:
    lists = any(one.type is ColumnType.STRINGS for one in relation.columns)
    # A manifest of its own names the files that came since the last load. It lies beside the feed's
    # folder: within, it would be an object that nobody knows.
    manifest = f"{place.location}-load/{relation.name}.manifest"
    yield (
        f"COPY {_table(relation, place, dialect)} FROM '{manifest}' "
        f"IAM_ROLE '{place.access}' FORMAT AS PARQUET{' SERIALIZETOJSON' * lists} MANIFEST"
    )


def _databricks(relation: Relation, place: Place, dialect: Dialect) -> Iterator[str]:
    # Auto Loader remembers which files it took, and makes the table that it fills.
    table = create_table(relation, place.schema, dialect)
    table.set("exists", None)
    table.set("refresh", value=True)
    table.args["properties"].append("expressions", exp.StreamingTableProperty())
    yield (
        f"{table.sql(dialect.name)} AS SELECT {_names(relation, dialect)}, "
        f"_metadata.file_path AS {FILE} FROM STREAM read_files('{place.location}', "
        f"format => 'parquet', fileNamePattern => '{relation.names}')"
    )


def _clickhouse(relation: Relation, place: Place, dialect: Dialect) -> Iterator[str]:
    table, names = _table(relation, place, dialect), _names(relation, dialect)
    if "://" not in place.location:
        yield (
            f"INSERT INTO {table} ({names}, {FILE}) SELECT {names}, _path "
            f"FROM file('{place.files(relation)}', Parquet) "
            f"WHERE _path NOT IN (SELECT {FILE} FROM {table} WHERE {FILE} IS NOT NULL)"
        )
        return
    queue = dialect.table(f"{relation.name}_queue", place.schema).sql(dialect.name)
    load = dialect.table(f"{relation.name}_load", place.schema).sql(dialect.name)
    declared = ", ".join(
        f"{one.this.sql(dialect.name)} {one.args['kind'].sql(dialect.name)}"
        for one in columns(relation, dialect)
        if one.name != FILE
    )
    yield (
        f"CREATE TABLE IF NOT EXISTS {queue} ({declared}) "
        f"ENGINE = S3Queue('{place.files(relation)}', 'Parquet') "
        "SETTINGS mode = 'unordered', tracked_files_limit = 1000000"
    )
    yield (
        f"CREATE MATERIALIZED VIEW IF NOT EXISTS {load} TO {table} "
        f"AS SELECT {names}, _path AS {FILE} FROM {queue}"
    )


def _duckdb(relation: Relation, place: Place, dialect: Dialect) -> Iterator[str]:
    table, names = _table(relation, place, dialect), _names(relation, dialect)
    yield (
        f"INSERT INTO {table} BY NAME SELECT {names}, filename AS {FILE}, file_row_number AS {ROW} "
        f"FROM read_parquet('{place.files(relation)}', filename = true, file_row_number = true, "
        f"hive_partitioning = false) "
        f"WHERE filename NOT IN (SELECT {FILE} FROM {table} WHERE {FILE} IS NOT NULL)"
    )


def _postgres(relation: Relation, place: Place, dialect: Dialect) -> Iterator[str]:
    # It reads no Parquet: psql takes CSV from who does, and the whole table is loaded anew.
    table, names = _table(relation, place, dialect), _names(relation, dialect)
    stem = f" --stem {relation.name}={relation.stem}" if relation.stem else ""
    yield "BEGIN"
    yield f"TRUNCATE {table}"
    yield (
        f"\\copy {table} ({names}, {ROW}) FROM PROGRAM "
        f"'cio-pipeline warehouse csv \"{place.location}\" {relation.name}{stem}' "
        "WITH (FORMAT csv)"
    )
    yield "COMMIT"


LOADS: Mapping[DialectName, Load] = {
    "snowflake": Load(_snowflake_once, _snowflake),
    "bigquery": Load(_nothing, _bigquery),
    "redshift": Load(_nothing, _redshift),
    "databricks": Load(_nothing, _databricks, makes=True),
    "clickhouse": Load(_nothing, _clickhouse),
    "duckdb": Load(_nothing, _duckdb),
    "postgres": Load(_nothing, _postgres),
}
"""How each dialect loads."""
