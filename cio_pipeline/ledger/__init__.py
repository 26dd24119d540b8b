"""The ledger on SQLAlchemy Core: SQLite in a file, or PostgreSQL.

One module per part of `pipeline.ports.Ledger`; `open.open_ledger` puts them together. Nothing here
reads a clock: every time comes in as an argument and is stored as microseconds since 1970, UTC.
"""
