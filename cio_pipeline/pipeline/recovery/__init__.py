"""Mending after a loss: of objects, of plans, of rows, of the ledger."""
