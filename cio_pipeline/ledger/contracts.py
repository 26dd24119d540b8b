"""Terms of data contracts, kept for whoever makes a plan again that was made under them."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from cio_pipeline.ledger.database import Database, reading
from cio_pipeline.ledger.schema import contracts
from cio_pipeline.ledger.statements import insert_missing
from cio_pipeline.model.data_contract import DataContract, Terms, read_terms
from cio_pipeline.model.errors import LedgerError


@dataclass(frozen=True)
class Contracts:
    """The terms that syncs have and had."""

    database: Database

    @reading
    def terms(self, connection: Connection, digest: str) -> Terms:
        """The terms that a plan names; raises LedgerError if they are not there."""
        body = connection.scalar(select(contracts.c.body).where(contracts.c.digest == digest))
        if body is None:
            raise LedgerError(
                f"The ledger lacks the data contract {digest} that a plan was made under.",
                "Apply the contract that it was made under once more, which keeps it, or restore a "
                "backup of the ledger.",
            )
        return read_terms(body)


def keep_terms(connection: Connection, contract: DataContract | None) -> None:
    """Store what plans will be made under; what is there already stays."""
    if contract is not None:
        kept = (contract.terms(export) for export in contract.exports)
        rows = [{"digest": one.digest, "body": one.body} for one in kept if one is not None]
        insert_missing(connection, contracts, rows)
