"""What to send: which mode applies, what changed, and the rows as the contract wants them.

Pure functions over values and lazy frames: nothing here opens a source, a file or the ledger.
"""
