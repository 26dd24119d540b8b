"""The reader's side: what was delivered, as tables. It needs the bucket, and nothing of the sender.

Belongs here: following manifests, newest rows, loading a warehouse. Not here: ledger and Dagster.
"""
