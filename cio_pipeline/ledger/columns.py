"""What the columns and indexes of the ledger have in common."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    Text,
    TypeDecorator,
    text,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


_MICROSECOND = timedelta(microseconds=1)


def microseconds(at: datetime) -> int:
    """A time as the ledger's number; ValueError for a naive one."""
    if at.tzinfo is None:
        raise ValueError("times in the ledger are aware, got a naive one")
    return (at - _EPOCH) // _MICROSECOND


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime as whole microseconds since 1970, the same on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Microseconds; ValueError for a naive datetime."""
        return None if value is None else microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """The aware UTC datetime."""
        return None if value is None else _EPOCH + value * _MICROSECOND


def sync_id(*, primary: bool = False) -> Column[str]:
    """Whose row it is."""
    return Column("sync_id", Text, ForeignKey("syncs.id"), primary_key=primary, nullable=False)


def number() -> Column[int]:
    """A row's own number, counted by the database."""
    kind = BigInteger().with_variant(Integer, "sqlite")
    return Column("id", kind, primary_key=True)


def unique_while(condition: str, name: str, *columns: str) -> Index:
    """An index that allows no two equal rows of which the condition holds."""
    return _where(condition, name, *columns, unique=True)


def index_where(condition: str, name: str, *columns: str) -> Index:
    """An index of those rows only of which the condition holds."""
    return _where(condition, name, *columns, unique=False)


def _where(condition: str, name: str, *columns: str, unique: bool) -> Index:
    where = text(condition)
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)
