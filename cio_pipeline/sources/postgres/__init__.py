"""Source tables in PostgreSQL: positions are snapshots, and what rows were is kept beside them.

Each table has a column `change_xid`, the transaction that wrote the row, and a table of earlier
rows in the schema `cio`, which triggers fill: what a row was, and the transaction that ended it.
Whether a snapshot sees a transaction is all that decides; so a table's rows at a position, and the
changes between two, are exact, whatever order transactions commit in, and however late they are
read.
"""
