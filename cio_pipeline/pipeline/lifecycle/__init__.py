"""The life of a sync (D7): what an operator does to one, a module per concept.

Belongs here: pausing, disabling, moving, upgrading, purging. Not here: reading a sync file
(sync_file.py, apply.py), and what a run makes of a sync's standing (changesets/decide.py).
"""
