"""The life of a sync (D7): what an operator does to one, a module per concept.

Belongs here: applying a sync file, pausing, disabling, moving, upgrading, purging. Not here:
reading that file (syncs/sync_file.py), and what a run makes of a sync's standing
(changesets/decide.py).
"""
