"""How export files are named, encoded and kept until they are delivered.

Nothing here knows of syncs, ledgers or stores.
"""
