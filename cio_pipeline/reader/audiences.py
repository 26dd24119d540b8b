"""Audiences of a warehouse: which there are, who is in them now, and what was exported (O7).

The dbt project in `warehouse/` builds them. Members are read through `people_now`, a view on the
loaded files: whoever was deleted or suppressed since an audience was built is in none any more.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from cio_pipeline.extras import needs
from cio_pipeline.model.errors import InvalidConfig, WarehouseBusy, WarehouseUnusable

if TYPE_CHECKING:
    import duckdb

REACH, LEAVE_OUT = "reach", "leave out"
HOLDOUT = "holdout"

_MARTS = "_marts"
_AT_ONCE = 10_000


@dataclass(frozen=True)
class Audience:
    """An audience as it was last built; `use` is to reach people or to leave them out."""

    name: str
    use: str
    people: int
    held_out: int
    built_at: datetime
    description: str


@dataclass(frozen=True)
class Member:
    """Somebody in an audience; `side` is `holdout` for those whom a test does without."""

    workspace_id: int
    internal_customer_id: str
    customer_id: str | None
    email: str | None
    phone: str | None
    since: datetime | None
    score: float | None
    reason: str | None
    side: str


@dataclass(frozen=True)
class Writing:
    """What is written back: an audience, as an attribute of an account's people."""

    audience: str
    attribute: str
    account: str


@dataclass(frozen=True)
class Marts:
    """The models that dbt built of one feed."""

    connection: "duckdb.DuckDBPyConnection"
    schema: str

    def audiences(self) -> list[Audience]:
        """The audiences that there are, in the order that they are declared in."""
        columns = "audience, audience_use, people, held_out, built_at, coalesce(comment, '')"
        rows = self.connection.execute(
            f"SELECT {columns} FROM {self._of('audience_catalog')} "  # noqa: S608 - our own names
            "LEFT JOIN duckdb_tables() ON schema_name = ? "
            "AND table_name = 'audience_' || audience ORDER BY place",
            [self.schema],
        ).fetchall()
        return [Audience(*row) for row in rows]

    def audience(self, name: str) -> Audience:
        """An audience by name; raises InvalidConfig that lists those there are."""
        known = self.audiences()
        for one in known:
            if one.name == name:
                return one
        names = ", ".join(one.name for one in known)
        raise InvalidConfig(f"There is no audience '{name}'.", f"There are {names}.")

    def members(self, audience: Audience) -> Iterator[Member]:
        """The members who are there now, those held out included; the strongest first."""
        found = self.connection.execute(
            "SELECT workspace_id, internal_customer_id, p.customer_id, p.email, p.phone, m.since, "
            f"m.score, m.reason, m.side {self._members()} "
            "ORDER BY m.score DESC NULLS LAST, m.since DESC, workspace_id, internal_customer_id",
            [audience.name],
        )
        while rows := found.fetchmany(_AT_ONCE):
            yield from (Member(*row) for row in rows)

    def record(
        self, audience: Audience, sides: Iterable[tuple[int, str, str]], at: datetime
    ) -> None:
        """Write down who is on which side, for the lift report: workspace, person, side."""
        self.connection.execute(
            f"CREATE TABLE IF NOT EXISTS {self._of('audience_exports')} (audience VARCHAR, "
            "workspace_id BIGINT, internal_customer_id VARCHAR, side VARCHAR, "
            "exported_at TIMESTAMPTZ)"
        )
        columns = {"workspace": pl.Int64, "person": pl.String, "side": pl.String}
        self.connection.register("sides", pl.DataFrame(list(sides), columns, orient="row"))
        self.connection.execute(
            f"INSERT INTO {self._of('audience_exports')} "  # noqa: S608 - our own names
            "SELECT ?, workspace, person, side, ? FROM sides",
            [audience.name, at],
        )
        self.connection.unregister("sides")

    def written(self, what: Writing) -> dict[tuple[int, str], str | None]:
        """What was last written back to who is still there, by workspace and id.

        None is a value that may be another account's. Raises InvalidConfig if another audience's
        people have it: they would lose it.
        """
        table = self._of("audience_written")
        self.connection.execute(
            f"CREATE TABLE IF NOT EXISTS {table} (attribute VARCHAR, "
            "workspace_id BIGINT, internal_customer_id VARCHAR, value VARCHAR, "
            "written_at TIMESTAMPTZ, audience VARCHAR)"
        )
        # Rows of an earlier release name no account.
        self.connection.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS account VARCHAR")
        rows = self.connection.execute(
            "SELECT workspace_id, internal_customer_id, arg_max(w.value, w.rowid), "  # noqa: S608
            "arg_max(w.audience, w.rowid), arg_max(w.account IS NULL, w.rowid) "
            f"FROM {table} AS w "
            f"JOIN {self._of('people_now')} USING (workspace_id, internal_customer_id) "
            "WHERE w.attribute = ? AND coalesce(w.account, ?) = ? GROUP BY ALL",
            [what.attribute, what.account, what.account],
        ).fetchall()
        others = sorted({by for _, _, value, by, _ in rows if value and by != what.audience})
        if others:
            raise InvalidConfig(
                f"'{what.attribute}' is the attribute of {others[0]}.",
                "Give each audience one of its own: who is not in this one would lose it.",
            )
        return {
            (workspace, person): None if value and unsure else value
            for workspace, person, value, _, unsure in rows
        }

    def keep_written(
        self, what: Writing, values: Sequence[tuple[int, str, str]], at: datetime
    ) -> None:
        """Write down for good what was written back: workspace, person, value."""
        if values:
            self.connection.executemany(
                f"INSERT INTO {self._of('audience_written')} VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                [[what.attribute, *one, at, what.audience, what.account] for one in values],
            )
        self.connection.execute("COMMIT")
        self.connection.execute("BEGIN")

    def _members(self) -> str:
        return (
            f"FROM {self._of('audience_members')} AS m JOIN {self._of('people_now')} AS p "
            "USING (workspace_id, internal_customer_id) WHERE m.audience = ?"
        )

    def _of(self, model: str) -> str:
        return f'{_quoted(self.schema)}."{model}"'


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def marts_in(file: Path, feed: str | None, *, write: bool = False) -> Generator[Marts]:
    """The models of a feed in a warehouse's file, in one transaction.

    Without a feed, those of the only one that has audiences. Raises InvalidConfig where there is
    none, or more than one; WarehouseBusy while another process writes; WarehouseUnusable for
    models that do not fit what is loaded.
    """
    duckdb = needs("duckdb")
    if not file.is_file():
        raise InvalidConfig(f"There is no warehouse {file}.", "Make it with `make warehouse`.")
    try:
        connection = duckdb.connect(str(file.absolute()), read_only=not write)
    except duckdb.IOException as error:
        raise WarehouseBusy(
            "The warehouse cannot be opened: another process has it open, or it is none.",
            "Try again when that has ended.",
        ) from error
    try:
        with connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("BEGIN")
            yield Marts(connection, _chosen(connection, feed))
            connection.execute("COMMIT")
    except duckdb.Error as error:
        # Its text may quote a row.
        raise WarehouseUnusable(
            f"The audiences do not fit what is loaded ({type(error).__name__}).",
            "Load the feed, and build them again with `dbt build`: docs/audiences.md.",
        ) from None


def _chosen(connection: "duckdb.DuckDBPyConnection", feed: str | None) -> str:
    found = connection.execute(
        "SELECT schema_name FROM duckdb_tables() WHERE table_name = 'audience_catalog' ORDER BY 1"
    ).fetchall()
    known = [name for (name,) in found if name.endswith(_MARTS)]
    wanted = known if feed is None else [f"{feed}{_MARTS}"]
    if len(wanted) == 1 and wanted[0] in known:
        return wanted[0]
    names = ", ".join(name.removesuffix(_MARTS) for name in known)
    if not known or feed is not None:
        of = "" if feed is None else f" of the feed '{feed}'"
        none = "`dbt build` makes them: docs/audiences.md."
        there = f"Those of {names} are there." if known else none
        raise InvalidConfig(f"The warehouse has no audiences{of}.", there)
    raise InvalidConfig("The warehouse has audiences of several feeds.", f"Use --feed: {names}.")
