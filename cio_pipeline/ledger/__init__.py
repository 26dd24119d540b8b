"""The ledger on SQLAlchemy Core: SQLite in a file, or PostgreSQL.

`open.Ledger` is the whole; each of its parts stands for one concept. Nothing here
reads a clock: every time comes in as an argument and is stored as microseconds since 1970, UTC.
"""
